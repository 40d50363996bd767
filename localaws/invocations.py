"""Asynchronous Lambda invocations: queued in SQLite, delivered at least once, retried twice.

An entry is deleted when the function succeeded or all tries failed; what is queued when the
process dies is delivered after the next start.
"""

import logging
import sqlite3
import threading
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from localaws.store import Store

RETRY_SECONDS = (5.0, 10.0)
"""AWS waits one and two minutes; nobody at a laptop would."""
_WORKERS = 4
_LOOK_SECONDS = 1.0
_LOG = logging.getLogger(__name__)
_SCHEMA = """
CREATE TABLE IF NOT EXISTS async_invocations (
    id TEXT PRIMARY KEY, function TEXT NOT NULL, payload BLOB NOT NULL, client_context TEXT,
    tries INTEGER NOT NULL, due REAL NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS async_invocations_due ON async_invocations (due);
"""


@dataclass(frozen=True)
class Queued:
    """One invocation that nobody waits for; `id` is its request id in every try."""

    id: str
    function: str
    payload: bytes
    client_context: str | None
    tries: int


class Invocations:
    """`deliver` runs one and says whether the function succeeded."""

    def __init__(
        self,
        store: Store,
        deliver: Callable[[Queued], bool],
        retry_seconds: tuple[float, ...] = RETRY_SECONDS,
    ):
        self._store = store
        self._deliver = deliver
        self._retry_seconds = retry_seconds
        self._in_flight: set[str] = set()
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._closed = False
        self._workers = ThreadPoolExecutor(_WORKERS, thread_name_prefix="lambda-event")
        store.ensure(_SCHEMA)

    def enqueue(self, function: str, payload: bytes, client_context: str | None = None) -> str:
        """Joins the caller's transaction where there is one, so event and cause commit together."""
        request_id = str(uuid.uuid4())
        with self._store.write() as db:
            db.execute(
                "INSERT INTO async_invocations VALUES (?, ?, ?, ?, 0, ?)",
                (request_id, function, payload, client_context, time.time()),
            )
        self._wake.set()
        return request_id

    def start(self) -> None:
        threading.Thread(target=self._loop, name="lambda-events", daemon=True).start()

    def pending(self) -> int:
        return self._store.read().execute("SELECT count(*) FROM async_invocations").fetchone()[0]

    def close(self) -> None:
        with self._lock:
            self._closed = True
        self._wake.set()
        self._workers.shutdown(wait=False, cancel_futures=True)

    def _loop(self) -> None:
        while not self._closed:
            self._wake.clear()
            for queued in self._claim():
                self._workers.submit(self._try, queued)
            self._wake.wait(_LOOK_SECONDS)

    def _claim(self) -> list[Queued]:
        """Under the write lock, so that an entry of a transaction still open is not missed."""
        with self._store.write() as db:
            rows = db.execute(
                "SELECT id, function, payload, client_context, tries FROM async_invocations"
                " WHERE due <= ? ORDER BY due",
                (time.time(),),
            ).fetchall()
        with self._lock:
            if self._closed:
                return []
            free = _WORKERS - len(self._in_flight)
            claimed = [Queued(*row) for row in rows if row[0] not in self._in_flight][:free]
            self._in_flight.update(queued.id for queued in claimed)
        return claimed

    def _try(self, queued: Queued) -> None:
        try:
            succeeded = self._deliver(queued)
            if not self._closed:
                self._settle(queued, succeeded)
        except sqlite3.ProgrammingError:
            if not self._closed:
                raise
        except Exception:
            _LOG.exception("asynchronous invocation of %s failed", queued.function)
            self._settle(queued, succeeded=False)
        finally:
            with self._lock:
                self._in_flight.discard(queued.id)
            self._wake.set()

    def _settle(self, queued: Queued, succeeded: bool) -> None:
        with self._store.write() as db:
            if succeeded or queued.tries >= len(self._retry_seconds):
                db.execute("DELETE FROM async_invocations WHERE id = ?", (queued.id,))
            else:
                db.execute(
                    "UPDATE async_invocations SET tries = tries + 1, due = ? WHERE id = ?",
                    (time.time() + self._retry_seconds[queued.tries], queued.id),
                )
        if not succeeded and queued.tries >= len(self._retry_seconds):
            _LOG.warning("%s failed %d times: event dropped", queued.function, queued.tries + 1)
