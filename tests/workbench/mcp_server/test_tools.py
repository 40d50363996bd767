"""Our tools for other assistants, as the stock MCP client sees them over stdio and HTTP. One contract: it
gets what the gateway gives."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from mlops.aws.notices import Notices
from mlops.aws.plans import Plans
from mlops.errors import RequestError
from mlops.events import verify
from mlops.notices import NoticeKind, person_inbox
from mlops.tools import TOOLS
from tests.patience import PATIENCE_SECONDS
from tests.workbench.mcp_server.clients import Client, said
from workbench import boot
from workbench.workbench import Workbench

REQUEST = "Train NER on cier-small, at most $5, 30 minutes, F1 above 50%"


def planned(client: Client) -> dict[str, Any]:
    return client.data("plan_training", request=REQUEST, dataset="cier-small")["plan"]


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
    assert services.turns.wait(turn, PATIENCE_SECONDS)
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
    answers = [said(future.result(PATIENCE_SECONDS)) for future in futures]
    # A job that is settled meanwhile changes what is spent, not what may be.
    assert [a["limit_usd"] for a in answers] == [client.data("get_costs")["limit_usd"]] * 12
