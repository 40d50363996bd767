"""A Converse endpoint over real HTTP whose answers a test scripts; it refuses what current models refuse.

`serve(script)` gives `.url` and `.requests`; `connect(aws, url)` makes `aws` ask there.
"""

import json
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

import boto3
from botocore.config import Config

from mlops.aws.clients import Aws
from tests.agent.converse_rules import Invalid, Sent, check
from tests.agent.converse_wire import (
    Answer,
    event_headers,
    events,
    exception_headers,
    frame,
)
from tests.patience import PATIENCE_SECONDS

Script = Callable[[dict[str, Any]], Answer]


class Fault(Exception):
    """What goes wrong with one answer; a script returns or raises it.

    `status` (400 and above): no stream but this HTTP error. Otherwise the stream of `answer` breaks
    after so many `events`: with the exception `code`, or with the connection when there is none.
    `wait`: nothing is sent until it is set (or the server stops).
    """

    def __init__(
        self,
        code: str = "",
        status: int = 0,
        events: int = 2,
        answer: Answer | None = None,
        wait: threading.Event | None = None,
    ):
        super().__init__(code)
        self.code, self.status, self.events, self.wait = code, status, events, wait
        self.answer = answer or says("half of an answer")


def throttled() -> Fault:
    return Fault("ThrottlingException", 429)


def broken() -> Fault:
    return Fault("InternalServerException", 500)


def in_stream(code: str = "throttlingException", events: int = 2) -> Fault:
    return Fault(code, events=events)


def cut(events: int = 2) -> Fault:
    return Fault(events=events)


def says(text: str | bytes, stop: str = "end_turn") -> Answer:
    return {"content": [{"text": text}], "stopReason": stop}


def uses(*calls: tuple[str, Any], text: str = "", id: str = "", thought: str = "") -> Answer:
    """Tool calls; `input` may be raw text. `thought` becomes a signed reasoning block."""
    id = id or f"t{uuid.uuid4().hex[:8]}"
    content: list[dict[str, Any]] = []
    if thought:
        signed = {"text": thought, "signature": f"signed-{id}"}
        content.append({"reasoningContent": {"reasoningText": signed}})
    if text:
        content.append({"text": text})
    for number, (name, arguments) in enumerate(calls):
        use = {"toolUseId": f"{id}-{number}", "name": name, "input": arguments}
        content.append({"toolUse": use})
    return {"content": content, "stopReason": "tool_use"}


def in_order(*answers: Any) -> Script:
    """One entry per request: an answer, a Fault, or a function of the body; then "Done."."""
    left: list[Any] = list(answers)
    lock = threading.Lock()

    def script(body: dict[str, Any]) -> Answer:
        with lock:
            step = left.pop(0) if left else says("Done.")
        made: Any = step(body) if callable(step) else step
        return made

    return script


def results(body: dict[str, Any]) -> list[dict[str, Any]]:
    """What the tools answered in the last message: [{"status", "json"}]."""
    blocks = (b["toolResult"] for b in body["messages"][-1]["content"] if "toolResult" in b)
    return [{"status": b.get("status"), "json": b["content"][0].get("json")} for b in blocks]


@dataclass
class ConverseServer:
    """`requests` are the bodies in order, `modelId` among them; `refused` what was wrong with some."""

    script: Script
    url: str = ""
    requests: list[dict[str, Any]] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    stopping: threading.Event = field(default_factory=threading.Event)
    sent: Sent = field(default_factory=Sent)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, body: dict[str, Any]) -> Answer | Fault:
        """The script's answer; Invalid when a real model would not take the request."""
        with self._lock:
            self.requests.append(body)
            try:
                check(body, self.sent)
            except Invalid as error:
                self.refused.append(str(error))
                raise
        try:
            return self.script(body)
        except Fault as fault:
            return fault

    def remember(self, answer: Answer) -> None:
        with self._lock:
            self.sent.add(answer["content"])


@contextmanager
def serve(script: Script) -> Iterator[ConverseServer]:
    converse = ConverseServer(script)
    handler = type("Handler", (_Handler,), {"converse": converse})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    converse.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield converse
    finally:
        converse.stopping.set()
        server.shutdown()
        server.server_close()
        thread.join()


def connect(aws: Aws, url: str, retries: int = 0, read_timeout: float = PATIENCE_SECONDS) -> Aws:
    """The same account with its model at `url`; botocore itself repeats nothing unless told to."""
    connected = Aws(aws.settings, aws.session)
    retrying: Any = {"total_max_attempts": retries + 1, "mode": "standard"}
    connected._clients["bedrock-runtime"] = boto3.Session("test", "test").client(
        "bedrock-runtime",
        endpoint_url=url,
        region_name="us-east-1",
        config=Config(retries=retrying, read_timeout=read_timeout),
    )
    return connected


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    converse: ConverseServer

    def log_message(self, format: str, *args: Any) -> None:
        """Says nothing."""

    def do_POST(self) -> None:
        text = self.rfile.read(int(self.headers["Content-Length"]))
        parts = unquote(self.path).split("/")
        body = {**json.loads(text), "modelId": "/".join(parts[2:-1])}
        try:
            answer = self.converse.answer(body)
        except Invalid as error:
            self._error(400, "ValidationException", str(error))
            return
        if isinstance(answer, Fault) and answer.wait is not None:
            self._hold(answer.wait)
        if isinstance(answer, Fault) and answer.status:
            self._error(answer.status, answer.code, "as the script says")
            return
        self._stream(answer)

    def _hold(self, event: threading.Event) -> None:
        while not event.wait(0.02) and not self.converse.stopping.is_set():
            pass

    def _error(self, status: int, code: str, message: str) -> None:
        body = json.dumps({"message": message}).encode()
        self.send_response(status)
        self.send_header("x-amzn-ErrorType", code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _stream(self, given: Answer | Fault) -> None:
        self.close_connection = True
        self.send_response(200)
        self.send_header("Content-Type", "application/vnd.amazon.eventstream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        try:
            self._send_events(given)
        except OSError:
            return  # Whoever asked went away.

    def _send_events(self, given: Answer | Fault) -> None:
        answer = given.answer if isinstance(given, Fault) else given
        limit = given.events if isinstance(given, Fault) else None
        for number, (kind, payload) in enumerate(events(answer)):
            if number == limit:
                break
            self._chunk(frame(event_headers(kind), payload))
        if isinstance(given, Fault):
            if not given.code:
                return  # Without the last chunk: the connection breaks.
            message = json.dumps({"message": "as the script says"}).encode()
            self._chunk(frame(exception_headers(given.code), message))
        else:
            self.converse.remember(answer)
        self.wfile.write(b"0\r\n\r\n")

    def _chunk(self, data: bytes) -> None:
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
