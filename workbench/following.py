"""A session's log as a live stream: to the end of a turn, or on to the report of its plan."""

import time
from collections.abc import Callable, Iterator
from datetime import datetime

from mlops.approvals import ApprovalStatus
from mlops.aws.clients import Aws, translated
from mlops.aws.events import EventLog
from mlops.aws.jobs import Jobs
from mlops.aws.plans import Plans
from mlops.aws.sessions import Sessions, Turn
from mlops.errors import FaultError
from mlops.events import Event, EventKind

POLL_SECONDS = 0.15
_POLLS_BETWEEN_LOOKS = 10


class Follower:
    """Tails logs; keeps no state but its connections."""

    def __init__(
        self,
        aws: Aws,
        clock: Callable[[], datetime],
        pause: Callable[[float], None] = time.sleep,
    ):
        self._aws = aws
        self._log = EventLog(aws, clock)
        self._clock = clock
        self._pause = pause

    @translated()
    def running_turn(self, session_id: str) -> Turn | None:
        """None as well when the process of the turn has died."""
        session = Sessions(self._aws).get(session_id)
        turn = session.turn if session else None
        return turn if turn and turn.lease_until > self._clock() else None

    def follow(
        self,
        session_id: str,
        turn: str,
        after: int,
        plan_id: str | None,
        on_idle: Callable[[], None] | None,
    ) -> Iterator[Event]:
        """As `Workbench.follow`."""
        polls, ended = 0, False
        while True:
            found = self._tail(session_id, after)
            for event in found:
                after = event.seq
                yield event
                ended = ended or (event.turn == turn and event.kind is EventKind.DONE)
                if _closes(event, plan_id):
                    return
            if ended and (plan_id is None or not self._is_open(plan_id)):
                yield from self._tail(session_id, after)
                return
            polls = 0 if found else polls + 1
            if not ended and polls % _POLLS_BETWEEN_LOOKS == _POLLS_BETWEEN_LOOKS - 1:
                self._check_alive(session_id, after)
            if on_idle:
                on_idle()
            self._pause(POLL_SECONDS)

    @translated()
    def _tail(self, session_id: str, after: int) -> list[Event]:
        return self._log.tail(session_id, after)

    @translated()
    def _is_open(self, plan_id: str) -> bool:
        """A job was started for it and its report is still to come."""
        approval = Plans(self._aws).approval(plan_id)
        approved = approval is not None and approval.status is ApprovalStatus.APPROVED
        return approved and bool(Jobs(self._aws).of_plan(plan_id))

    def _check_alive(self, session_id: str, after: int) -> None:
        """The log is read again, because a turn writes its last event before it lets go."""
        if self.running_turn(session_id) is None and not self._tail(session_id, after):
            raise FaultError("turn_lost", "The turn ended without an answer; ask again.")


def _closes(event: Event, plan_id: str | None) -> bool:
    ends = event.kind in (EventKind.REPORT, EventKind.ERROR)
    return plan_id is not None and ends and event.data.get("plan_id") == plan_id
