"""Our tools for other assistants, as the stock MCP client sees them: over stdio and HTTP, on a real
embedded AWS. One contract: it gets what the gateway gives."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TextIO

import httpx
import pytest
from anyio.from_thread import start_blocking_portal
from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp.types import CallToolResult

from agent.turns import Turns
from localaws import stack
from mlops.aws.notices import Notices
from mlops.aws.plans import Plans
from mlops.errors import RequestError
from mlops.events import verify
from mlops.notices import NoticeKind, person_inbox
from mlops.tools import TOOLS
from tests.agent.fakes import ScriptedModel, calls, says
from workbench import boot
from workbench.workbench import Workbench

pytestmark = pytest.mark.xdist_group("mcp_server")

TOKEN = "a-token-of-the-tests-0123456789"
REQUEST = "Train NER on cier-small, at most $5, 30 minutes, F1 above 50%"
HELLO = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "raw", "version": "1"},
    },
}
ACCEPT = {"Accept": "application/json, text/event-stream"}
MINE = {**ACCEPT, "Authorization": f"Bearer {TOKEN}"}


@dataclass
class Client:
    """The stock client, without async."""

    portal: Any
    session: ClientSession

    def call(self, name: str, **arguments: Any) -> CallToolResult:
        return self.portal.call(self.session.call_tool, name, arguments)

    def data(self, name: str, **arguments: Any) -> dict[str, Any]:
        """The answer, which must be the same as text and as data."""
        result = self.call(name, **arguments)
        assert not result.isError, result.content
        assert result.structuredContent == said(result)
        return said(result)

    def error(self, name: str, **arguments: Any) -> dict[str, Any]:
        result = self.call(name, **arguments)
        assert result.isError
        assert set(said(result)["error"]) >= {"code", "message", "alternatives"}
        return said(result)["error"]


def said(result: CallToolResult) -> dict[str, Any]:
    (block,) = result.content
    return json.loads(getattr(block, "text"))  # noqa: B009 (other kinds have none)


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[boot.Services]:
    home = tmp_path_factory.mktemp("mcp") / "home"
    made = boot.services(home, {})
    yield made
    made.turns.close()
    stack.stop(home)


@pytest.fixture(scope="module")
def bench(services: boot.Services) -> Workbench:
    made = Workbench(services)
    made.prepare("cier-small")
    return made


def environment(services: boot.Services) -> dict[str, str]:
    return {**os.environ, "LLMOPS_HOME": str(services.home), "LLMOPS_MCP_TOKEN": TOKEN}


def command(*arguments: str) -> list[str]:
    """Ctrl-C counts, also where the tests themselves run in a shell's background."""
    heeds = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    program = f"{heeds}; from workbench.cli import main; main()"
    return [sys.executable, "-c", program, "mcp", *arguments]


@pytest.fixture(scope="module")
def url(services: boot.Services) -> Iterator[str]:
    with subprocess.Popen(
        command("--http", "--port", "0"),
        env=environment(services),
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        yield process.stderr.readline().split()[-1]
        process.send_signal(signal.SIGINT)
        assert (process.wait(30), process.stderr.read()) == (0, "")


@asynccontextmanager
async def over_stdio(services: boot.Services, errors: TextIO):
    python, *arguments = command()
    server = StdioServerParameters(
        command=python, args=arguments, env=environment(services), cwd=os.getcwd()
    )
    async with (
        stdio_client(server, errors) as (read, write),
        ClientSession(read, write) as session,
    ):
        await session.initialize()
        yield session


@asynccontextmanager
async def over_http(url: str):
    async with (
        httpx.AsyncClient(headers=MINE, timeout=30) as http,
        streamable_http_client(url, http_client=http) as (read, write, _),
        ClientSession(read, write) as session,
    ):
        await session.initialize()
        yield session


@pytest.fixture(scope="module", params=["stdio", "http"])
def client(
    request: pytest.FixtureRequest,
    services: boot.Services,
    bench: Workbench,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Client]:
    log = tmp_path_factory.mktemp("stdio") / "stderr"
    with log.open("w") as errors, start_blocking_portal() as portal:
        opened: Any = (
            over_stdio(services, errors)
            if request.param == "stdio"
            else over_http(request.getfixturevalue("url"))
        )
        with portal.wrap_async_context_manager(opened) as session:
            yield Client(portal, session)
    assert log.read_text() == ""


def planned(client: Client, request: str = REQUEST) -> dict[str, Any]:
    return client.data("plan_training", request=request, dataset="cier-small")["plan"]


def test_lists_our_tools_as_a_client_may_call_them(client: Client):
    listed = client.portal.call(client.session.list_tools).tools
    assert [tool.name for tool in listed] == sorted(TOOLS)
    for tool in listed:
        spec = TOOLS[tool.name]
        assert tool.description == spec.description
        assert tool.inputSchema["additionalProperties"] is False
        assert not spec.injected.intersection(tool.inputSchema["properties"])
        assert tool.annotations.readOnlyHint is False or not spec.spends
    hints = {tool.name: tool.annotations for tool in listed}
    assert hints["get_costs"].readOnlyHint and not hints["get_costs"].destructiveHint
    assert hints["launch_sagemaker_training"].destructiveHint
    assert not hints["plan_training"].readOnlyHint and not hints["plan_training"].destructiveHint


@pytest.mark.parametrize(
    ("tool", "arguments", "injected"),
    [
        ("get_costs", {}, {"person": "local"}),
        ("list_s3_datasets", {}, {}),
        ("check_sagemaker_quotas", {"instance_type": "ml.g5.xlarge"}, {}),
        ("prepare_dataset", {"dataset": "cier-small"}, {}),
        ("request_quota_increase", {"instance_type": "ml.g5.xlarge"}, {"approved_by": ""}),
    ],
)
def test_a_client_gets_what_the_gateway_gives(
    client: Client,
    services: boot.Services,
    tool: str,
    arguments: dict[str, Any],
    injected: dict[str, Any],
):
    assert client.data(tool, **arguments) == services.gateway.invoke_tool(
        tool, {**arguments, **injected}
    )


def test_failures_of_a_tool_are_those_of_the_gateway(client: Client, services: boot.Services):
    with pytest.raises(RequestError) as caught:
        services.gateway.invoke_tool("prepare_dataset", {"dataset": "cier-smal"})
    assert client.error("prepare_dataset", dataset="cier-smal") == caught.value.as_data()
    assert "cier-small" in caught.value.alternatives[0].message


def test_the_persons_words_become_the_plans_limits(client: Client):
    plan = planned(client)
    constraints = plan["constraints"]
    assert (constraints["budget_usd"], constraints["max_minutes"]) == ("5.00", 30)
    assert (constraints["target"], plan["person"]) == (0.5, "local")
    assert plan["session_id"].startswith("mcp-")
    assert client.data("describe_training_job")["jobs"] is not None


@pytest.mark.parametrize(
    ("tool", "arguments", "code", "says"),
    [
        ("rm_rf", {}, "unknown_tool", "get_costs"),
        ("wiki___look_up", {}, "unknown_tool", "get_costs"),
        ("prepare_dataset", {}, "bad_arguments", "dataset: Field required"),
        ("prepare_dataset", {"dataset": 7}, "bad_arguments", "dataset: "),
        ("prepare_dataset", {"dataset": "x" * 20_000}, "bad_arguments", "16000 characters"),
        ("get_costs", {"person": "eve"}, "bad_arguments", "not yours to set"),
        ("get_costs", {"request": "hello"}, "bad_arguments", "request: Extra inputs"),
        ("plan_training", {"dataset": "cier-small"}, "bad_arguments", "request must be text"),
        (
            "plan_training",
            {"dataset": "cier-small", "request": "x", "constraints": {"budget_usd": "900"}},
            "bad_arguments",
            "say it in 'request'",
        ),
        (
            "plan_training",
            {"dataset": "cier-small", "request": "Train NER on cier-small, budget -$5"},
            "bad_clause",
            "",
        ),
        ("plan_training", {"dataset": "cier-small", "request": " "}, "empty_text", ""),
        (
            "request_quota_increase",
            {"instance_type": "ml.g5.xlarge", "approved_by": "ada"},
            "bad_arguments",
            "approved_by",
        ),
        (
            "launch_sagemaker_training",
            {"plan_id": "plan-1", "max_cost_cents": 10**6},
            "bad_arguments",
            "max_cost_cents",
        ),
        ("launch_sagemaker_training", {"plan_id": "plan-forged"}, "unknown_plan", ""),
    ],
)
def test_what_does_not_fit_is_refused(
    client: Client, tool: str, arguments: dict[str, Any], code: str, says: str
):
    error = client.error(tool, **arguments)
    assert error["code"] == code
    assert says in error["message"]


def test_nothing_is_launched_without_a_person_and_once_with_one(
    client: Client, bench: Workbench, services: boot.Services
):
    plan = planned(client)
    refused = client.error("launch_sagemaker_training", plan_id=plan["plan_id"])
    assert refused["code"] == "not_approved"
    assert f"llmops approve {plan['plan_id']}" in refused["alternatives"][0]["message"]
    waiting = [e.data for e in bench.events(plan["session_id"]) if e.kind == "approval"]
    assert [(w["plan_id"], w["status"]) for w in waiting] == [(plan["plan_id"], "waiting")]

    stored = bench.stored_plan(plan["plan_id"])
    Plans(services.aws).approve(stored, "ada", datetime.now(UTC))
    launched = client.data("launch_sagemaker_training", plan_id=plan["plan_id"])
    assert launched["already_launched"] is False
    name = launched["job"]["job_name"]
    client.data("stop_training_job", job_name=name)
    again = client.data("launch_sagemaker_training", plan_id=plan["plan_id"])
    assert (again["already_launched"], again["job"]["job_name"]) == (True, name)
    (job,) = client.data("describe_training_job", job_name=name)["jobs"]
    assert job["plan_id"] == plan["plan_id"]


def test_a_plan_that_waits_is_told_to_its_person(
    client: Client, bench: Workbench, services: boot.Services
):
    plan = planned(client)
    client.error("launch_sagemaker_training", plan_id=plan["plan_id"])
    inbox = Notices(services.aws).latest([person_inbox("local")])
    told = [s.notice.kind for s in inbox if s.notice.plan_id == plan["plan_id"]]
    assert told == [NoticeKind.APPROVAL]
    [made] = [e.data for e in bench.events(plan["session_id"]) if e.data.get("plan") == plan]
    assert len(made["inputs_sha256"]) == 64


def test_what_the_workbench_approves_is_launched(
    client: Client, bench: Workbench, services: boot.Services
):
    plan = planned(client)
    turn = bench.approve(plan["plan_id"])
    assert services.turns.wait(turn, 20)
    launched = client.data("launch_sagemaker_training", plan_id=plan["plan_id"])
    assert launched["already_launched"] is True
    bench.stop(launched["job"]["job_name"])


def test_a_queued_plan_is_left_to_its_queue(client: Client, bench: Workbench):
    plan = planned(client)
    bench.queue(plan["plan_id"], not_before=datetime.now(UTC) + timedelta(days=9))
    refused = client.error("launch_sagemaker_training", plan_id=plan["plan_id"])
    assert refused["code"] == "queued"


def test_somebody_elses_plan_is_not_launched(
    client: Client, bench: Workbench, services: boot.Services
):
    plan = bench.stored_plan(planned(client)["plan_id"])
    theirs = plan.model_copy(update={"plan_id": "plan-of-eve", "person": "eve"})
    Plans(services.aws).save(theirs)
    refused = client.error("launch_sagemaker_training", plan_id="plan-of-eve")
    assert refused["code"] == "not_yours"


def test_every_call_is_in_the_log(client: Client, bench: Workbench):
    session = planned(client)["session_id"]
    client.error("rm_rf")
    events = bench.events(session)
    assert verify(events) is None
    called = [e.data for e in events if e.kind == "tool_call"]
    results = {e.data["call_id"]: e.data for e in events if e.kind == "tool_result"}
    assert set(results) == {data["call_id"] for data in called}
    last_plan = [data for data in called if data["tool"] == "plan_training"][-1]
    assert last_plan["request"] == REQUEST
    assert last_plan["arguments"]["constraints"]["budget_usd"] == "5.00"
    assert called[-1]["tool"] == "rm_rf" and not results[called[-1]["call_id"]]["ok"]
    assert session in [known.session_id for known in bench.sessions()]


def test_calls_side_by_side_all_answer(client: Client):
    futures = [
        client.portal.start_task_soon(client.session.call_tool, "get_costs", {}) for _ in range(12)
    ]
    answers = [said(future.result(30)) for future in futures]
    # A job that is settled meanwhile changes what is spent, not what may be.
    assert [a["limit_usd"] for a in answers] == [client.data("get_costs")["limit_usd"]] * 12


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({}, 200),
        ({"Authorization": ""}, 401),
        ({"Authorization": "Bearer wrong"}, 401),
        ({"Authorization": f"Basic {TOKEN}"}, 401),
        ({"Authorization": f"Bearer {TOKEN}\u00e9".encode()}, 401),
        ({"Origin": "https://evil.example.com"}, 403),
        ({"Origin": "null"}, 403),
        ({"Host": "evil.example.com"}, 421),
        ({"Host": "127.0.0.1.evil.example.com"}, 421),
        ({"Content-Type": "text/plain"}, 400),
    ],
)
def test_who_may_come_in(url: str, changes: dict[str, Any], status: int):
    headers = {**MINE, "Content-Type": "application/json", **changes}
    answer = httpx.post(url, headers=headers, content=json.dumps(HELLO))
    assert answer.status_code == status
    assert TOKEN not in answer.text


@pytest.mark.parametrize("path", ["/mcp/", "/", "/mcp/x", "/ping"])
def test_other_paths_are_not_there(url: str, path: str):
    answer = httpx.post(url.removesuffix("/mcp") + path, headers=MINE, json=HELLO)
    assert (answer.status_code, answer.headers.get("location")) == (404, None)


def test_an_unknown_session_and_a_huge_body_are_refused(url: str):
    lost = httpx.post(url, headers={**MINE, "Mcp-Session-Id": "nobody"}, json=HELLO)
    assert lost.status_code == 404
    huge = httpx.post(url, headers=MINE, json={**HELLO, "padding": "x" * 5 * 2**20})
    assert huge.status_code == 413


def test_another_llmops_is_one_more_server_of_our_agent_that_never_spends(
    url: str, services: boot.Services, bench: Workbench
):
    other = {
        "name": "other",
        "url": url,
        "auth": "bearer",
        "token_variable": "OTHER_TOKEN",
        "allowed_tools": ["*"],
    }
    named = {"LLMOPS_MCP_SERVERS": json.dumps([other]), "OTHER_TOKEN": TOKEN}
    ours = boot.services(services.home, named)
    model = ScriptedModel(
        calls(("other___get_costs", {}), ("other___launch_sagemaker_training", {"plan_id": "p"})),
        says("Done."),
    )
    turns = Turns(ours.aws, ours.gateway, lambda: datetime.now(UTC), "tests", model)
    try:
        names = [spec.name for spec in ours.gateway.list_tools()]
        assert names[: len(TOOLS)] == sorted(TOOLS)
        theirs = {name.removeprefix("other___") for name in names[len(TOOLS) :]}
        assert theirs == set(TOOLS) - {"launch_sagemaker_training"}
        session = bench.new_session()
        assert turns.wait(turns.submit(session, "What did the other one cost?"), 20)
    finally:
        turns.close()
        ours.turns.close()
    results = [e.data for e in bench.events(session) if e.kind == "tool_result"]
    assert [(r["tool"], r["ok"]) for r in results] == [
        ("other___launch_sagemaker_training", False),
        ("other___get_costs", True),
    ]
    assert results[0]["error"]["code"] == "unknown_tool"
    told = results[1]["result"]
    assert told["result"] == bench.costs().model_dump(mode="json")
    assert "external" in told["source"]


def test_ctrl_c_and_a_closed_input_end_it_cleanly(services: boot.Services):
    for end in ("interrupt", "close"):
        process = subprocess.Popen(
            command(),
            env=environment(services),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stdin and process.stdout and process.stderr
        process.stdin.write(json.dumps(HELLO) + "\n")
        process.stdin.flush()
        assert json.loads(process.stdout.readline())["result"]["serverInfo"]["name"]
        if end == "interrupt":
            process.send_signal(signal.SIGINT)
            assert process.wait(30) == 0
        out, errors = process.communicate(timeout=30)
        assert (process.returncode, out, errors) == (0, "", "")
