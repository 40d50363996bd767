"""The gateway client: what goes over the wire, and how failures come back."""

import base64
import io
import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from agent import gateway as gateways
from agent.gateway import LambdaGateway, open_gateway
from mlops.errors import FaultError, RefusedError, RequestError, to_wire
from mlops.settings import Settings

HIDDEN = "hidden-a1b2c3d4e5"


class FakeLambda:
    def __init__(self, answer: Any, failed: bool = False):
        self.answer = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.failed = failed
        self.request: dict[str, Any] = {}

    def invoke(self, **request: Any) -> dict[str, Any]:
        self.request = request
        failed = {"FunctionError": "Unhandled"} if self.failed else {}
        return {"StatusCode": 200, "Payload": io.BytesIO(self.answer), **failed}


class FakeAws:
    def __init__(self, answer: Any = None, failed: bool = False, **settings: Any):
        self.settings = Settings.from_env({}, **settings)
        self.fake = FakeLambda(answer, failed)

    def client(self, service: str) -> Any:
        return self.fake if service == "lambda" else FakeControl()


class FakeControl:
    """Tells of one gateway, and hides another."""

    def get_gateway(self, gatewayIdentifier: str) -> dict[str, str]:
        if gatewayIdentifier == HIDDEN:
            answer: Any = {"Error": {"Code": "AccessDeniedException", "Message": "no"}}
            raise ClientError(answer, "GetGateway")
        return {"gatewayUrl": "https://told.example.com/mcp"}


def gateway(answer: Any, failed: bool = False) -> tuple[LambdaGateway, FakeLambda]:
    aws: Any = FakeAws(answer, failed)
    return LambdaGateway(aws), aws.fake


def test_sends_bare_arguments_and_the_tool_name_in_the_client_context():
    tools, wire = gateway({"month": "2026-11"})
    assert tools.invoke_tool("get_costs", {"person": "ada"}) == {"month": "2026-11"}
    assert wire.request["FunctionName"] == "llmops-tool-get-costs"
    assert json.loads(wire.request["Payload"]) == {"person": "ada"}
    context = json.loads(base64.b64decode(wire.request["ClientContext"]))
    assert context["custom"]["bedrockAgentCoreToolName"].split("___", 1)[1] == "get_costs"


def test_a_refusal_of_the_tool_is_raised_as_it_was():
    tools, _ = gateway(to_wire(RefusedError("over_budget", "Too dear.")))
    with pytest.raises(RefusedError, match=r"Too dear\.") as caught:
        tools.invoke_tool("get_costs", {})
    assert caught.value.code == "over_budget"


@pytest.mark.parametrize(
    ("answer", "failed"),
    [({"errorMessage": "boom", "errorType": "KeyError"}, True), (b"<html>", False), ([1], False)],
)
def test_a_crashed_function_is_a_fault(answer: Any, failed: bool):
    tools, _ = gateway(answer, failed)
    with pytest.raises(FaultError) as caught:
        tools.invoke_tool("get_costs", {})
    assert caught.value.code == "tool_failed"


def test_what_a_crashed_function_says_is_shown_without_secrets():
    said = "no role arn:aws:iam::123456789012:role/x for acct123456789012, X-Amz-Signature=abcdef"
    tools, _ = gateway({"errorMessage": said, "errorType": "KeyError"}, True)
    with pytest.raises(FaultError) as caught:
        tools.invoke_tool("get_costs", {})
    assert caught.value.message == "get_costs failed: no role role/x for acct…, X-Amz-Signature=…"


def test_an_unknown_tool_never_reaches_the_wire():
    tools, wire = gateway({})
    with pytest.raises(RequestError, match="no tool"):
        tools.invoke_tool("rm_rf", {})
    assert wire.request == {}


def test_lists_in_stable_order_and_searches_by_words():
    tools, _ = gateway({})
    names = [spec.name for spec in tools.list_tools()]
    assert names == sorted(names)
    found = [spec.name for spec in tools.search_tools("which instance types have quota", 1)]
    assert found == ["check_sagemaker_quotas"]
    assert tools.search_tools("zzz") == []


@pytest.mark.parametrize("settings", [{}, {"use_gateway": False, "gateway_id": "any thing"}])
def test_the_local_name_or_no_gateway_means_lambda(settings: dict[str, Any]):
    aws: Any = FakeAws(**settings)
    assert isinstance(open_gateway(aws), LambdaGateway)


@pytest.mark.parametrize(
    ("gateway_id", "code"),
    [
        ("gtw-xyz123", "bad_setting"),
        ("my gateway", "bad_setting"),
        ("http://example.com/mcp", "bad_setting"),
        ("http://127.0.0.1.example.com:80/mcp", "bad_setting"),
        ("https://user:secret@example.com/mcp", "bad_setting"),
        ("https://example.com/mcp?x=1", "bad_setting"),
    ],
)
def test_what_is_no_gateway_fails_at_start_up_and_says_what_to_set(gateway_id: str, code: str):
    aws: Any = FakeAws(gateway_id=gateway_id)
    with pytest.raises(RequestError, match="USE_AGENTCORE_GATEWAY=false") as caught:
        open_gateway(aws)
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("gateway_id", "url"),
    [
        ("aiops-a1b2c3d4e5", "https://told.example.com/mcp"),
        (HIDDEN, f"https://{HIDDEN}.gateway.bedrock-agentcore.us-east-1.amazonaws.com/mcp"),
        ("https://aiops-a1b2c3d4e5.gateway.example.com/mcp",) * 2,
        ("http://127.0.0.1:8123/gateways/x-0123456789/mcp",) * 2,
    ],
)
def test_ids_and_urls_lead_to_the_gateway(
    monkeypatch: pytest.MonkeyPatch, gateway_id: str, url: str
):
    monkeypatch.setattr(gateways, "open_mcp_gateway", lambda aws, url: url)
    aws: Any = FakeAws(gateway_id=gateway_id)
    assert open_gateway(aws) == url


def test_the_embedded_aws_never_leads_to_the_real_one():
    aws: Any = FakeAws(gateway_id=HIDDEN, endpoint_url="http://127.0.0.1:9")
    with pytest.raises(RefusedError):
        open_gateway(aws)
