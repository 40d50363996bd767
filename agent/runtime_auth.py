"""Who may call the headless API: address, Host, Origin, bearer token and body size, before anything else."""

import hmac
import json
import re
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel, ConfigDict, SecretStr
from starlette.datastructures import Headers
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mlops.errors import Alternative, OpsError, RefusedError, RequestError
from mlops.settings import Settings, is_loopback

SESSION_HEADER = "X-Amzn-Bedrock-AgentCore-Runtime-Session-Id"
MAX_BODY_BYTES = 256 * 1024
# Whoever watches the process asks for this without a token; it says nothing but busy or not.
_OPEN_PATHS = ("/ping",)
_ORIGIN = re.compile(r"https?://[a-z0-9.-]+(:\d{1,5})?")
_PREFLIGHT_SECONDS = 600

Problem = tuple[HTTPStatus, OpsError]


class Access(BaseModel):
    """The rules of one server; without a token, `loopback` says that only this machine may call."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    token: SecretStr | None
    origins: tuple[str, ...]
    loopback: bool

    def refuse(self, path: str, headers: Headers) -> Problem | None:
        """None when the call may go on."""
        host = headers.get("host", "")
        if self.loopback and not is_loopback(_without_port(host)):
            return _problem(HTTPStatus.MISDIRECTED_REQUEST, "bad_host", "This host is unknown.")
        origin = headers.get("origin")
        if origin is not None and not self._knows(origin, host):
            return _problem(HTTPStatus.FORBIDDEN, "bad_origin", "This origin may not call.")
        if self.token is None or path in _OPEN_PATHS:
            return None
        if has_token(headers, self.token.get_secret_value()):
            return None
        return _problem(HTTPStatus.UNAUTHORIZED, "unauthorized", "Send the bearer token.")

    def _knows(self, origin: str, host: str) -> bool:
        return origin in self.origins or origin in (f"http://{host}", f"https://{host}")


def access_of(settings: Settings, host: str) -> Access:
    """RefusedError when others could call and nothing would ask who they are."""
    token = settings.serve_token
    local = is_loopback(host)
    if token is None and not local and not settings.serve_platform_auth:
        raise RefusedError(
            "unprotected",
            f"Anybody who reaches {host} could spend your budget, so a token is needed.",
            (
                Alternative(kind="retry", message="Set LLMOPS_SERVE_TOKEN to a long random text"),
                Alternative(kind="retry", message="Leave --host out: only this machine may call"),
                Alternative(
                    kind="retry",
                    message="On AgentCore Runtime, which checks callers itself, set "
                    "LLMOPS_SERVE_PLATFORM_AUTH=true",
                ),
            ),
        )
    origins = tuple(o.strip() for o in settings.serve_origins.split(",") if o.strip())
    wrong = [origin for origin in origins if not _ORIGIN.fullmatch(origin)]
    if wrong:
        said = f"LLMOPS_SERVE_ORIGINS: {wrong[0][:80]!r} is no origin such as https://example.com"
        raise RequestError("bad_setting", said)
    return Access(token=token, origins=origins, loopback=local)


def has_token(headers: Headers, token: str) -> bool:
    """As a bearer token."""
    scheme, _, said = headers.get("authorization", "").partition(" ")
    same = hmac.compare_digest(said.strip().encode("utf-8", "replace"), token.encode())
    return same and scheme.lower() == "bearer"


def guards(access: Access) -> list[Middleware]:
    """CORS is outermost: a preflight has no token, and a refusal must be readable as well."""
    cors = Middleware(
        CORSMiddleware,
        allow_origins=access.origins,
        allow_methods=["GET", "POST"],
        allow_headers=["Authorization", "Content-Type", SESSION_HEADER],
        max_age=_PREFLIGHT_SECONDS,
    )
    return [*([cors] if access.origins else []), Middleware(Door, access=access)]


class Door:
    """ASGI middleware: lets in what `Access` allows, with a body of bounded size that is JSON."""

    def __init__(self, app: ASGIApp, access: Access):
        self._app = app
        self._access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return await self._app(scope, receive, send)
        if scope["type"] != "http":
            return await send({"type": "websocket.close", "code": 1008})
        problem = self._access.refuse(scope["path"], Headers(scope=scope))
        if problem is None and scope["method"] == "POST":
            body = await _read_body(receive)
            problem = _unreadable(body)
            receive = _again(body or b"", receive)
        if problem is not None:
            return await problem_response(*problem)(scope, receive, send)
        await self._app(scope, receive, send)


def problem_response(status: HTTPStatus, error: OpsError) -> JSONResponse:
    headers = {"WWW-Authenticate": "Bearer"} if status == HTTPStatus.UNAUTHORIZED else {}
    return JSONResponse({"error": error.as_data()}, status, headers)


async def _read_body(receive: Receive) -> bytes | None:
    """None when it is too long, or the client left."""
    body = b""
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        body += message.get("body", b"")
        if len(body) > MAX_BODY_BYTES:
            return None
        if not message.get("more_body"):
            return body


def _unreadable(body: bytes | None) -> Problem | None:
    if body is None:
        said = f"At most {MAX_BODY_BYTES // 1024} KiB are taken."
        return _problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "body_too_large", said)
    try:
        json.loads(body)
    except (ValueError, RecursionError):
        return _problem(HTTPStatus.BAD_REQUEST, "bad_json", "The body is not valid JSON.")
    return None


def _again(body: bytes, receive: Receive) -> Receive:
    """Hands out a body that was read already, then whatever follows it."""
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return messages.pop() if messages else await receive()

    return replay


def _without_port(host: str) -> str:
    return re.sub(r":\d+$", "", host).lower()


def _problem(status: HTTPStatus, code: str, message: str) -> Problem:
    refused = status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
    cls: Any = RefusedError if refused else RequestError
    return status, cls(code, message)
