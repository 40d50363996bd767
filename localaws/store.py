"""All state of the embedded AWS: one SQLite file and a folder of blobs under the data directory.

A write is committed before its request is acknowledged; WAL with synchronous=NORMAL survives
`kill -9` of the process (a power cut may lose the last moments, never the file).
"""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from weakref import WeakSet

_BUSY_SECONDS = 30
_READER_CACHE_KIB = 1024
_WRITER_CACHE_KIB = 16384


class Store:
    """One writer at a time for the whole process; any number of snapshot readers."""

    def __init__(self, home: Path):
        self.home = home
        self.blobs = home / "blobs"
        self.blobs.mkdir(parents=True, exist_ok=True)
        self._path = home / "state.sqlite3"
        self._lock = threading.Lock()
        self._owner: int | None = None
        self._local = threading.local()
        self._readers: WeakSet[_Reader] = WeakSet()
        self._writer = _connect(self._path, _WRITER_CACHE_KIB)
        self._writer.execute("PRAGMA journal_mode=WAL")

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """The process-wide write transaction; a nested call in one thread joins the outer one."""
        if self._mine():
            yield self._writer
            return
        with self._lock:
            self._writer.execute("BEGIN IMMEDIATE")
            self._owner = threading.get_ident()
            try:
                yield self._writer
                self._writer.execute("COMMIT")
            except BaseException:
                if self._writer.in_transaction:
                    self._writer.execute("ROLLBACK")
                raise
            finally:
                self._owner = None

    def read(self) -> sqlite3.Connection:
        """This thread's view: committed state, or what its own open write transaction sees."""
        if self._mine():
            return self._writer
        reader = getattr(self._local, "reader", None)
        if reader is None:
            reader = _Reader(self._path)
            self._local.reader = reader
            self._readers.add(reader)
        return reader.connection

    def ensure(self, schema: str) -> None:
        """Creates a service's tables where absent; not inside a write transaction."""
        with self._lock:
            self._writer.executescript(schema)

    def close(self) -> None:
        with self._lock:
            for reader in list(self._readers):
                reader.connection.close()
            self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            self._writer.close()

    def _mine(self) -> bool:
        return self._owner == threading.get_ident()


class _Reader:
    """Closes its connection when the thread that owned it is gone."""

    def __init__(self, path: Path):
        self.connection = _connect(path, _READER_CACHE_KIB)

    def __del__(self):
        self.connection.close()


def _connect(path: Path, cache_kib: int) -> sqlite3.Connection:
    connection = sqlite3.connect(
        path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
    )
    connection.execute("PRAGMA synchronous=NORMAL")
    connection.execute(f"PRAGMA cache_size=-{cache_kib}")
    return connection
