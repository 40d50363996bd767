"""Work that is done again and again while the server runs, in a thread of its own."""

import logging
import threading
from collections.abc import Callable

_BEAT_SECONDS = 1.0
_CLOSE_SECONDS = 10.0
_LOG = logging.getLogger(__name__)


class Beat:
    """Calls `work` at once, then every second; what fails is logged and tried again."""

    def __init__(self, name: str, work: Callable[[], None]):
        self._work = work
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """Waits for the present call to end."""
        self._closed.set()
        if self._thread.is_alive():
            self._thread.join(_CLOSE_SECONDS)

    def _run(self) -> None:
        while not self._closed.is_set():
            try:
                self._work()
            except Exception:  # the thread's edge: one failure must not end all that is to come
                _LOG.exception("%s", self._thread.name)
            self._closed.wait(_BEAT_SECONDS)
