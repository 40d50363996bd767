"""One contract for both ways to the tools, direct Lambda and Gateway, over a real embedded AWS."""

import io
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import boto3
import pytest

from agent.gateway import LambdaGateway, ToolGateway, open_gateway
from agent.mcp_gateway import McpGateway, open_mcp_gateway
from localaws import stack
from mlops.aws.clients import Aws
from mlops.aws.gateway import Registration, register
from mlops.errors import FaultError, RequestError
from mlops.settings import Settings
from mlops.tool_spec import RemoteTool
from mlops.tools import TOOLS

ROOT = Path(__file__).resolve().parents[2]
ROLE = "arn:aws:iam::000000000000:role/llmops-gateway"
BIG = 400_000
"""Of two characters that JSON writes with up to eight bytes; a function answers 6 MB at most."""

# Takes the place of a tool's own code: what it is asked to do is its argument.
SCRIPTED = """
import os, time

def lambda_handler(event, context):
    wish = event["job_name"]
    if wish == "crash":
        raise KeyError("out of order")
    if wish == "exit":
        os._exit(3)
    if wish == "hang":
        time.sleep(30)
    if wish == "list":
        return [1, 2]
    if wish == "context":
        return context.client_context.custom
    return {"wish": wish, "filler": "\\u00fc\\"" * int(event["job_name"])}
"""
HOLIDAYS = """
def lambda_handler(event, context):
    return {"country": event["country"], "days": [1, 2]}
"""


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aws]:
    home = tmp_path_factory.mktemp("contract") / "home"
    endpoint = stack.ensure(home)
    session = boto3.Session(
        aws_access_key_id="local", aws_secret_access_key="local", region_name="us-east-1"
    )
    made = Aws(Settings.from_env(endpoint.environ), session)
    code = {"FunctionName": TOOLS["stop_training_job"].function_name}
    made.client("lambda").update_function_code(
        **code, ZipFile=packed("stop_training_job", SCRIPTED)
    )
    yield made
    stack.stop(home)


@pytest.fixture(scope="module")
def registration(aws: Aws) -> Registration:
    return register(aws, "contract", ROLE, pause=lambda _: None)


@pytest.fixture(scope="module", params=["lambda", "gateway"])
def tools(request: pytest.FixtureRequest, aws: Aws, registration: Registration) -> ToolGateway:
    if request.param == "lambda":
        return LambdaGateway(aws)
    return open_mcp_gateway(aws, registration.gateway_url)


def packed(module: str, source: str) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr(f"{module}.py", source)
    return content.getvalue()


def scripted(tools: ToolGateway, wish: str) -> dict[str, Any]:
    return tools.invoke_tool("stop_training_job", {"job_name": wish})


def test_lists_the_tools_as_we_know_them(tools: ToolGateway):
    assert tools.list_tools() == sorted(TOOLS.values(), key=lambda spec: spec.name)


@pytest.mark.parametrize(
    ("query", "first"),
    [
        ("which instance types and prices are there", "check_sagemaker_quotas"),
        ("list the datasets", "list_s3_datasets"),
        ("start an approved plan", "launch_sagemaker_training"),
    ],
)
def test_finds_tools_by_words(tools: ToolGateway, query: str, first: str):
    found = tools.search_tools(query, 2)
    assert found[0] is TOOLS[first]
    assert len(found) <= 2
    assert tools.search_tools("zzz") == []


def test_runs_a_tool(tools: ToolGateway):
    month = tools.invoke_tool("get_costs", {"person": "ada"})
    assert (month["spent_usd"], month["sandbox"]) == ("0.00", True)
    offers = tools.invoke_tool("check_sagemaker_quotas", {"instance_type": None})["offers"]
    assert len(offers) > 5


def test_nested_arguments_and_nulls_arrive(tools: ToolGateway):
    tools.invoke_tool("prepare_dataset", {"dataset": "cier-small"})
    nothing_said = TOOLS["plan_training"].read({"dataset": "cier-small"}).constraints
    constraints = nothing_said.model_dump(mode="json") | {"budget_usd": "5.00", "max_minutes": 30}
    about = {"session_id": "s", "turn": "t", "person": "ada", "instance_type": None}
    plan = tools.invoke_tool(
        "plan_training", {"dataset": "cier-small", "constraints": constraints, **about}
    )["plan"]
    assert (plan["budget_usd"], plan["constraints"]["max_minutes"]) == ("5.00", 30)
    assert plan["person"] == "ada"


def test_an_unknown_tool_is_refused(tools: ToolGateway):
    with pytest.raises(RequestError) as caught:
        tools.invoke_tool("rm_rf", {})
    assert caught.value.code == "unknown_tool"


@pytest.mark.parametrize(
    ("tool", "arguments", "says"),
    [
        ("prepare_dataset", {}, "dataset: Field required"),
        ("prepare_dataset", {"dataset": 7}, "dataset: "),
        ("get_costs", {"person": "ada", "bogus": 1}, "bogus: Extra inputs"),
        ("plan_training", {"dataset": "x", "constraints": {"spot": "perhaps"}}, "spot: "),
        ("launch_sagemaker_training", {"plan_id": "p", "max_cost_cents": -1}, "max_cost_cents: "),
    ],
)
def test_bad_arguments_are_explained_alike(
    tools: ToolGateway, tool: str, arguments: dict[str, Any], says: str
):
    with pytest.raises(RequestError) as caught:
        tools.invoke_tool(tool, arguments)
    assert caught.value.code == "bad_arguments"
    assert caught.value.message.startswith(f"{tool}: ") and says in caught.value.message


def test_a_refusal_comes_with_its_alternatives(tools: ToolGateway):
    with pytest.raises(RequestError) as caught:
        tools.invoke_tool("prepare_dataset", {"dataset": "cier-smal"})
    assert caught.value.code == "unknown_dataset"
    assert "cier-small" in caught.value.alternatives[0].message


@pytest.mark.parametrize("wish", ["crash", "exit", "list"])
def test_a_function_that_fails_is_a_fault(tools: ToolGateway, wish: str):
    with pytest.raises(FaultError) as caught:
        scripted(tools, wish)
    assert caught.value.code == "tool_failed"
    if wish == "crash":
        assert "out of order" in caught.value.message


def test_a_function_that_hangs_is_a_fault(aws: Aws, tools: ToolGateway):
    change = aws.client("lambda").update_function_configuration
    name = TOOLS["stop_training_job"].function_name
    change(FunctionName=name, Timeout=1)
    try:
        with pytest.raises(FaultError) as caught:
            scripted(tools, "hang")
        assert caught.value.code == "tool_failed"
    finally:
        change(FunctionName=name, Timeout=60)


def test_a_big_result_arrives_whole(tools: ToolGateway):
    assert scripted(tools, str(BIG))["filler"] == 'ü"' * BIG


def test_a_result_that_is_too_big_is_a_fault(tools: ToolGateway):
    with pytest.raises(FaultError) as caught:
        scripted(tools, str(BIG * 8))
    assert caught.value.code == "tool_failed"


def test_the_function_is_told_which_tool_it_is(tools: ToolGateway):
    custom = scripted(tools, "context")
    assert custom["bedrockAgentCoreToolName"] == "stop-training-job___stop_training_job"


def test_calls_side_by_side_do_not_mix(tools: ToolGateway):
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda n: scripted(tools, str(n)), range(64)))
    assert [answer["wish"] for answer in answers] == [str(n) for n in range(64)]


def test_a_tool_added_to_the_gateway_is_found_and_used(aws: Aws, registration: Registration):
    tools = open_mcp_gateway(aws, registration.gateway_url)
    assert len(tools.list_tools()) == len(TOOLS)
    made = aws.client("lambda").create_function(
        FunctionName="holidays",
        Runtime="python3.11",
        Role=ROLE,
        Handler="holidays.lambda_handler",
        Code={"ZipFile": packed("holidays", HOLIDAYS)},
    )
    where = {"gatewayIdentifier": registration.gateway_id}
    target = aws.client("bedrock-agentcore-control").create_gateway_target(
        **where, **holidays_target(made["FunctionArn"])
    )
    try:
        found = tools.search_tools("public holidays of a country")[0]
        assert isinstance(found, RemoteTool)
        answer = tools.invoke_tool(found.name, {"country": "FR"})
        assert answer == {"country": "FR", "days": [1, 2]}
        with pytest.raises(RequestError, match="country"):
            tools.invoke_tool(found.name, {})
    finally:
        aws.client("bedrock-agentcore-control").delete_gateway_target(
            **where, targetId=target["targetId"]
        )
    with pytest.raises(RequestError) as caught:
        tools.invoke_tool(found.name, {"country": "FR"})
    assert caught.value.code == "unknown_tool"


def holidays_target(function_arn: str) -> dict[str, Any]:
    schema = {
        "type": "object",
        "properties": {"country": {"type": "string", "description": "two letters"}},
        "required": ["country"],
    }
    tool = {"name": "holidays", "description": "Public holidays.", "inputSchema": schema}
    function = {"lambdaArn": function_arn, "toolSchema": {"inlinePayload": [tool]}}
    return {
        "name": "hr",
        "targetConfiguration": {"mcp": {"lambda": function}},
        "credentialProviderConfigurations": [{"credentialProviderType": "GATEWAY_IAM_ROLE"}],
    }


def test_registering_again_changes_only_what_differs(aws: Aws, registration: Registration):
    assert registration.created and registration.changed == registration.targets
    again = register(aws, "contract", ROLE, pause=lambda _: None)
    assert (again.created, again.changed) == (False, ())
    client = aws.client("bedrock-agentcore-control")
    where = {"gatewayIdentifier": registration.gateway_id}
    item = next(
        i for i in client.list_gateway_targets(**where)["items"] if i["name"] == "get-costs"
    )
    client.delete_gateway_target(**where, targetId=item["targetId"])
    assert register(aws, "contract", ROLE, pause=lambda _: None).changed == ("get-costs",)


def test_id_and_url_open_the_same_gateway(aws: Aws, registration: Registration):
    for named in (registration.gateway_id, registration.gateway_url):
        settings = aws.settings.model_copy(update={"gateway_id": named})
        tools = open_gateway(Aws(settings, aws.session))
        assert isinstance(tools, McpGateway)
        assert len(tools.list_tools()) == len(TOOLS)


def test_a_gateway_that_is_not_there_is_said(aws: Aws):
    settings = aws.settings.model_copy(update={"gateway_id": "nobody-0123456789"})
    with pytest.raises(RequestError) as caught:
        open_gateway(Aws(settings, aws.session))
    assert caught.value.code == "not_found"
