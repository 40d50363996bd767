"""Sessions of MCP clients, in memory: a restart forgets them, and clients begin anew after a 404."""

import threading
import uuid
from collections import OrderedDict
from collections.abc import Callable

_MOST = 10_000


class Sessions:
    """The longest unused one gives way when there are too many."""

    def __init__(self, clock: Callable[[], float]):
        self._clock = clock
        self._lock = threading.Lock()
        self._last_used: OrderedDict[tuple[str, str], float] = OrderedDict()

    def open(self, gateway_id: str) -> str:
        session_id = str(uuid.uuid4())
        with self._lock:
            self._last_used[gateway_id, session_id] = self._clock()
            while len(self._last_used) > _MOST:
                self._last_used.popitem(last=False)
        return session_id

    def use(self, gateway_id: str, session_id: str, timeout_seconds: float) -> bool:
        """False for one that is unknown, of another gateway, or was unused for too long."""
        key, now = (gateway_id, session_id), self._clock()
        with self._lock:
            if now - self._last_used.get(key, float("-inf")) > timeout_seconds:
                self._last_used.pop(key, None)
                return False
            self._last_used[key] = now
            self._last_used.move_to_end(key)
            return True

    def close(self, gateway_id: str, session_id: str) -> bool:
        with self._lock:
            return self._last_used.pop((gateway_id, session_id), None) is not None
