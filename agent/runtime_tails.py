"""The logs that clients watch: one reader for all of them, its events handed to every stream of a session."""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

from agent.runtime_watches import Tail, Watch
from mlops.aws.clients import Aws, as_ours, translated
from mlops.aws.events import EventLog
from mlops.aws.heads import SessionHead, read_heads
from mlops.errors import Alternative, FaultError
from mlops.events import Event

MOST_STREAMS = 200
_READERS = 8
# While a turn runs in a watched session, and while none does.
_LOOK_SECONDS, _IDLE_SECONDS = 0.1, 0.25

_LOG = logging.getLogger(__name__)


class Tails:
    """However many sessions are watched, a look is one request per hundred of them, and one or two
    queries for each that has news or runs a turn."""

    def __init__(self, aws: Aws, clock: Callable[[], datetime]):
        self._aws = aws
        self._log = EventLog(aws, clock)
        self._watches: dict[str, Watch] = {}
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

    def open(self, session_id: str, after: int, tokens_after: int) -> Tail:
        """FaultError when too many streams are open. Close what you opened."""
        with self._lock:
            self.require_room()
            watch = self._watches.get(session_id)
            if watch is None:
                watch = self._watches[session_id] = Watch(session_id, after, tokens_after)
            tail = Tail(watch, self._log, after, tokens_after, self._looks, self._leave)
            tail.join()
            self._start()
        self._wake.set()
        return tail

    def look_again(self, tail: Tail) -> None:
        """A turn was started: what was seen before says nothing of it."""
        with self._lock:
            tail.since = self._looks
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

    def _leave(self, tail: Tail) -> None:
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
                now, watches = time.monotonic(), list(self._watches.values())
                self._look(readers, [watch for watch in watches if watch.rests_until <= now])
                runs = any(watch.head.turn for watch in watches)
                self._wake.wait(_LOOK_SECONDS if runs else _IDLE_SECONDS)

    def _look(self, readers: ThreadPoolExecutor, watches: Sequence[Watch]) -> None:
        if not watches:
            return
        with self._lock:
            self._looks += 1
            look = self._looks
        try:
            with translated():
                heads = read_heads(self._aws, [watch.session_id for watch in watches])
        except Exception as error:
            # Also what nobody foresaw: the one reader must not end and leave every stream waiting.
            _LOG.exception("the logs could not be read")
            for watch in watches:
                watch.fail(as_ours(error))
            return
        list(readers.map(lambda watch: self._read(watch, heads, look), watches))

    def _read(self, watch: Watch, heads: dict[str, SessionHead], look: int) -> None:
        """What cannot be read of one session holds up no other."""
        head = heads.get(watch.session_id, SessionHead())
        fresh: list[Event] = []
        try:
            with translated():
                if head.seq > watch.seq:
                    fresh += self._log.tail(watch.session_id, watch.seq)
                if watch.wants_tokens(head):
                    fresh += self._log.tail_tokens(watch.session_id, watch.token)
        except Exception as error:
            _LOG.exception("the log of %s could not be read", watch.session_id)
            watch.fail(as_ours(error))
            return
        watch.publish(sorted(fresh, key=lambda event: event.at), head, look)


_LATER = Alternative(kind="wait", message="Close one, or try again later")
