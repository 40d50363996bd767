"""The MCP client on the wire: handshake, lost sessions, streams, repeats, and what is never done."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from agent.mcp_client import McpClient, RpcError, TransportError
from agent.mcp_replies import events
from mlops.errors import FaultError, OpsError, RefusedError, RequestError
from tests.agent.mcp_server import (
    Answer,
    Handler,
    Server,
    cut,
    error,
    hello,
    raw,
    reply_to,
    result,
    status,
)
from tests.patience import PATIENCE_SECONDS

Connect = Callable[..., tuple[McpClient, Server]]


@pytest.fixture
def connect() -> Iterator[Connect]:
    opened: list[tuple[McpClient, Server]] = []

    def make(
        *script: Answer, seconds: float = PATIENCE_SECONDS, **scripts: Any
    ) -> tuple[McpClient, Server]:
        server = Server(ping=list(script) or [result({})], **scripts)
        client = McpClient(server.url, _unsigned, seconds, lambda _: None)
        opened.append((client, server))
        return opened[-1]

    yield make
    for client, server in opened:
        client.close()
        server.close()


def _unsigned(url: str, body: bytes, headers: dict[str, str]) -> dict[str, str]:
    return {**headers, "Authorization": "Bearer t"}


def test_shakes_hands_once_and_keeps_session_and_version(connect: Connect):
    client, server = connect(result({"n": 1}), result({"n": 2}))
    assert [client.request("ping", {"a": 1}, safe=True)["n"] for _ in range(2)] == [1, 2]
    assert server.methods() == ["initialize", "notifications/initialized", "ping", "ping"]
    assert "Mcp-Session-Id" not in server.headers("initialize")
    sent = server.headers("ping")
    assert (sent["Mcp-Session-Id"], sent["MCP-Protocol-Version"]) == ("s-1", "2025-11-25")
    assert sent["Accept"] == "application/json, text/event-stream"
    assert sent["Authorization"] == "Bearer t"


def test_a_server_without_sessions_or_newest_version_will_do(connect: Connect):
    client, server = connect(initialize=[hello(None, "2025-06-18")])
    assert client.request("ping", {}, safe=True) == {}
    assert "Mcp-Session-Id" not in server.headers("ping")
    assert server.headers("ping")["MCP-Protocol-Version"] == "2025-06-18"


def test_a_version_that_we_do_not_speak_is_said(connect: Connect):
    client, _ = connect(initialize=[hello(version="2026-07-28")])
    with pytest.raises(RequestError, match="2026-07-28"):
        client.request("ping", {}, safe=True)


def test_a_lost_session_is_begun_anew_even_for_unsafe_calls(connect: Connect):
    client, server = connect(status(404), result({}), initialize=[hello("s-1"), hello("s-2")])
    assert client.request("ping", {}, safe=False) == {}
    assert server.headers("ping")["Mcp-Session-Id"] == "s-2"


def test_sessions_that_are_lost_at_once_are_no_endless_loop(connect: Connect):
    client, server = connect(status(404))
    with pytest.raises(TransportError):
        client.request("ping", {}, safe=False)
    assert server.methods().count("initialize") == 2


def test_threads_share_one_session(connect: Connect):
    client, server = connect()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: client.request("ping", {}, safe=True), range(40)))
    assert server.methods().count("initialize") == 1
    assert server.methods().count("ping") == 40


def test_an_answer_may_be_a_stream_with_other_things_in_it(connect: Connect):
    def stream(handler: Handler, message: dict[str, Any]) -> None:
        progress = b'data: {"jsonrpc":"2.0","method":"notifications/progress"}\n\n'
        asks = b'data: {"jsonrpc":"2.0","id":%d,"method":"ping"}\r\n\r\n' % message["id"]
        whole = reply_to(message, {"text": "ü\\n"})
        said = b": hi\nevent: message\nid: 4\ndata: " + whole + b"\n\n"
        handler.chunks(progress, asks, said[:30], said[30:])

    client, _ = connect(stream)
    assert client.request("ping", {}, safe=True) == {"text": "ü\\n"}
    assert client.request("ping", {}, safe=True) == {"text": "ü\\n"}


def test_a_stream_that_stays_open_is_left_after_the_answer(connect: Connect):
    def stream(handler: Handler, message: dict[str, Any]) -> None:
        handler.chunks(b"data: " + reply_to(message, {}) + b"\n\n", end=False)

    client, _ = connect(stream)
    assert client.request("ping", {}, safe=True) == {}


def test_a_stream_without_the_answer_is_a_fault(connect: Connect):
    client, _ = connect(lambda handler, _: handler.chunks(b"data: {}\n\n"))
    with pytest.raises(FaultError, match="without an answer"):
        client.request("ping", {}, safe=False)


@pytest.mark.parametrize(
    ("parts", "found"),
    [
        ([b"data: a\n\ndata:b\n\n"], [b"a", b"b"]),
        ([b"data: a\r\ndata: b\r\n\r\n"], [b"a\nb"]),
        ([b"da", b"ta: a", b"b\n", b"\n"], [b"ab"]),
        ([b": ping\n\nretry: 5\n\n", b"data: unended"], []),
    ],
)
def test_events_of_a_stream(parts: list[bytes], found: list[bytes]):
    assert list(events(iter(parts))) == found


@pytest.mark.parametrize(
    ("answer", "kind", "code"),
    [
        (status(302, Location="http://127.0.0.1:9/"), FaultError, "gateway_redirect"),
        (status(307, Location="http://127.0.0.1:9/"), FaultError, "gateway_redirect"),
        (status(401, b'{"error": {"message": "no token"}}'), RefusedError, "access_denied"),
        (status(403, b"<html>"), RefusedError, "access_denied"),
        (status(413), FaultError, "gateway_error"),
        (raw(b"<html>"), FaultError, "gateway_error"),
        (raw(b"[]"), FaultError, "gateway_error"),
        (raw(b"[" * 100_000), FaultError, "gateway_error"),
        (raw(b'{"id": 999, "result": {}}'), FaultError, "gateway_error"),
        (error(-32602, "Unknown tool"), RpcError, "gateway_error"),
    ],
)
def test_what_is_not_repeated(connect: Connect, answer: Answer, kind: type[OpsError], code: str):
    client, server = connect(answer)
    with pytest.raises(kind) as caught:
        client.request("ping", {}, safe=True)
    assert caught.value.code == code
    assert server.methods().count("ping") == 1


def test_no_gateway_at_the_url_is_said(connect: Connect):
    client, _ = connect(initialize=[status(404)])
    with pytest.raises(RequestError) as caught:
        client.request("ping", {}, safe=True)
    assert caught.value.code == "unknown_gateway"


@pytest.mark.parametrize("fault", [status(500), status(503), cut])
def test_faults_are_repeated_where_that_is_safe(connect: Connect, fault: Answer):
    client, server = connect(fault, fault, result({"n": 1}))
    assert client.request("ping", {}, safe=True) == {"n": 1}
    again, server = connect(fault, result({}))
    with pytest.raises(TransportError) as caught:
        again.request("ping", {}, safe=False)
    assert server.methods().count("ping") == 1
    assert caught.value.alternatives[0].kind == "retry"


def test_throttled_calls_were_not_carried_out(connect: Connect):
    client, _ = connect(status(429), result({"n": 1}))
    assert client.request("ping", {}, safe=False) == {"n": 1}
    client, server = connect(status(429))
    with pytest.raises(TransportError, match="too often"):
        client.request("ping", {}, safe=False)
    assert server.methods().count("ping") == 3


def test_nobody_there_is_said_after_some_tries(connect: Connect):
    client, server = connect()
    server.close()
    with pytest.raises(TransportError, match="cannot be reached") as caught:
        client.request("ping", {}, safe=False)
    assert caught.value.untouched


@pytest.mark.parametrize("drips", [False, True])
def test_an_answer_that_does_not_come_is_given_up(connect: Connect, drips: bool):
    given_up = threading.Event()

    def hang(handler: Handler, _: dict[str, Any]) -> None:
        handler.chunks(end=False)
        while drips and not given_up.wait(0.02):
            handler.wfile.write(b"2\r\n:\n\r\n")
        given_up.wait(PATIENCE_SECONDS)

    client, _ = connect(hang, seconds=0.3)
    with pytest.raises(TransportError) as caught:
        client.request("ping", {}, safe=False)
    given_up.set()
    assert caught.value.code == "gateway_timeout"


def test_an_answer_without_end_is_given_up(connect: Connect):
    _, server = connect(raw(b" " * 200_000))
    client = McpClient(server.url, _unsigned, max_bytes=100_000)
    with pytest.raises(FaultError) as caught:
        client.request("ping", {}, safe=True)
    assert caught.value.code == "too_large"
