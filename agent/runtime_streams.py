"""Answers a payload: starts the turn that it asks for, then yields the session's events as frames."""

import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

from agent.runtime_frames import Ending, Frame, Frames, Outlook, Payload
from agent.runtime_routes import explain
from agent.runtime_tails import Tail, Tails
from agent.services import Services
from mlops.aws.clients import translated
from mlops.aws.events import EventLog
from mlops.aws.jobs import Jobs
from mlops.aws.plans import Plans
from mlops.aws.sessions import Sessions
from mlops.errors import FaultError, RequestError

HEARTBEAT_SECONDS = 2.0
# At a time: more of them would only keep the open streams, and /ping, from their share of the cores.
_STARTS = 4


class Streams:
    """Starts what a payload asks for and yields the frames of its answer."""

    def __init__(self, services: Services, tails: Tails, clock: Callable[[], datetime]):
        self._settings = services.settings
        self._aws = services.aws
        self._turns = services.turns
        self._tails = tails
        self._clock = clock
        self._log = EventLog(services.aws, clock)
        self._starting = threading.BoundedSemaphore(_STARTS)

    @translated()
    def start(self, payload: Payload) -> "Stream":
        """The turn runs when this returns; OpsError when it may not."""
        self._tails.require_room()
        with self._starting:
            watched = self._begin(payload)
        return Stream(self._frames(watched, payload.follow), watched)

    def _begin(self, payload: Payload) -> "_Watched":
        tokens_after = int(self._clock().timestamp() * 1000) - 1
        if payload.resume is not None:
            return self._resumed(payload, tokens_after)
        plan_id = payload.approve or payload.decline
        if plan_id is not None:
            session = Plans(self._aws).of(self._settings.person, plan_id).session_id
        else:
            session = payload.session or f"session-{uuid.uuid4().hex[:16]}"
        seq = self._log.head(session).seq
        return _Watched(
            session_id=session,
            turn=self._submit(payload, session),
            replay_after=seq,
            shown_after=seq,
            tokens_after=tokens_after,
        )

    def _submit(self, payload: Payload, session: str) -> str:
        if payload.approve is not None:
            return self._turns.approve(payload.approve, self._settings.person)
        if payload.decline is not None:
            return self._turns.decline(payload.decline, self._settings.person)
        assert payload.prompt is not None
        return self._turns.submit(session, payload.prompt)

    def _resumed(self, payload: Payload, tokens_after: int) -> "_Watched":
        """The log is read from its beginning: how it stands follows from all of it."""
        assert payload.resume is not None
        if payload.session is None:
            raise RequestError("bad_payload", "Say which session to resume.")
        session = Sessions(self._aws).of(self._settings.person, payload.session)
        self._turns.tell(session.session_id)
        return _Watched(
            session_id=session.session_id,
            turn=None,
            replay_after=0,
            shown_after=payload.resume.after_seq,
            tokens_after=tokens_after,
        )

    def _frames(self, watched: "_Watched", follow: bool) -> Iterator[Frame]:
        """Whatever happens, the last frame is an end; nothing of an exception gets out."""
        frames = Frames(watched.session_id, watched.turn or "", watched.shown_after)
        outlook, error = Outlook(), None
        yield frames.start(self._clock())
        try:
            yield from self._tail(watched, follow, frames, outlook)
        except Exception as raised:
            error = explain(raised)
            outlook.ending = Ending.ERROR
        if error is not None:
            yield frames.error(self._clock(), error)
        yield frames.end(self._clock(), outlook.ending, outlook.plan_id)

    def _tail(
        self, watched: "_Watched", follow: bool, frames: Frames, outlook: Outlook
    ) -> Iterator[Frame]:
        opened = self._tails.open(watched.session_id, watched.replay_after, watched.tokens_after)
        with opened as tail:
            watched.tail = tail
            spoke = time.monotonic()
            while not watched.has_left and not self._is_over(watched, follow, tail, outlook):
                if self._tails.closed:
                    outlook.ending = Ending.CLOSING
                    return
                for event in tail.take(HEARTBEAT_SECONDS):
                    outlook.note(event)
                    if event.seq > watched.shown_after:
                        spoke = time.monotonic()
                        yield frames.event(event)
                if time.monotonic() - spoke >= HEARTBEAT_SECONDS:
                    spoke = time.monotonic()
                    yield frames.heartbeat(self._clock())

    def _is_over(self, watched: "_Watched", follow: bool, tail: Tail, outlook: Outlook) -> bool:
        ended = watched.turn in outlook.ended_turns
        idle = tail.is_idle()
        if not ended and not idle:
            return False
        if watched.turn is not None and not ended:
            raise FaultError("turn_lost", "The turn ended without an answer; ask again.")
        if not follow:
            return True
        if outlook.running_plan is not None:
            return idle and not self._has_jobs(outlook)
        return outlook.ending is not Ending.REPORT or not self._tell(watched, tail, outlook)

    def _tell(self, watched: "_Watched", tail: Tail, outlook: Outlook) -> bool:
        """Has the report put into words, by a turn that is shown too; False when that was done."""
        turn = None if watched.is_told else self._turns.tell(watched.session_id)
        watched.is_told = True
        if turn is None:
            return False
        watched.turn = turn
        outlook.ended_turns.discard(turn)
        self._tails.look_again(tail)
        return True

    def _has_jobs(self, outlook: Outlook) -> bool:
        """Whether the approved plan has started: then its report will come."""
        plan_id = outlook.running_plan
        if plan_id is not None and not outlook.launched:
            with translated():
                outlook.launched = bool(Jobs(self._aws).of_plan(plan_id))
        return outlook.launched


class Stream:
    """The frames of one answer. Whoever stops reading them leaves: from any thread, and often
    enough, the watched log is let go at once and a waiting reader wakes up."""

    def __init__(self, frames: Iterator[Frame], watched: "_Watched"):
        self.frames = frames
        self._watched = watched

    def leave(self) -> None:
        self._watched.has_left = True
        if self._watched.tail is not None:
            self._watched.tail.leave()


@dataclass
class _Watched:
    """What a stream shows: the session's events after `shown_after`, read from `replay_after` on.

    `turn` is the one that this stream started, None when it only reads along.
    """

    session_id: str
    turn: str | None
    replay_after: int
    shown_after: int
    tokens_after: int
    is_told: bool = False
    tail: Tail | None = None
    has_left: bool = False
