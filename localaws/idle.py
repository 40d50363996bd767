"""Tells when nobody outside has called for a while: calls of its own functions and jobs do not count."""

import threading
import time
from collections.abc import Callable

from starlette.types import ASGIApp, Receive, Scope, Send

from localaws.home import INTERNAL_APP_ID

_INTERNAL = f"app/{INTERNAL_APP_ID}".encode()


class OutsideCalls:
    """ASGI middleware; an outside call that is still being answered counts as now."""

    def __init__(self, app: ASGIApp, clock: Callable[[], float] = time.monotonic):
        self._app = app
        self._clock = clock
        self._lock = threading.Lock()
        self._open = 0
        self._last = clock()

    def idle_seconds(self) -> float:
        with self._lock:
            return 0.0 if self._open else self._clock() - self._last

    def open_calls(self) -> int:
        """Outside calls that are being answered now."""
        with self._lock:
            return self._open

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not _is_outside(scope):
            return await self._app(scope, receive, send)
        self._count(1)
        try:
            await self._app(scope, receive, send)
        finally:
            self._count(-1)

    def _count(self, change: int) -> None:
        with self._lock:
            self._open += change
            self._last = self._clock()


def _is_outside(scope: Scope) -> bool:
    if scope["type"] != "http" or scope["path"].startswith("/_local/"):
        return False
    agent = next((value for name, value in scope["headers"] if name == b"user-agent"), b"")
    return _INTERNAL not in agent
