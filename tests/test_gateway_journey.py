"""The same conversations through a Gateway: registered by the command, named by a setting, nothing else changed."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import workbench
from agent.gateway import LambdaGateway
from agent.mcp_gateway import McpGateway
from localaws import stack
from mlops.tools import TOOLS
from tests.ports import claim_with_port
from workbench import boot
from workbench.cli import app
from workbench.workbench import Workbench

TRAIN = "Train NER on cier-small. Budget: $10, Time: 1 hour, F1 score > 40%"
QUESTIONS = ("What datasets do we have?", "What's the cheapest GPU option?", "What did we spend?")
LAMBDA: dict[str, str] = {}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    made = tmp_path_factory.mktemp("gateway_journey") / "home"
    claim_with_port(made)
    yield made
    stack.stop(made)


@pytest.fixture(scope="module")
def registered(home: Path) -> dict[str, Any]:
    command = ["gateway", "register", "--name", "Tools", "--json"]
    done = CliRunner().invoke(app, command, env={"LLMOPS_HOME": str(home)})
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


@pytest.fixture
def gateway(registered: dict[str, Any]) -> dict[str, str]:
    """The environment that leads through the Gateway."""
    return {"AGENTCORE_GATEWAY_ID": registered["gateway_url"]}


def run(home: Path, environ: dict[str, str], *arguments: str) -> list[dict[str, Any]]:
    """The events that `llmops ask --json` prints."""
    made = boot.services(home, environ)
    assert isinstance(made.gateway, McpGateway if environ else LambdaGateway)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(workbench, "connect", lambda: Workbench(made))
        done = CliRunner().invoke(app, ["ask", *arguments, "--json"])
    boot.close(made)
    return [json.loads(line) for line in done.stdout.splitlines()]


def tool_events(events: list[dict[str, Any]]) -> list[Any]:
    """Calls and results, without what differs from one turn to the next."""
    kept = ("tool", "arguments", "ok", "result", "error")
    found = [e["data"] for e in events if e["kind"] in ("tool_call", "tool_result")]
    return [{key: data[key] for key in kept if key in data} for data in found]


def test_the_command_registers_once_and_says_how_to_use_it(
    home: Path, registered: dict[str, Any], monkeypatch: pytest.MonkeyPatch
):
    assert registered["gateway_id"].startswith("tools-")
    assert len(registered["targets"]) == len(registered["changed"]) == len(TOOLS)
    # A gateway that is not there must not stand in the way of making one.
    monkeypatch.setenv("AGENTCORE_GATEWAY_ID", "nobody-0123456789")
    monkeypatch.setenv("LLMOPS_HOME", str(home))
    again = CliRunner().invoke(app, ["gateway", "register", "--name", "Tools"])
    assert again.exit_code == 0, again.output
    assert "0 of them new or changed" in again.stdout
    assert f"AGENTCORE_GATEWAY_ID={registered['gateway_id']}" in again.stdout


def test_a_malformed_name_is_refused(home: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("LLMOPS_HOME", str(home))
    result = CliRunner().invoke(app, ["gateway", "register", "--name", "no spaces"])
    assert result.exit_code == 2
    assert "regular expression" in result.stderr


def test_a_restarted_gateway_is_found_again(home: Path, gateway: dict[str, str]):
    made = boot.services(home, gateway)
    before = made.gateway.list_tools()
    stack.stop(home)
    stack.ensure(home)
    assert made.gateway.invoke_tool("get_costs", {})["spent_usd"] == "0.00"
    assert made.gateway.list_tools() == before
    boot.close(made)


@pytest.mark.parametrize("question", QUESTIONS)
def test_both_ways_give_the_same_results(home: Path, gateway: dict[str, str], question: str):
    direct, through = run(home, LAMBDA, question), run(home, gateway, question)
    assert tool_events(direct)
    assert tool_events(through) == tool_events(direct)
    assert through[-1]["kind"] == direct[-1]["kind"] == "answer"
    assert through[-1]["data"] == direct[-1]["data"]


def test_refusals_are_the_same(home: Path, gateway: dict[str, str]):
    sentence = "Train NER on nosuchdata, budget $5"
    direct, through = run(home, LAMBDA, sentence), run(home, gateway, sentence)
    assert through[-1]["data"] == direct[-1]["data"]
    assert through[-1]["data"]["alternatives"]


def test_the_mission_ends_with_a_report(home: Path, gateway: dict[str, str]):
    events = run(home, gateway, TRAIN, "--approve")
    report = events[-1]["data"]
    assert events[-1]["kind"] == "report"
    assert {v["clause"]: v["verdict"] for v in report["verdicts"]} == {
        "budget_usd": "PASS",
        "max_minutes": "PASS",
        "target": "PASS",
    }
    calls = [event["data"]["tool"] for event in events if event["kind"] == "tool_call"]
    assert calls[-2:] == ["plan_training", "launch_sagemaker_training"]
