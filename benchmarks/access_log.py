"""The embedded AWS with an access log: `python -m benchmarks.access_log --home DIR`.

The same server and the same code; each call adds one line to `calls.log` in the data directory,
with its caller ("client", or "function" for what Lambda functions and jobs of the server call)
and, for DynamoDB, the table.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal
from unittest.mock import patch

import orjson
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from localaws import composition, wire
from localaws.__main__ import main as serve
from localaws.errors import AwsError
from localaws.home import INTERNAL_APP_ID
from localaws.protocols import WireRequest
from localaws.router import Router, credential_scope
from localaws.s3_request import operation, read_request

Caller = Literal["client", "function"]
Calls = Counter[tuple[Caller, str]]
"""How often each caller made each call."""
_INTERNAL = f"app/{INTERNAL_APP_ID}"


class AccessLog:
    """ASGI middleware that writes "caller service.Operation [table]" before it hands a call on."""

    def __init__(self, app: ASGIApp, services: Sequence[Any], log: Path):
        self._app = app
        self._router = Router(services)
        self._log = log
        log.touch()

    @property
    def routes(self) -> Any:
        """Of the application inside: the embedded AWS adds its own in front."""
        return getattr(self._app, "routes", [])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith("/_local/"):
            return await self._app(scope, receive, send)
        request = Request(scope, receive)
        internal = _INTERNAL in request.headers.get("user-agent", "")
        caller: Caller = "function" if internal else "client"
        name = self._name(request)
        if name.startswith("dynamodb."):
            body = await request.body()
            receive = _again(body, receive)
            name = f"{name} {orjson.loads(body).get('TableName', '')}".rstrip()
        with self._log.open("a") as log:
            log.write(f"{caller} {name}\n")
        await self._app(scope, receive, send)

    def _name(self, request: Request) -> str:
        """service.Operation; the target header says it without a look-up."""
        signed = credential_scope(request.headers, request.url.query)
        service = signed.service if signed else "unsigned"
        target = request.headers.get("x-amz-target")
        if target is not None:
            return f"{service}.{target.rpartition('.')[2]}"
        if service == "s3":
            return f"s3.{operation(read_request(request))}"
        try:
            return f"{service}.{self._router.find(_wire(request), signed).operation.name}"
        except AwsError:
            return f"{service}.{request.method} {request.url.path}"


def read_calls(home: Path, after: int = 0) -> Calls:
    """Since the log had `after` lines."""
    lines = _log(home).read_text().splitlines()[after:]
    return Counter(_read(line) for line in lines)


def mark(home: Path) -> int:
    """How long the log is now, for `read_calls`."""
    return len(_log(home).read_text().splitlines())


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.access_log", description=__doc__)
    parser.add_argument("--home", type=Path, required=True)
    home: Path = parser.parse_args().home

    def create_app(services: Sequence[Any], s3: wire.S3Handler) -> Any:
        return AccessLog(wire.create_app(services, s3), services, _log(home))

    with patch.object(composition, "create_app", create_app):
        return serve(["--home", str(home)])


def _log(home: Path) -> Path:
    return home / "calls.log"


def _read(line: str) -> tuple[Caller, str]:
    caller, _, name = line.partition(" ")
    return ("function" if caller == "function" else "client"), name


def _again(body: bytes, receive: Receive) -> Receive:
    """Hands out a body that was read already, then whatever follows it."""
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return messages.pop() if messages else await receive()

    return replay


def _wire(request: Request) -> WireRequest:
    path, headers = request.scope["raw_path"].decode("ascii"), Headers(scope=request.scope)
    return WireRequest(request.method, path, request.url.query, headers, b"")


if __name__ == "__main__":
    sys.exit(main())
