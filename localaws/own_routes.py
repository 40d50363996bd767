"""What the server tells of itself beyond AWS: GET /_local/state, for holders of the token only.

The token lies in endpoint.json, which only the owner of the data directory can read.
"""

import hmac
from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

STATE_PATH = "/_local/state"


class OwnRoutes:
    """ASGI middleware; `is_busy` says whether ending the server now would hinder somebody."""

    def __init__(self, app: ASGIApp, token: str, is_busy: Callable[[], bool]):
        self._app = app
        self._expected = f"Bearer {token}"
        self._is_busy = is_busy

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != STATE_PATH:
            return await self._app(scope, receive, send)
        await self._answer(Request(scope))(scope, receive, send)

    def _answer(self, request: Request) -> Response:
        sent = request.headers.get("authorization", "")
        if not hmac.compare_digest(sent.encode(), self._expected.encode()):
            return JSONResponse({"message": "The token is missing or wrong."}, 403)
        if request.method != "GET":
            return JSONResponse({"message": "Only GET."}, 405)
        return JSONResponse({"busy": self._is_busy()})
