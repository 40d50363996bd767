"""Who may come in over HTTP, our server as one of our own agent's, and how a server ends."""

import json
import signal
import subprocess
from datetime import UTC, datetime
from functools import partial
from typing import Any

import httpx
import pytest

from agent.turns import Turns
from mlops.tools import TOOLS
from tests.agent.fakes import ScriptedModel, calls, says
from tests.patience import PATIENCE_SECONDS, eventually
from tests.workbench.mcp_server.clients import MINE, TOKEN, command, environment
from workbench import boot
from workbench.workbench import Workbench

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
post = partial(httpx.post, timeout=PATIENCE_SECONDS)


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
    answer = post(url, headers=headers, content=json.dumps(HELLO))
    assert answer.status_code == status
    assert TOKEN not in answer.text


@pytest.mark.parametrize("path", ["/mcp/", "/", "/mcp/x", "/ping"])
def test_other_paths_are_not_there(url: str, path: str):
    answer = post(url.removesuffix("/mcp") + path, headers=MINE, json=HELLO)
    assert (answer.status_code, answer.headers.get("location")) == (404, None)


def test_an_unknown_session_and_a_huge_body_are_refused(url: str):
    lost = post(url, headers={**MINE, "Mcp-Session-Id": "nobody"}, json=HELLO)
    assert lost.status_code == 404
    huge = post(url, headers=MINE, json={**HELLO, "padding": "x" * 5 * 2**20})
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
        names = eventually(lambda: all_listed(ours))
        assert names[: len(TOOLS)] == sorted(TOOLS)
        theirs = {name.removeprefix("other___") for name in names[len(TOOLS) :]}
        assert theirs == set(TOOLS) - {"launch_sagemaker_training"}
        session = bench.new_session()
        assert turns.wait(turns.submit(session, "What did the other one cost?"), PATIENCE_SECONDS)
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


def all_listed(ours: boot.Services) -> list[str]:
    """Once those of the other server have come."""
    names = [spec.name for spec in ours.gateway.list_tools()]
    return names if len(names) > len(TOOLS) else []


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
            assert process.wait(PATIENCE_SECONDS) == 0
        out, errors = process.communicate(timeout=PATIENCE_SECONDS)
        assert (process.returncode, out, errors) == (0, "", "")
