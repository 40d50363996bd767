"""The Gateway's results as the agent gets them; the wire itself is in test_mcp_client.py."""

import json
from typing import Any

import pytest

from agent.mcp_client import RpcError
from agent.mcp_gateway import SEARCH_TOOL, McpGateway, bearer, sigv4
from mlops.aws.clients import Aws
from mlops.errors import (
    Alternative,
    FaultError,
    OpsError,
    RefusedError,
    RequestError,
    to_wire,
)
from mlops.settings import Settings
from tests.agent.world import credentials

COSTS = "get-costs___get_costs"
STRANGER = "hr___holidays"
SCHEMA = {"type": "object", "properties": {"day": {"type": "string"}}, "required": ["day"]}
DENIED = (
    "User: arn:aws:sts::123456789012:assumed-role/ada is not authorized to perform:"
    " lambda:InvokeFunction"
)
REFUSAL = RefusedError("over", "No.", (Alternative(kind="wait", message="Wait"),))


class Client:
    """Answers by method; listings of two tools a page."""

    def __init__(self, answer: Any = None, tools: tuple[str, ...] = (COSTS, STRANGER)):
        self.answer = answer if answer is not None else {"structuredContent": {}}
        self.tools = list(tools)
        self.asked: list[tuple[str, Any, bool]] = []

    def request(self, method: str, parameters: dict[str, Any], safe: bool) -> dict[str, Any]:
        self.asked.append((method, parameters, safe))
        if method == "tools/list":
            start = int(parameters.get("cursor", 0))
            page = [{"name": n, "inputSchema": SCHEMA} for n in self.tools[start : start + 2]]
            more = {"nextCursor": str(start + 2)} if start + 2 < len(self.tools) else {}
            return {"tools": page, **more}
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def lists(self) -> int:
        return [method for method, _, _ in self.asked].count("tools/list")


def opened(answer: Any = None, **more: Any) -> tuple[McpGateway, Client]:
    client: Any = Client(answer, **more)
    return McpGateway(client, lambda: 0.0), client


def text(said: str, **more: Any) -> dict[str, Any]:
    return {"content": [{"type": "text", "text": said}, {"type": "image"}], **more}


def test_lists_all_pages_once():
    gateway, client = opened(tools=("c___c", "a___a", COSTS, "b___b", STRANGER))
    names = [spec.name for spec in gateway.list_tools()]
    assert names == ["a___a", "b___b", "c___c", "get_costs", STRANGER]
    gateway.list_tools()
    assert client.lists() == 3


def test_the_listing_is_refreshed_after_a_while():
    now = [0.0]
    client: Any = Client()
    gateway = McpGateway(client, lambda: now[0])
    gateway.list_tools()
    now[0] = 31
    client.tools.append("new___new")
    assert "new___new" in [spec.name for spec in gateway.list_tools()]


def test_a_listing_without_end_is_given_up():
    gateway, client = opened(tools=tuple(f"t___{n}" for n in range(500)))
    with pytest.raises(FaultError, match="pages"):
        gateway.list_tools()
    assert client.lists() == 200


def test_a_new_tool_is_found_by_search_and_used():
    found = {"structuredContent": {"tools": [{"name": "new___new"}, {"name": COSTS}, {}]}}
    gateway, client = opened(found)
    gateway.list_tools()
    client.tools.append("new___new")
    assert [spec.name for spec in gateway.search_tools("new")] == ["new___new", "get_costs"]
    assert [spec.name for spec in gateway.search_tools("new", 1)] == ["new___new"]
    client.answer = text("done")
    assert gateway.invoke_tool("new___new", {"day": "1"}) == {"result": "done\n[image]"}


def test_search_results_may_be_text():
    gateway, client = opened(text(json.dumps({"tools": [{"name": COSTS}]})))
    assert [spec.name for spec in gateway.search_tools("costs")] == ["get_costs"]
    name, parameters, safe = client.asked[0]
    assert (name, parameters["name"], safe) == ("tools/call", SEARCH_TOOL, True)


def test_without_search_words_are_compared():
    gateway, _ = opened(RpcError(-32602, "Unknown tool"))
    assert [spec.name for spec in gateway.search_tools("holiday")] == [STRANGER]


def test_calls_are_never_safe_and_nulls_are_not_sent_to_our_tools():
    gateway, client = opened(tools=("plan-training___plan_training",))
    arguments = {"dataset": "x", "instance_type": None, "constraints": {"spot": None, "target": 1}}
    gateway.invoke_tool("plan_training", arguments)
    _, parameters, safe = client.asked[-1]
    assert parameters["arguments"] == {"dataset": "x", "constraints": {"target": 1}}
    assert safe is False


def test_bad_arguments_are_not_sent():
    gateway, client = opened()
    for name in ("get_costs", STRANGER):
        with pytest.raises(RequestError) as caught:
            gateway.invoke_tool(name, {"person": 7})
        assert caught.value.code == "bad_arguments"
    assert client.lists() == len(client.asked)


def test_an_unknown_tool_is_looked_for_anew():
    gateway, client = opened()
    gateway.list_tools()
    with pytest.raises(RequestError) as caught:
        gateway.invoke_tool("rm_rf", {})
    assert caught.value.code == "unknown_tool"
    assert client.lists() == len(client.asked) == 2


def test_a_tool_that_the_gateway_dropped_is_unknown():
    gateway, client = opened(RpcError(-32602, "Unknown tool"))
    gateway.list_tools()
    client.tools.remove(COSTS)
    with pytest.raises(RequestError) as caught:
        gateway.invoke_tool("get_costs", {})
    assert caught.value.code == "unknown_tool"


@pytest.mark.parametrize(
    ("answer", "value"),
    [
        ({"structuredContent": {"a": 1}, "content": []}, {"a": 1}),
        (text('{"a": 1}'), {"a": 1}),
        (text("[1]"), {"result": [1]}),
        (text("plain words"), {"result": "plain words\n[image]"}),
        ({"content": []}, {"result": ""}),
        (text('{"error": "theirs"}'), {"error": "theirs"}),
        (text('{"a": 1}', structuredContent=None), {"a": 1}),
        (text("[" * 5_000), {"result": "[" * 5_000 + "\n[image]"}),
        (text('{"a": NaN}'), {"result": '{"a": NaN}\n[image]'}),
    ],
)
def test_what_a_stranger_answers(answer: Any, value: Any):
    assert opened(answer)[0].invoke_tool(STRANGER, {"day": "1"}) == value


@pytest.mark.parametrize(
    ("answer", "kind", "code"),
    [
        ({"structuredContent": to_wire(REFUSAL)}, RefusedError, "over"),
        (text(json.dumps(to_wire(REFUSAL))), RefusedError, "over"),
        (text("plain words"), FaultError, "tool_failed"),
        (text("[1]"), FaultError, "tool_failed"),
        (text("KeyError: 'x'", isError=True), FaultError, "tool_failed"),
        (text("Input validation error: x", isError=True), RequestError, "bad_arguments"),
        ({"isError": True}, FaultError, "tool_failed"),
        (RpcError(-32602, "person: not a string"), RequestError, "bad_arguments"),
        (RpcError(-32603, "Internal"), FaultError, "gateway_error"),
    ],
)
def test_how_a_tool_of_ours_fails(answer: Any, kind: type[OpsError], code: str):
    with pytest.raises(kind) as caught:
        opened(answer)[0].invoke_tool("get_costs", {})
    assert caught.value.code == code


@pytest.mark.parametrize(
    "answer", [text(DENIED, isError=True), RpcError(-32603, DENIED)], ids=["tool", "protocol"]
)
def test_a_failure_names_no_account_and_no_person(answer: Any):
    with pytest.raises(FaultError) as caught:
        opened(answer)[0].invoke_tool("get_costs", {})
    assert "lambda:InvokeFunction" in caught.value.message
    assert "123456789012" not in caught.value.message and "ada" not in caught.value.message


def test_alternatives_come_through():
    with pytest.raises(RefusedError) as caught:
        opened({"structuredContent": to_wire(REFUSAL)})[0].invoke_tool("get_costs", {})
    assert caught.value.alternatives == REFUSAL.alternatives


def test_alternatives_that_cannot_be_read_are_a_fault():
    wire = to_wire(REFUSAL)
    wire["error"]["alternatives"] = [{"kind": "bribe"}]
    with pytest.raises(FaultError, match="cannot read"):
        opened({"structuredContent": wire})[0].invoke_tool("get_costs", {})


@pytest.mark.parametrize(
    ("url", "region"),
    [
        (
            "https://a-0123456789.gateway.bedrock-agentcore.eu-west-1.amazonaws.com/mcp",
            "eu-west-1",
        ),
        ("https://mcp.example.com/mcp", "us-east-1"),
    ],
)
def test_signs_for_the_gateways_region(url: str, region: str):
    aws = Aws(Settings.from_env({}), credentials())
    headers = sigv4(aws, url)(url, b"{}", {"Content-Type": "application/json"})
    assert f"/{region}/bedrock-agentcore/aws4_request" in headers["Authorization"]
    assert "content-type;host;x-amz-date" in headers["Authorization"]
    assert headers["Content-Type"] == "application/json"


def test_without_credentials_nothing_is_sent():
    class NoSession:
        def get_credentials(self) -> None:
            return None

    with pytest.raises(RefusedError, match="credentials"):
        sigv4(Aws(Settings.from_env({}), NoSession()), "https://x/mcp")("https://x/mcp", b"", {})


def test_a_token_takes_the_place_of_a_signature():
    token = Settings.from_env({"LLMOPS_GATEWAY_TOKEN": "abc"}).gateway_token
    assert token is not None
    assert bearer(token)("https://x", b"", {"A": "b"}) == {
        "A": "b",
        "Authorization": "Bearer abc",
    }
