"""The headless API behind a real port, and a client that reads its streams frame by frame."""

import json
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import urllib3

from agent.gateway import ToolGateway
from agent.runtime import create_app
from agent.runtime_server import RuntimeServer, bind, server_of
from agent.turns import Turns
from mlops.aws.clients import Aws
from mlops.settings import Settings
from tests.agent.world import World
from tests.patience import PATIENCE_SECONDS

SESSION_HEADER = "X-Amzn-Bedrock-AgentCore-Runtime-Session-Id"

Frame = dict[str, Any]


@dataclass(frozen=True)
class Parts:
    """Services as the composition root would give them."""

    settings: Settings
    aws: Aws
    gateway: ToolGateway
    turns: Turns


class Api:
    """One server; every call is a connection of its own."""

    def __init__(self, port: int, server: RuntimeServer | None = None):
        self.url = f"http://127.0.0.1:{port}"
        self.server = server
        self.pool = urllib3.PoolManager(retries=False, timeout=PATIENCE_SECONDS)

    def get(self, path: str, **headers: str) -> urllib3.BaseHTTPResponse:
        return self.pool.request("GET", self.url + path, headers=headers)

    def post(self, body: Any, headers: dict[str, str] | None = None) -> urllib3.BaseHTTPResponse:
        """The answer whole; `body` may be bytes."""
        sent = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.pool.request("POST", f"{self.url}/invocations", body=sent, headers=headers)

    @contextmanager
    def stream(self, body: Any) -> Iterator[Iterator[Frame]]:
        """Frames as they come; leaving the block cuts the connection."""
        answer = self.pool.request(
            "POST", f"{self.url}/invocations", body=json.dumps(body), preload_content=False
        )
        assert answer.status == 200, answer.data
        try:
            yield _frames(answer)
        finally:
            answer.close()

    def frames(self, body: Any) -> list[Frame]:
        """To the end; the last one is checked to be it."""
        with self.stream(body) as frames:
            found = list(frames)
        assert [f["type"] for f in found].index("end") == len(found) - 1
        return found

    def stop(self) -> None:
        """As SIGTERM does it; a second one would wait for nothing."""
        if self.server is not None and not self.server.should_exit:
            self.server.handle_exit(signal.SIGTERM, None)


@contextmanager
def serving(
    world: World, *script: Any, turns: Turns | None = None, **settings: Any
) -> Iterator[Api]:
    """A server whose model answers from a script; settings are those of the headless API."""
    aws = Aws(world.aws.settings.model_copy(update=settings), world.aws.session)
    parts = Parts(aws.settings, aws, world.gateway, turns or world.turns(*script))
    listening, ready = bind("127.0.0.1", 0), threading.Event()
    server = server_of(create_app(parts, clock=lambda: world.now()), ready.set)
    thread = threading.Thread(target=lambda: server.run(sockets=[listening]))
    thread.start()
    api = Api(listening.getsockname()[1], server)
    try:
        assert ready.wait(PATIENCE_SECONDS)
        yield api
    finally:
        api.pool.clear()
        api.stop()
        thread.join(PATIENCE_SECONDS)
        listening.close()
    assert not thread.is_alive()


def logged(frames: list[Frame]) -> list[Frame]:
    """Those that are events of the log."""
    return [f for f in frames if f["type"] not in ("start", "token", "heartbeat", "end")]


def types(frames: list[Frame]) -> list[str]:
    return [f["type"] for f in logged(frames) if f["type"] != "step"]


def _frames(answer: urllib3.BaseHTTPResponse) -> Iterator[Frame]:
    text = b""
    for chunk in answer.stream(1024):
        text += chunk
        *whole, text = text.split(b"\n\n")
        yield from (json.loads(frame.removeprefix(b"data: ")) for frame in whole)
