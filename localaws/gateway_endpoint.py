"""MCP's streamable HTTP at /gateways/{id}/mcp: one request or notification in, JSON (or SSE) out.

An exact route, because a redirect would break the signature. Signatures are checked for presence
and scope, tokens for presence.
"""

import logging
import time
from collections.abc import Callable, Mapping
from typing import Any

import orjson
from anyio.to_thread import run_sync
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from localaws.errors import AwsError
from localaws.gateway import VERSIONS, Gateway, Gateways
from localaws.gateway_protocol import INTERNAL, INVALID_REQUEST, Invoke, Protocol, RpcError
from localaws.gateway_sessions import Sessions
from localaws.intake import is_local, read_body
from localaws.router import credential_scope

PATH = "/gateways/{gateway_id}/mcp"

_LOG = logging.getLogger(__name__)
_SESSION = "mcp-session-id"
_PARSE_ERROR = -32700
_REFUSED = -32001
_JSON = "application/json"
_SSE = "text/event-stream"
_MAX_BYTES = 6 * 1024 * 1024
_SESSION_SECONDS = 3600


def gateway_route(
    gateways: Gateways, invoke: Invoke, clock: Callable[[], float] = time.monotonic
) -> Route:
    return Route(PATH, McpEndpoint(gateways, invoke, clock))


class McpEndpoint:
    """An ASGI application; the work is done in threads, since tools block."""

    def __init__(self, gateways: Gateways, invoke: Invoke, clock: Callable[[], float]):
        self._gateways = gateways
        self._protocol = Protocol(gateways, invoke)
        self._sessions = Sessions(clock)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        try:
            body = await read_body(request, _MAX_BYTES)
            response = await run_sync(self._answer, request, body)
        except ClientDisconnect:
            return
        except AwsError as error:
            response = _error(error.status, _REFUSED, error.message)
        await response(scope, receive, send)

    def _answer(self, request: Request, body: bytes) -> Response:
        gateway = self._gateways.find(request.path_params["gateway_id"])
        if not is_local(request):
            return _error(403, _REFUSED, "Unknown host or origin")
        if gateway is None:
            return _error(404, _REFUSED, "Gateway not found")
        if not _is_authorized(gateway, request):
            return _error(401, _REFUSED, _WANTED[gateway.authorizer])
        if request.method == "DELETE":
            known = self._sessions.close(gateway.id, request.headers.get(_SESSION, ""))
            return Response(status_code=204 if known else 404)
        return _unfit(request) or self._take(gateway, request, body)

    def _take(self, gateway: Gateway, request: Request, body: bytes) -> Response:
        try:
            message = orjson.loads(body)
        except orjson.JSONDecodeError:
            return _error(400, _PARSE_ERROR, "Parse error")
        if not isinstance(message, dict) or message.get("jsonrpc") != "2.0":
            return _error(400, INVALID_REQUEST, "One JSON-RPC 2.0 message is expected")
        if message.get("method") != "initialize":
            refused = self._check_session(gateway, request)
            if refused is not None:
                return refused
        if "id" not in message or "method" not in message:  # a notification, or a response
            return Response(status_code=202)
        if not _is_request(message):
            return _error(400, INVALID_REQUEST, "Invalid request")
        return self._reply(gateway, message)

    def _check_session(self, gateway: Gateway, request: Request) -> Response | None:
        version = request.headers.get("mcp-protocol-version")
        if version is not None and version not in VERSIONS:
            return _error(400, _REFUSED, f"Unsupported protocol version: {version[:40]}")
        session = request.headers.get(_SESSION)
        if session is None:
            return _error(400, _REFUSED, "Mcp-Session-Id is required")
        settings = gateway.mcp.get("sessionConfiguration", {})
        seconds = settings.get("sessionTimeoutInSeconds", _SESSION_SECONDS)
        if not self._sessions.use(gateway.id, session, seconds):
            return _error(404, _REFUSED, "Session not found")
        return None

    def _reply(self, gateway: Gateway, message: Mapping[str, Any]) -> Response:
        about = {"jsonrpc": "2.0", "id": message["id"]}
        try:
            result = self._result(gateway, message)
        except RpcError as error:
            return _json({**about, "error": {"code": error.code, "message": error.message}})
        if message["method"] == "initialize":
            return _json({**about, "result": result}, {_SESSION: self._sessions.open(gateway.id)})
        if message["method"] == "tools/call" and gateway.streams:
            data = b"event: message\ndata: " + orjson.dumps({**about, "result": result})
            return Response(data + b"\n\n", media_type=_SSE)
        return _json({**about, "result": result})

    def _result(self, gateway: Gateway, message: Mapping[str, Any]) -> dict[str, Any]:
        try:
            return self._protocol.answer(gateway, message)
        except RpcError:
            raise
        except Exception as error:
            _LOG.exception("%s of gateway %s failed", message["method"], gateway.id)
            raise RpcError(INTERNAL, f"Internal error: {type(error).__name__}") from error


_WANTED = {
    "AWS_IAM": "A signature (SigV4) for the service bedrock-agentcore is required",
    "CUSTOM_JWT": "Missing Bearer token",
}


def _is_authorized(gateway: Gateway, request: Request) -> bool:
    authorization = request.headers.get("authorization", "")
    if gateway.authorizer == "CUSTOM_JWT":
        return authorization.startswith("Bearer ") and authorization != "Bearer "
    if gateway.authorizer == "NONE":
        return True
    scope = credential_scope(request.headers, "")
    signed = authorization.startswith("AWS4-HMAC-SHA256 ")
    return signed and scope is not None and scope.service == "bedrock-agentcore"


def _unfit(request: Request) -> Response | None:
    if request.method != "POST":
        refused = _error(405, _REFUSED, "Method not allowed")
        refused.headers["allow"] = "POST, DELETE"
        return refused
    accept = request.headers.get("accept", "")
    if not (_JSON in accept and _SSE in accept):
        return _error(406, _REFUSED, f"Accept must name {_JSON} and {_SSE}")
    if request.headers.get("content-type", "").partition(";")[0].strip() != _JSON:
        return _error(415, _REFUSED, f"Content-Type must be {_JSON}")
    return None


def _is_request(message: Mapping[str, Any]) -> bool:
    known_id = isinstance(message["id"], str | int) and not isinstance(message["id"], bool)
    return known_id and isinstance(message["method"], str)


def _error(status: int, code: int, message: str) -> Response:
    error = {"jsonrpc": "2.0", "id": None, "error": {"code": code, "message": message}}
    return _json(error, status=status)


def _json(
    content: Mapping[str, Any], headers: dict[str, str] | None = None, status: int = 200
) -> Response:
    return Response(orjson.dumps(content), status, headers, media_type=_JSON)
