"""The decision log for people: read, proved, exported and replayed. Only the owner of a session reads it."""

from collections.abc import Callable
from datetime import datetime

from mlops.aws.clients import Aws, translated
from mlops.aws.events import EventLog
from mlops.aws.sessions import Sessions
from mlops.aws.snapshots import Snapshots
from mlops.decisions import OPERATIONS, Decision, decisions
from mlops.errors import RefusedError, RequestError
from mlops.events import Event, EventKind, Head, inspect
from mlops.exports import export_lines
from mlops.replay.records import PlanRecord
from mlops.replay.replay import Replay, plan_ids, replay
from workbench.proofs import Proof, prove

# How often a log is read that grows meanwhile.
_LOOKS = 3


class DecisionLog:
    """A view of the one event log; nothing of it is stored anywhere else."""

    def __init__(self, aws: Aws, clock: Callable[[], datetime]):
        self._aws = aws
        self._log = EventLog(aws, clock)

    def show(self, session_id: str, kind: EventKind | None = None) -> list[Decision]:
        events, _ = self._read(session_id)
        return decisions(events, kind)

    def verify(self, session_id: str, seal: str = "") -> Proof:
        events, head = self._read(session_id)
        return prove(session_id, events, head, inspect(session_id, events, head), seal)

    def export(self, session_id: str) -> str:
        """The text of a file that `verify_file` proves without AWS."""
        lines = export_lines(session_id, *self._read(session_id))
        return "".join(f"{line}\n" for line in lines)

    def replay(self, session_id: str) -> Replay:
        """RefusedError when the log itself does not hold: then there is nothing to replay."""
        events, records = self._recorded(session_id)
        for _ in range(_LOOKS - 1):
            if self._log.head(session_id).seq == len(events):
                break
            events, records = self._recorded(session_id)
        return replay(session_id, events, records)

    @translated()
    def _recorded(self, session_id: str) -> tuple[list[Event], dict[str, PlanRecord]]:
        """The log and what is stored beside it; they belong together when no event came between."""
        events, head = self._read(session_id)
        flaw = inspect(session_id, events, head)
        if flaw is not None:
            message = f"The log does not hold at event {flaw.seq}: {flaw.why}."
            raise RefusedError("log_broken", message)
        stored = Snapshots(self._aws)
        return events, {plan_id: stored.record(plan_id) for plan_id in plan_ids(events)}

    @translated()
    def _read(self, session_id: str) -> tuple[list[Event], Head]:
        """Events up to the head as it was before they were read: a turn may be writing more."""
        self._require_mine(session_id)
        head = self._log.head(session_id)
        events = self._log.tail(session_id)
        if not events and not head.seq:
            message = f"There is no decision log of {session_id!r}."
            raise RequestError("unknown_session", message)
        return (events if len(events) <= head.seq else self._until(events, head)), head

    def _until(self, events: list[Event], head: Head) -> list[Event]:
        """What was written meanwhile is left out; what nobody wrote stays, to be found."""
        written = self._log.head(events[-1].session).seq
        return [e for e in events if e.seq <= head.seq or e.seq > written]

    def _require_mine(self, session_id: str) -> None:
        """What the watchdog did for nobody in particular is everybody's to read."""
        if session_id != OPERATIONS:
            Sessions(self._aws).require_owner(session_id, self._aws.settings.person)
