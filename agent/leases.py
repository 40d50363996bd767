"""Which sessions this process may write to: leases claimed for a turn, renewed by a heartbeat, given back."""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from mlops.aws.sessions import LEASE, Sessions
from mlops.errors import Alternative, RefusedError

HEARTBEAT_SECONDS = 5.0
# A turn writes `done` just before it gives its lease back: who answers that at once waits so long.
_CLAIM_ATTEMPTS = 6
_CLAIM_PAUSE_SECONDS = 0.05

_LOG = logging.getLogger(__name__)


class Leases:
    """One heartbeat thread for all running turns of the process."""

    def __init__(
        self,
        sessions: Sessions,
        person: str,
        clock: Callable[[], datetime],
        heartbeat_seconds: float = HEARTBEAT_SECONDS,
        ticks: Callable[[], float] = time.monotonic,
    ):
        self._sessions = sessions
        self._person = person
        self._clock = clock
        self._heartbeat_seconds = heartbeat_seconds
        self._ticks = ticks
        self._held: dict[str, _Lease] = {}
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="turn-leases", daemon=True)
        self._thread.start()

    def claim(self, session_id: str, turn: str, text: str, title: str, owner: str) -> None:
        """RefusedError when another turn of the session is running, or it is somebody else's."""
        for attempt in range(_CLAIM_ATTEMPTS):
            at = self._ticks()
            if self._claim(session_id, turn, text, title, owner):
                self._held[session_id] = _Lease(owner, turn, at)
                return
            if attempt < _CLAIM_ATTEMPTS - 1:
                time.sleep(_CLAIM_PAUSE_SECONDS)
        raise RefusedError(
            "turn_running",
            "This conversation is still busy with the last request.",
            (Alternative(kind="wait", message="Wait for its answer, or open another one"),),
        )

    def held(self, session_id: str, turn: str) -> bool:
        """Not when the heartbeat has failed for so long that another process may have taken it."""
        lease = self._of(session_id, turn)
        return lease is not None and self._ticks() - lease.renewed_at < LEASE.total_seconds()

    def release(self, session_id: str, turn: str) -> None:
        """The turn has ended."""
        lease = self._of(session_id, turn)
        if lease is not None:
            self._held.pop(session_id, None)
            self._sessions.release(session_id, lease.owner)

    def give_up(self, session_id: str, turn: str) -> None:
        """The turn did not end here: its lease runs out, and whoever looks then takes it over."""
        if self._of(session_id, turn) is not None:
            self._held.pop(session_id, None)

    def close(self) -> None:
        self._closed.set()
        self._thread.join()

    def _of(self, session_id: str, turn: str) -> "_Lease | None":
        lease = self._held.get(session_id)
        return lease if lease is not None and lease.turn == turn else None

    def _claim(self, session_id: str, turn: str, text: str, title: str, owner: str) -> bool:
        """Not even a lease that ran out while this process slept: its turn still runs here."""
        if session_id in self._held:
            return False
        now = self._clock()
        return self._sessions.claim(session_id, self._person, turn, text, title, owner, now)

    def _beat(self) -> None:
        while not self._closed.wait(self._heartbeat_seconds):
            for session_id, lease in list(self._held.items()):
                self._renew(session_id, lease)

    def _renew(self, session_id: str, lease: "_Lease") -> None:
        """Whatever happens to one lease, the heart goes on beating."""
        at = self._ticks()
        try:
            if self._sessions.renew(session_id, lease.owner, self._clock()):
                lease.renewed_at = at
            elif self._held.get(session_id) is lease:
                self._held.pop(session_id, None)
        except Exception:
            _LOG.exception("the lease of %s was not renewed", session_id)


@dataclass(eq=False)
class _Lease:
    """`renewed_at`, in ticks, is from before the request: the stored lease is never shorter."""

    owner: str
    turn: str
    renewed_at: float
