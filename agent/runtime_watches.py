"""A watched session and its streams: the reader puts in what is new, each stream takes it at its own pace."""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from mlops.aws.clients import translated
from mlops.aws.events import EventLog
from mlops.aws.heads import SessionHead
from mlops.errors import OpsError
from mlops.events import Event, EventKind

# Text streams soon after an event, or after text: a turn that is silent is asked for it less often.
_TEXT_SECONDS, _SLOWEST_TEXT_SECONDS, _SLOWER = 0.1, 1.0, 1.5
# After a fault.
_REST_SECONDS = 1.0
# What a client may be behind before it reads from the log again.
_MOST_QUEUED = 5_000
_GIVE_UP_SECONDS = 30.0


class Tail:
    """One stream's place in a session's log. `seq` is the last event that it has taken."""

    def __init__(
        self,
        watch: "Watch",
        log: EventLog,
        after: int,
        tokens_after: int,
        since: int,
        leave: Callable[["Tail"], None],
    ):
        self.watch = watch
        self.seq = after
        self._log = log
        self._token = tokens_after
        self.since = since
        self._leave = leave
        self._queue: deque[Event] = deque()
        self._is_behind = False
        self._has_left = False

    def __enter__(self) -> "Tail":
        return self

    def __exit__(self, *_: Any) -> None:
        self.leave()

    def leave(self) -> None:
        """Takes no more; whoever waits in `take` wakes up. May be called twice, and by any thread."""
        self._has_left = True
        self._leave(self)
        with self.watch.changed:
            self.watch.changed.notify_all()

    def join(self) -> None:
        """Begins to get what is new. What the reader had read before is read from the log again:
        only in this order is no event lost between the two."""
        self.watch.tails.append(self)
        self._is_behind = self.seq < self.watch.seq

    def take(self, seconds: float) -> list[Event]:
        """New events, each once and in order; waits at most `seconds` for the first of them.

        FaultError when the log could not be read for half a minute.
        """
        if self._is_behind:
            self._is_behind = False
            return self._advance(self._read_again())
        with self.watch.changed:
            if not self._queue and not self._has_left:
                self.watch.changed.wait(seconds)
            taken = list(self._queue)
            self._queue.clear()
        if not taken:
            self.watch.require_readable()
        return self._advance(taken)

    def is_idle(self) -> bool:
        """No turn ran when the session was last looked at, and all that it had logged was taken."""
        watch = self.watch
        with watch.changed:
            seen = watch.look > self.since and watch.head.turn is None
            return seen and self.seq >= watch.head.seq and not self._queue

    def add(self, events: Sequence[Event]) -> None:
        """Called by the reader, under the watch's lock."""
        self._queue.extend(events)
        if len(self._queue) > _MOST_QUEUED:
            self._queue.clear()
            self._is_behind = True

    @translated()
    def _read_again(self) -> list[Event]:
        return self._log.tail(self.watch.session_id, self.seq)

    def _advance(self, events: Sequence[Event]) -> list[Event]:
        fresh: list[Event] = []
        for event in events:
            if event.kind is EventKind.TOKEN:
                if event.seq > self._token:
                    self._token = event.seq
                    fresh.append(event)
            elif event.seq > self.seq:
                self.seq = event.seq
                fresh.append(event)
        return fresh


class Watch:
    """A session while somebody watches it: how far it was read, and who gets what is new."""

    def __init__(self, session_id: str, seq: int, token: int):
        self.session_id = session_id
        self.seq = seq
        self.token = token
        self.tails: list[Tail] = []
        self.head = SessionHead()
        self.look = 0
        self.rests_until = 0.0
        self._tokens_at, self._tokens_pause = 0.0, _TEXT_SECONDS
        self.changed = threading.Condition()
        self._failing_since: float | None = None
        self._error: OpsError | None = None

    def publish(self, events: Sequence[Event], head: SessionHead, look: int) -> None:
        for event in events:
            if event.kind is EventKind.TOKEN:
                self.token = max(self.token, event.seq)
            else:
                self.seq = max(self.seq, event.seq)
        if events:
            self._tokens_at, self._tokens_pause = 0.0, _TEXT_SECONDS
        with self.changed:
            ended = self.head.turn is not None and head.turn is None
            first = self.look == 0
            self.head, self.look = head, look
            self._failing_since = self._error = None
            for tail in list(self.tails) if events else ():
                tail.add(events)
            if events or ended or first:
                self.changed.notify_all()

    def wants_tokens(self, head: SessionHead) -> bool:
        """While a turn runs, and once more when it has ended."""
        now, is_new = time.monotonic(), head.seq > self.seq
        if not (head.turn or self.head.turn):
            return False
        if head.turn and not is_new and now < self._tokens_at:
            return False
        self._tokens_pause = min(self._tokens_pause * _SLOWER, _SLOWEST_TEXT_SECONDS)
        self._tokens_at = now + self._tokens_pause
        return True

    def fail(self, error: OpsError) -> None:
        now = time.monotonic()
        self.rests_until = now + _REST_SECONDS
        with self.changed:
            self._error = error
            self._failing_since = self._failing_since or now

    def require_readable(self) -> None:
        """The error once it has lasted; whoever waits need not know of a short one."""
        since, error = self._failing_since, self._error
        if since and error and time.monotonic() - since > _GIVE_UP_SECONDS:
            raise error
