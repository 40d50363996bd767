"""The logs that clients watch: one reader for all of them, its events handed to every stream of a session."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

from mlops.aws.clients import Aws, translated
from mlops.aws.events import EventLog
from mlops.aws.heads import SessionHead, read_heads
from mlops.errors import Alternative, FaultError, OpsError
from mlops.events import Event, EventKind

MOST_STREAMS = 200
# How often a session is looked at: as long as news comes, and ever slower while none does.
LOOK_SECONDS = 0.1
_SLOWEST_SECONDS = 0.25
_SLOWER = 1.5
# Text streams soon after an event, or after text: a turn that is silent is asked for it less often.
_SLOWEST_TEXT_SECONDS = 1.0
# While nothing is watched, and after a fault.
_REST_SECONDS = 1.0
_READERS = 8
# What a client may be behind before it reads from the log again.
_MOST_QUEUED = 5_000
_GIVE_UP_SECONDS = 30.0

_LOG = logging.getLogger(__name__)


class Tails:
    """However many sessions are watched, a look is one request per hundred of them, and one or two
    queries for each that has news or runs a turn."""

    def __init__(self, aws: Aws, clock: Callable[[], datetime]):
        self._aws = aws
        self._log = EventLog(aws, clock)
        self._watches: dict[str, _Watch] = {}
        self._lock = threading.RLock()
        self._wake = threading.Event()
        self._closed = threading.Event()
        self._looks = 0
        self._thread: threading.Thread | None = None

    @property
    def closed(self) -> bool:
        return self._closed.is_set()

    def streams(self) -> int:
        """How many are open."""
        return sum(len(watch.tails) for watch in list(self._watches.values()))

    def require_room(self) -> None:
        """FaultError when too many streams are open: before a turn is started for one more."""
        if self.streams() >= MOST_STREAMS:
            raise FaultError("too_many_streams", "Too many streams are open.", (_LATER,))

    def open(self, session_id: str, after: int, tokens_after: int) -> "Tail":
        """FaultError when too many streams are open. Close what you opened."""
        with self._lock:
            self.require_room()
            watch = self._watches.get(session_id)
            if watch is None:
                watch = self._watches[session_id] = _Watch(session_id, after, tokens_after)
            watch.next_at, watch.pause = 0.0, LOOK_SECONDS
            tail = Tail(watch, self._log, after, tokens_after, self._looks, self._leave)
            tail.join()
            self._start()
        self._wake.set()
        return tail

    def look_again(self, tail: "Tail") -> None:
        """A turn was started: what was seen before says nothing of it."""
        with self._lock:
            tail.since, tail.watch.next_at = self._looks, 0.0
        self._wake.set()

    def close(self) -> None:
        """Every stream wakes up and sees that it has to end."""
        self._closed.set()
        self._wake.set()
        for watch in list(self._watches.values()):
            with watch.changed:
                watch.changed.notify_all()
        with self._lock:
            thread = self._thread
        if thread is not None:
            thread.join()

    def _leave(self, tail: "Tail") -> None:
        with self._lock:
            watch = tail.watch
            if tail in watch.tails:
                watch.tails.remove(tail)
            if not watch.tails and self._watches.get(watch.session_id) is watch:
                del self._watches[watch.session_id]

    def _start(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="log-tails", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        with ThreadPoolExecutor(_READERS, thread_name_prefix="log-reader") as readers:
            while not self._closed.is_set():
                self._wake.clear()
                self._look(readers, self._due())
                self._wake.wait(self._pause())

    def _due(self) -> list["_Watch"]:
        """With those that are nearly due: one request asks for many."""
        soon = time.monotonic() + LOOK_SECONDS / 2
        return [watch for watch in list(self._watches.values()) if watch.next_at <= soon]

    def _pause(self) -> float:
        """Until the next session is due; a new stream ends it."""
        soonest = min((w.next_at for w in list(self._watches.values())), default=None)
        if soonest is None:
            return _REST_SECONDS
        return min(max(soonest - time.monotonic(), 0.0), _REST_SECONDS)

    def _look(self, readers: ThreadPoolExecutor, watches: Sequence["_Watch"]) -> None:
        if not watches:
            return
        with self._lock:
            self._looks += 1
            look = self._looks
        try:
            with translated():
                heads = read_heads(self._aws, [watch.session_id for watch in watches])
                list(readers.map(lambda watch: self._read(watch, heads, look), watches))
        except OpsError as error:
            _LOG.warning("the logs could not be read: %s", error.message)
            for watch in watches:
                watch.fail(error)

    def _read(self, watch: "_Watch", heads: dict[str, SessionHead], look: int) -> None:
        head = heads.get(watch.session_id, SessionHead())
        fresh: list[Event] = []
        if head.seq > watch.seq:
            fresh += self._log.tail(watch.session_id, watch.seq)
        if watch.wants_tokens(head):
            fresh += self._log.tail_tokens(watch.session_id, watch.token)
        watch.publish(sorted(fresh, key=lambda event: event.at), head, look)


class Tail:
    """One stream's place in a session's log. `seq` is the last event that it has taken."""

    def __init__(
        self,
        watch: "_Watch",
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

    def __enter__(self) -> "Tail":
        return self

    def __exit__(self, *_: Any) -> None:
        self._leave(self)

    def join(self) -> None:
        """First listens, then looks how far the reader was: nothing falls in between."""
        self.watch.tails.append(self)
        self._is_behind = self.seq < self.watch.seq

    def take(self, seconds: float) -> list[Event]:
        """What is new, each once and in order; waits for it as long as told, unless told to look.

        FaultError when the log could not be read for half a minute.
        """
        if self._is_behind:
            self._is_behind = False
            return self._advance(self._read_again())
        with self.watch.changed:
            if not self._queue:
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


class _Watch:
    """A session while somebody watches it: how far it was read, and who gets what is new."""

    def __init__(self, session_id: str, seq: int, token: int):
        self.session_id = session_id
        self.seq = seq
        self.token = token
        self.tails: list[Tail] = []
        self.head = SessionHead()
        self.look = 0
        self.next_at = self.tokens_at = 0.0
        self.pause = self.tokens_pause = LOOK_SECONDS
        self.changed = threading.Condition()
        self._failing_since: float | None = None
        self._error: OpsError | None = None

    def publish(self, events: Sequence[Event], head: SessionHead, look: int) -> None:
        for event in events:
            if event.kind is EventKind.TOKEN:
                self.token = max(self.token, event.seq)
            else:
                self.seq = max(self.seq, event.seq)
        self._schedule(bool(events))
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
        if head.turn and not is_new and now < self.tokens_at:
            return False
        self.tokens_pause = min(self.tokens_pause * _SLOWER, _SLOWEST_TEXT_SECONDS)
        self.tokens_at = now + self.tokens_pause
        return True

    def fail(self, error: OpsError) -> None:
        now = time.monotonic()
        self.next_at = now + _REST_SECONDS
        with self.changed:
            self._error = error
            self._failing_since = self._failing_since or now

    def require_readable(self) -> None:
        """The error once it has lasted; whoever waits need not know of a short one."""
        since, error = self._failing_since, self._error
        if since and error and time.monotonic() - since > _GIVE_UP_SECONDS:
            raise error

    def _schedule(self, news: bool) -> None:
        if news:
            self.pause = self.tokens_pause = LOOK_SECONDS
            self.tokens_at = 0.0
        else:
            self.pause = min(self.pause * _SLOWER, _SLOWEST_SECONDS)
        self.next_at = time.monotonic() + self.pause


_LATER = Alternative(kind="wait", message="Close one, or try again later")
