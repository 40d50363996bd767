"""A JSON-RPC method for an MCP server in, its result out, over streamable HTTP: sync, and shared by threads.

Follows no redirects, begins a lost session anew, and repeats only what is safe to repeat.
"""

import itertools
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import urllib3
from botocore.httpsession import get_cert_path
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError, TimeoutError
from urllib3.response import BaseHTTPResponse

from agent.mcp_replies import MAX_BYTES, read_reply
from mlops.aws.faults import scrubbed
from mlops.aws.gateway import VERSIONS
from mlops.errors import Alternative, FaultError, OpsError, RefusedError, RequestError

_CONNECT_SECONDS = 5.0
_ANSWER_SECONDS = 120.0
_ATTEMPTS = 3
_PAUSE_SECONDS = 0.3
_CONNECTIONS = 32
# To a client, an older server differs in nothing that is used here.
_SPOKEN = (*VERSIONS, "2025-03-26")

Authorize = Callable[[str, bytes, dict[str, str]], dict[str, str]]
"""URL, body and headers of a request in; the headers with proof of who sends it out."""


class TransportError(FaultError):
    """The server could not be asked, or did not answer; `untouched`: it surely did nothing."""

    def __init__(self, code: str, message: str, untouched: bool = False):
        super().__init__(code, message, (Alternative(kind="retry", message="Try again"),))
        self.untouched = untouched


class RpcError(FaultError):
    """The server's own error; `rpc_code` is JSON-RPC's number."""

    def __init__(self, rpc_code: int, message: str):
        super().__init__("gateway_error", f"The tool server answered: {scrubbed(message)}")
        self.rpc_code = rpc_code


class _SessionLostError(Exception):
    """The server does not know the session any more."""


@dataclass(frozen=True)
class _Session:
    """`id` is None where the server keeps no sessions."""

    id: str | None
    version: str


class McpClient:
    """The session is opened with the first request."""

    def __init__(
        self,
        url: str,
        authorize: Authorize,
        answer_seconds: float = _ANSWER_SECONDS,
        pause: Callable[[float], None] = time.sleep,
        max_bytes: int = MAX_BYTES,
    ):
        self._url = url
        self._authorize = authorize
        self._answer_seconds = answer_seconds
        self._pause = pause
        self._max_bytes = max_bytes
        self._http = urllib3.PoolManager(maxsize=_CONNECTIONS, ca_certs=_authorities(url))
        self._ids = itertools.count(1)
        self._lock = threading.Lock()
        self._session: _Session | None = None

    def request(self, method: str, parameters: dict[str, Any], safe: bool) -> dict[str, Any]:
        """The result. What is not `safe` is repeated only when it surely was not carried out.

        Raises RpcError for the server's own errors, OpsError for all others.
        """
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                return self._in_session(method, parameters)
            except TransportError as error:
                if attempt == _ATTEMPTS or not (safe or error.untouched):
                    raise
                self._pause(_PAUSE_SECONDS * 2**attempt)
        raise AssertionError("unreachable")

    def close(self) -> None:
        self._http.clear()

    def _in_session(self, method: str, parameters: dict[str, Any]) -> dict[str, Any]:
        session = self._opened()
        try:
            return self._call(method, parameters, session)[0]
        except _SessionLostError:
            session = self._opened(lost=session)
        try:
            return self._call(method, parameters, session)[0]
        except _SessionLostError as error:
            raise TransportError(
                "gateway_failed", "The tool server loses its sessions."
            ) from error

    def _opened(self, lost: _Session | None = None) -> _Session:
        with self._lock:
            if self._session is None or self._session is lost:
                self._session = self._open()
            return self._session

    def _open(self) -> _Session:
        hello = {
            "protocolVersion": VERSIONS[0],
            "capabilities": {},
            "clientInfo": {"name": "agenticaiops", "version": "1"},
        }
        result, session_id = self._call("initialize", hello, None)
        version = result.get("protocolVersion")
        if version not in _SPOKEN:
            raise RequestError(
                "gateway_version",
                f"The tool server speaks MCP {str(version)[:40]}; we speak {', '.join(_SPOKEN)}.",
            )
        session = _Session(session_id, str(version))
        self._notify("notifications/initialized", session)
        return session

    def _call(
        self, method: str, parameters: dict[str, Any], session: _Session | None
    ) -> tuple[dict[str, Any], str | None]:
        """The result, and the session that the server opened with it."""
        id = next(self._ids)
        message = {"jsonrpc": "2.0", "id": id, "method": method, "params": parameters}
        check_time = _deadline(self._answer_seconds)
        with self._posted(message, session) as response:
            reply = read_reply(response, id, check_time, self._max_bytes)
        if not isinstance(reply.get("result"), dict):
            raise _rpc_error(reply)
        return reply["result"], response.headers.get("mcp-session-id")

    def _notify(self, method: str, session: _Session) -> None:
        with self._posted({"jsonrpc": "2.0", "method": method}, session):
            return

    @contextmanager
    def _posted(
        self, message: dict[str, Any], session: _Session | None
    ) -> Iterator[BaseHTTPResponse]:
        """The answer to read; whatever urllib3 raises until it is read comes out as an OpsError."""
        body = json.dumps(message).encode()
        headers = self._authorize(self._url, body, _headers(session))
        response: BaseHTTPResponse | None = None
        try:
            response = self._http.request(
                "POST",
                self._url,
                body=body,
                headers=headers,
                timeout=urllib3.Timeout(connect=_CONNECT_SECONDS, read=self._answer_seconds),
                retries=False,
                redirect=False,
                preload_content=False,
            )
            _check_status(response, self._url, session)
            yield response
        except HTTPError as error:
            raise _unanswered(error) from error
        finally:
            if response is not None:
                _release(response)


def _headers(session: _Session | None) -> dict[str, str]:
    headers = {
        "Content-Type": "application/json",
        "Accept": "application/json, text/event-stream",
    }
    if session is None:
        return headers
    headers["MCP-Protocol-Version"] = session.version
    return headers | ({"Mcp-Session-Id": session.id} if session.id else {})


def _authorities(url: str) -> str | None:
    """The certificates that botocore trusts; none needed on this machine."""
    found = get_cert_path(True) if url.startswith("https:") else None
    return found if isinstance(found, str) else None


def _deadline(seconds: float) -> Callable[[], None]:
    end = time.monotonic() + seconds

    def check() -> None:
        if time.monotonic() > end:
            raise TransportError("gateway_timeout", f"The tool server took over {seconds:g} s.")

    return check


def _unanswered(error: HTTPError) -> TransportError:
    """Without a connection nothing happened; after one, who knows."""
    if isinstance(error, NewConnectionError | ConnectTimeoutError):
        return TransportError("gateway_unreachable", "The tool server cannot be reached.", True)
    if isinstance(error, TimeoutError):
        return TransportError("gateway_timeout", "The tool server did not answer in time.")
    why = type(error).__name__
    return TransportError(
        "gateway_unreachable", f"The connection to the tool server broke: {why}."
    )


def _check_status(response: BaseHTTPResponse, url: str, session: _Session | None) -> None:
    status = response.status
    if status < 300:
        return
    if status == 404 and session is not None and session.id is not None:
        raise _SessionLostError
    raise _refusal(status, url, _said(response))


def _refusal(status: int, url: str, said: str) -> OpsError:
    if status < 400:
        return FaultError(
            "gateway_redirect", f"{_place(url)} redirects, which is not followed. Correct the URL."
        )
    if status in (401, 403):
        return RefusedError(
            "access_denied", f"The tool server refused the call ({status}): {said}"
        )
    if status == 404:
        return RequestError("unknown_gateway", f"There are no tools at this URL of {_place(url)}.")
    if status == 429:
        return TransportError("throttled", "The tool server is asked too often.", untouched=True)
    if status >= 500:
        return TransportError("gateway_failed", f"The tool server failed ({status}): {said}")
    return FaultError("gateway_error", f"The tool server refused the request ({status}): {said}")


def _place(url: str) -> str:
    """Without the path, which may be secret."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _said(response: BaseHTTPResponse) -> str:
    """What an error's body says, in one short line: a Gateway's names accounts and roles."""
    body = response.read(amt=4096).decode(errors="replace")
    try:
        body = str(json.loads(body)["error"]["message"])
    except (ValueError, KeyError, TypeError):
        pass
    return scrubbed(body)


def _rpc_error(reply: dict[str, Any]) -> RpcError:
    error = reply.get("error")
    if not isinstance(error, dict):
        return RpcError(0, "neither a result nor an error")
    code = error.get("code")
    return RpcError(code if isinstance(code, int) else 0, str(error.get("message")))


def _release(response: BaseHTTPResponse) -> None:
    """Back into the pool when it was read to its end; what is left of it would confuse the next."""
    if not response.closed:
        response.close()
    response.release_conn()
