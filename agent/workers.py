"""Runs claimed turns in threads: each ends with a `done` event, and its lease is given back."""

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait

from agent.journal import Journal, LeaseLostError
from agent.leases import Leases
from agent.state import State, fresh
from mlops.aws.clients import as_ours
from mlops.errors import OpsError
from mlops.events import TOLD, EventKind

_THREADS = 16

_LOG = logging.getLogger(__name__)


class Workers:
    """The turns of one person that run in this process."""

    def __init__(self, journal: Journal, leases: Leases, person: str):
        self._journal = journal
        self._leases = leases
        self._person = person
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="turn")
        self._running: dict[str, Future[None]] = {}
        self._lock = threading.Lock()

    def start(self, session_id: str, turn: str, work: Callable[[], State | None]) -> None:
        """`work` gives the state that the turn ended in, or None when nothing was to be done."""
        future = self._pool.submit(self._run, session_id, turn, work)
        with self._lock:
            self._running = {t: f for t, f in self._running.items() if not f.done()}
            self._running[turn] = future

    def wait(self, turn: str, timeout: float | None = None) -> bool:
        """True when the turn has ended, or never ran in this process."""
        future = self._running.get(turn)
        return future is None or not wait([future], timeout).not_done

    def is_busy(self) -> bool:
        """A turn runs in this process."""
        return any(not future.done() for future in list(self._running.values()))

    def release(self, session_id: str, turn: str) -> None:
        try:
            self._leases.release(session_id, turn)
        except OpsError:
            _LOG.exception("the lease of %s was not given back; it will run out", session_id)

    def close(self) -> None:
        """Lets running turns end."""
        self._pool.shutdown(wait=True)
        self._leases.close()

    def _run(self, session_id: str, turn: str, work: Callable[[], State | None]) -> None:
        state: State = fresh(session_id, turn, self._person, "")
        key: str | None = None
        try:
            try:
                state = work() or state
                key = f"{state['leg']}#{state['iterations']}#{_how_it_ended(state)}"
                self._end(state, key)
            except LeaseLostError:
                raise
            except Exception as error:
                self._journal.note(state, EventKind.ERROR, as_ours(error).as_data())
            self._journal.note(state, EventKind.DONE, {}, key and f"done#{key}")
        except LeaseLostError:
            _LOG.warning("turn %s of %s is another process's now", turn, session_id)
            self._leases.give_up(session_id, turn)
        except Exception:
            _LOG.exception("turn %s of %s could not be ended", turn, session_id)
        finally:
            self.release(session_id, turn)

    def _end(self, state: State, key: str) -> None:
        """The end of a run is told once, however often it was tried."""
        end = state["ending"]
        if end is not None:
            once = f"{TOLD}{state['report']}" if state["report"] else f"end#{key}"
            self._journal.note(state, EventKind(end["kind"]), end["data"], once)


def _how_it_ended(state: State) -> str:
    end = state["ending"]
    return "waiting" if end is None else str(end["kind"])
