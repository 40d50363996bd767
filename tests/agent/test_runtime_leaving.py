"""Clients that leave without a word, and come back: nothing of them stays, whatever the garbage collector does."""

import gc
import json
import socket
import threading
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.agent.fakes import PLAN, TRAIN
from tests.agent.runtime_client import Api, serving
from tests.agent.world import World
from tests.patience import PATIENCE_SECONDS, eventually

CLIENTS, WAVES = 20, 4


@pytest.fixture(autouse=True)
def no_collection() -> Iterator[None]:
    gc.disable()
    yield
    gc.enable()


@pytest.fixture
def busy(world: World) -> Iterator[threading.Event]:
    """The tools wait until this is set: the turn goes on, and its streams are silent."""
    over = threading.Event()
    invoke = world.gateway.invoke_tool

    def slow(name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        assert over.wait(PATIENCE_SECONDS)
        return invoke(name, arguments)

    world.gateway.invoke_tool = slow  # type: ignore[method-assign]
    yield over
    over.set()


def test_streams_of_clients_that_left_are_closed(world: World, busy: threading.Event):
    with serving(world, PLAN) as api:
        left = [_connected(api, {"prompt": TRAIN, "session": world.session})]
        resume = {"resume": {"after_seq": 0}, "session": world.session}
        left += [_connected(api, resume) for _ in range(CLIENTS)]
        _await_streams(api, len(left))
        _leave(left)
        _await_streams(api, 0)
        busy.set()


def test_whoever_comes_back_finds_room(
    world: World, busy: threading.Event, monkeypatch: pytest.MonkeyPatch
):
    """No heartbeat comes that could show that somebody has gone."""
    monkeypatch.setattr("agent.runtime_streams.HEARTBEAT_SECONDS", 600.0)
    monkeypatch.setattr("agent.runtime_tails.MOST_STREAMS", CLIENTS + 1)
    with serving(world, PLAN) as api:
        with api.stream({"prompt": TRAIN, "session": world.session}) as frames:
            assert next(frames)["type"] == "start"
            resume = {"resume": {"after_seq": 0}, "session": world.session}
            for _ in range(WAVES):
                _leave([_connected(api, resume) for _ in range(CLIENTS)])
                _await_streams(api, 1)
            busy.set()
            assert [frame["type"] for frame in frames][-1] == "end"


def _connected(api: Api, body: dict[str, Any]) -> socket.socket:
    """A client that has read the beginning of its stream."""
    sent = json.dumps(body).encode()
    client = socket.create_connection(("127.0.0.1", urlsplit(api.url).port or 0), PATIENCE_SECONDS)
    head = f"POST /invocations HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(sent)}\r\n\r\n"
    client.sendall(head.encode() + sent)
    answer = b""
    while b"data: " not in answer:
        more = client.recv(4096)
        assert more, answer
        answer += more
    assert b" 200 " in answer.split(b"\r\n")[0]
    return client


def _leave(clients: list[socket.socket]) -> None:
    for client in clients:
        client.close()


def _open_streams(api: Api) -> int:
    return int(api.get("/health").json()["open_streams"])


def _await_streams(api: Api, count: int) -> None:
    eventually(lambda: _open_streams(api) == count)
