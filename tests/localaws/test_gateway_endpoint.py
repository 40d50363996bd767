"""The Gateway's data plane over raw HTTP: handshake, sessions, listing, search, calls, refusals."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from localaws.errors import AwsError
from localaws.gateway import Gateways
from localaws.gateway_endpoint import gateway_route
from localaws.server import Server
from localaws.store import Store
from localaws.wire import create_app
from tests.localaws.mcp import GATEWAY, JWT, Raw, no_s3, target


class World:
    """Gateways in a server, a Lambda service that echoes, and a clock that can be moved."""

    def __init__(self, home: Path):
        self.store = Store(home)
        self.gateways = Gateways(self.store, lambda: self.server.endpoint)
        self.invoked: list[dict[str, Any]] = []
        self.seconds = 0.0
        app = create_app([self.gateways], no_s3)
        app.routes.insert(0, gateway_route(self.gateways, self.invoke, lambda: self.seconds))
        self.server = Server(app)
        self.server.start()
        self._made = 0

    def invoke(self, request: dict[str, Any]) -> dict[str, Any]:
        self.invoked.append(request)
        function = request["FunctionName"].rpartition(":")[2]
        if function == "absent":
            raise AwsError("ResourceNotFoundException", "Function not found: absent", 404)
        if function == "broken":
            said = {"errorType": "KeyError", "errorMessage": "'secret'"}
            return {"FunctionError": "Unhandled", "Payload": json.dumps(said).encode()}
        if function == "lists":
            return {"Payload": b"[1]"}
        return {"Payload": request["Payload"]}

    def gateway(self, *targets: dict[str, Any], mcp: Any = None, **changes: Any) -> Raw:
        """A new one with these targets."""
        self._made += 1
        request = {**GATEWAY, "name": f"g{self._made}", **changes}
        if mcp is not None:
            request["protocolConfiguration"] = {"mcp": mcp}
        made = self.gateways.create_gateway(request)
        for wanted in targets:
            where = {"gatewayIdentifier": made["gatewayId"]}
            self.gateways.create_gateway_target({**where, **wanted})
        return Raw(made["gatewayUrl"])

    def close(self) -> None:
        self.server.stop()
        self.store.close()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    made = World(tmp_path_factory.mktemp("endpoint"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def raw(world: World) -> Raw:
    made = world.gateway(
        target("costs", "get_costs", "get_budget"),
        target("odd", "broken", function="broken"),
        target("gone", "absent", function="absent"),
        target("rows", "lists", function="lists"),
        target("gpu", "check_instance_quotas", "list_instances"),
    )
    made.hello()
    return made


@pytest.mark.parametrize(
    ("asked", "told"), [("2025-06-18",) * 2, ("2025-11-25",) * 2, ("2031-01-01", "2025-11-25")]
)
def test_the_handshake_agrees_on_a_version(world: World, asked: str, told: str):
    raw = world.gateway()
    result = raw.hello(asked)
    assert result["protocolVersion"] == told
    assert "tools" in result["capabilities"]
    message = {"jsonrpc": "2.0", "method": "notifications/initialized"}
    assert raw.send(message)[0::2] == (202, b"")
    assert raw.rpc("ping")["result"] == {}


def test_a_gateway_may_speak_one_version_only(world: World):
    raw = world.gateway(mcp={"supportedVersions": ["2025-06-18"], "instructions": "Be kind."})
    result = raw.hello("2025-11-25")
    assert (result["protocolVersion"], result["instructions"]) == ("2025-06-18", "Be kind.")


def test_tools_come_in_pages_search_first(raw: Raw):
    first = raw.rpc("tools/list")["result"]
    second = raw.rpc("tools/list", {"cursor": first["nextCursor"]})["result"]
    names = [tool["name"] for tool in first["tools"] + second["tools"]]
    assert names[0] == "x_amz_bedrock_agentcore_search"
    assert names[1:3] == ["costs___get_costs", "costs___get_budget"]
    assert len(names) == 8
    assert "nextCursor" not in second
    assert raw.rpc("tools/list", {"cursor": "?"})["error"]["code"] == -32602


def test_without_paging_and_search(world: World):
    mcp = {"disableMcpListToolsPagination": True}
    raw = world.gateway(*(target(f"t{n}", "tool") for n in range(9)), mcp=mcp)
    raw.hello()
    assert len(raw.rpc("tools/list")["result"]["tools"]) == 9
    search = {"name": "x_amz_bedrock_agentcore_search", "arguments": {"query": "tool"}}
    assert raw.rpc("tools/call", search)["error"]["code"] == -32602


@pytest.mark.parametrize(
    ("query", "first"),
    [("which GPU instances have quota?", "gpu___check_instance_quotas"), ("zzz", None)],
)
def test_search_is_lexical(raw: Raw, query: str, first: str | None):
    asked = {"name": "x_amz_bedrock_agentcore_search", "arguments": {"query": query}}
    result = raw.rpc("tools/call", asked)["result"]
    names = [tool["name"] for tool in result["structuredContent"]["tools"]]
    assert names[:1] == ([first] if first else [])
    assert json.loads(result["content"][0]["text"]) == result["structuredContent"]


def test_a_call_is_the_functions_with_names_in_the_context(world: World, raw: Raw):
    result = raw.rpc("tools/call", {"name": "costs___get_costs", "arguments": {"what": "ü"}})
    assert result["result"]["structuredContent"] == {"what": "ü"}
    assert json.loads(result["result"]["content"][0]["text"]) == {"what": "ü"}
    sent = world.invoked[-1]
    assert json.loads(sent["Payload"]) == {"what": "ü"}
    custom = json.loads(base64.b64decode(sent["ClientContext"]))["custom"]
    assert custom["bedrockAgentCoreToolName"] == "costs___get_costs"
    assert custom["bedrockAgentCoreMcpMessageId"] == "7"
    assert set(custom) == {
        f"bedrockAgentCore{name}"
        for name in (
            "ToolName",
            "MessageVersion",
            "AwsRequestId",
            "McpMessageId",
            "GatewayId",
            "TargetId",
        )
    }


def test_what_is_no_object_is_text_alone(raw: Raw):
    result = raw.rpc("tools/call", {"name": "rows___lists"})["result"]
    assert result["content"] == [{"type": "text", "text": "[1]"}]
    assert "structuredContent" not in result


def test_bad_arguments_and_failures_are_results(world: World, raw: Raw):
    before = len(world.invoked)
    bad = raw.rpc("tools/call", {"name": "costs___get_costs", "arguments": {"what": 7}})
    assert bad["result"]["isError"] is True
    assert bad["result"]["content"][0]["text"].startswith("Input validation error: what")
    assert len(world.invoked) == before
    for name in ("odd___broken", "gone___absent"):
        failed = raw.rpc("tools/call", {"name": name})["result"]
        assert failed["isError"] is True
        assert "secret" not in json.dumps(failed)


def test_failures_are_explained_where_that_was_asked_for(world: World):
    raw = world.gateway(target("odd", "broken", function="broken"), exceptionLevel="DEBUG")
    raw.hello()
    failed = raw.rpc("tools/call", {"name": "odd___broken"})["result"]
    assert failed["content"][0]["text"] == "KeyError: 'secret'"


@pytest.mark.parametrize(
    ("method", "parameters", "code"),
    [
        ("tools/call", {"name": "nope___x"}, -32602),
        ("tools/call", {"name": "get_costs"}, -32602),
        ("tools/call", {"name": ["costs___get_costs"]}, -32602),
        ("tools/call", {"name": "costs___get_costs", "arguments": [1]}, -32602),
        ("tools/call", [1], -32602),
        ("resources/list", {}, -32601),
        ("initialize", {}, -32602),
    ],
)
def test_protocol_errors(raw: Raw, method: str, parameters: Any, code: int):
    assert raw.rpc(method, parameters)["error"]["code"] == code


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Authorization": None}, 401),
        ({"Authorization": "Bearer abc"}, 401),
        ({"Authorization": "AWS4-HMAC-SHA256 Credential=k/1/us-east-1/s3/aws4_request"}, 401),
        ({"Mcp-Session-Id": "unknown"}, 404),
        ({"Mcp-Session-Id": None}, 400),
        ({"MCP-Protocol-Version": "1999-01-01"}, 400),
        ({"Accept": "application/json"}, 406),
        ({"Content-Type": "text/plain"}, 415),
        ({"Host": "evil.example.com"}, 403),
        ({"Origin": "https://evil.example.com"}, 403),
    ],
)
def test_requests_that_are_refused(raw: Raw, headers: dict[str, str | None], status: int):
    answered, _, body = raw.send(raw.message("ping"), headers)
    assert answered == status
    assert json.loads(body)["error"]["message"]


@pytest.mark.parametrize(
    "body", [b"{", b"[]", b'{"id": 1}', b'{"jsonrpc": "2.0", "id": null, "method": "ping"}']
)
def test_what_is_no_request_is_refused(raw: Raw, body: bytes):
    assert raw.send(body)[0] == 400


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH"])
def test_other_methods_are_not_allowed(raw: Raw, method: str):
    status, headers, _ = raw.send(b"", method=method)
    assert (status, headers["allow"]) == (405, "POST, DELETE")


def test_a_token_is_wanted_where_the_gateway_says_so(world: World):
    raw = world.gateway(**JWT)
    for wrong in ("Bearer ", "Basic abc"):
        assert raw.send(raw.message("ping"), {"Authorization": wrong})[0] == 401
    hello = raw.message("initialize", {"protocolVersion": "2025-06-18"})
    assert raw.send(hello, {"Authorization": "Bearer abc"})[0] == 200


def test_an_unknown_gateway_is_not_found(world: World):
    raw = Raw(f"{world.server.endpoint}/gateways/none-0123456789/mcp")
    assert raw.send(raw.message("initialize"))[0] == 404


def test_sessions_end_when_closed_or_unused_and_belong_to_one_gateway(world: World):
    seconds = {"sessionConfiguration": {"sessionTimeoutInSeconds": 900}}
    raw, other = world.gateway(mcp=seconds), world.gateway(mcp=seconds)
    raw.hello()
    other.session = raw.session
    assert other.send(other.message("ping"))[0] == 404
    world.seconds += 899
    raw.rpc("ping")
    world.seconds += 901
    assert raw.send(raw.message("ping"))[0] == 404
    raw.hello()
    assert raw.send(b"", method="DELETE")[0] == 204
    assert raw.send(raw.message("ping"))[0] == 404


def test_streaming_gateways_answer_calls_as_events(world: World):
    mcp = {"streamingConfiguration": {"enableResponseStreaming": True}}
    raw = world.gateway(target("t", "tool"), mcp=mcp)
    raw.hello()
    _, headers, body = raw.send(raw.message("tools/call", {"name": "t___tool"}))
    assert headers["content-type"].startswith("text/event-stream")
    event, data, *_ = body.decode().split("\n")
    assert event == "event: message"
    assert json.loads(data.removeprefix("data: "))["result"]["structuredContent"] == {}
