"""The same tool, called in turn through our two gateway clients and through two others, on one machine."""

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from agent.gateway import LambdaGateway, ToolGateway
from agent.mcp_gateway import open_mcp_gateway
from benchmarks.back_end import BackEnd
from benchmarks.tables import Table, duration, p50, p95, timed
from mlops.aws.clients import Aws
from mlops.aws.gateway import DELIMITER, register, target_name

CALLS, OPENINGS = 100, 10
TOOL = "get_costs"
PEERS = "BENCHMARK_PEERS"
"""Environment variable: a Python that has the other clients."""

_LAMBDA, _GATEWAY = "ours, by Lambda invoke", "ours, by the Gateway (MCP, SigV4)"
_PEERS = ("mcp-proxy-for-aws", "langchain-mcp-adapters")
_SCRIPT = Path(__file__).with_name("agent_peers.py")


class Client(NamedTuple):
    """Each gives the seconds of one: opening it and listing the tools, or a call."""

    open: Callable[[], float]
    call: Callable[[], float]


def measure(back: BackEnd) -> Table:
    aws = back.services.aws
    url = register(aws, "benchmark", aws.settings.role_arn).gateway_url
    with _peers(aws, url) as peers:
        clients = {
            _LAMBDA: _ours(aws, lambda: LambdaGateway(aws)),
            _GATEWAY: _ours(aws, lambda: open_mcp_gateway(aws, url)),
            **peers,
        }
        openings = _in_turn({name: client.open for name, client in clients.items()}, OPENINGS)
        calls = _in_turn({name: client.call for name, client in clients.items()}, CALLS)
    base = p50(calls[_GATEWAY])
    rows = [_row(name, openings[name], calls[name], base) for name in clients]
    missing = [name for name in _PEERS if name not in clients]
    return Table(
        title=f"One tool call ({TOOL}) through the gateway",
        columns=("client", "open + list p50", "n", "call p50", "call p95", "ratio"),
        rows=(*rows, *((name, "", "", "not installed", "", "") for name in missing)),
        notes=(
            "All call the same function, which reads the ledger, each in turn; the last three go to",
            "the same endpoint. langchain-mcp-adapters opens a session for each call, as it does by",
            "default. Ratio: of the median to that of our client of the Gateway. Loopback: nothing",
            "here is AWS's time.",
            *_how_to_install(missing),
        ),
    )


def _ours(aws: Aws, make: Callable[[], ToolGateway]) -> Client:
    gateway, arguments = make(), {"person": aws.settings.person}
    gateway.invoke_tool(TOOL, arguments)
    return Client(
        open=lambda: timed(lambda: make().list_tools()),
        call=lambda: timed(lambda: gateway.invoke_tool(TOOL, arguments)),
    )


@contextmanager
def _peers(aws: Aws, url: str) -> Iterator[dict[str, Client]]:
    """In an interpreter of their own, as they are no dependencies of ours; none without it."""
    python = os.environ.get(PEERS)
    if not python:
        yield {}
        return
    keys = aws.session.get_credentials()
    environ = {"AWS_ACCESS_KEY_ID": keys.access_key, "AWS_SECRET_ACCESS_KEY": keys.secret_key}
    with subprocess.Popen(
        [python, str(_SCRIPT)],
        env=os.environ | environ,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        asked = {
            "url": url,
            "region": aws.settings.region,
            "tool": f"{target_name(TOOL)}{DELIMITER}{TOOL}",
            "arguments": {"person": aws.settings.person},
        }
        _say(process, json.dumps(asked))
        yield {name: _peer(process, name) for name in _PEERS}
        assert process.stdin is not None
        process.stdin.close()


def _peer(process: "subprocess.Popen[str]", name: str) -> Client:
    """Times are taken over there; the first of each is warm-up."""

    def ask(what: str) -> float:
        _say(process, f"{name} {what}")
        assert process.stdout is not None
        return float(process.stdout.readline())

    ask("call")
    return Client(open=lambda: ask("open"), call=lambda: ask("call"))


def _say(process: "subprocess.Popen[str]", line: str) -> None:
    assert process.stdin is not None
    process.stdin.write(f"{line}\n")
    process.stdin.flush()


def _in_turn(calls: dict[str, Callable[[], float]], count: int) -> dict[str, list[float]]:
    """So that other work on the machine meets all."""
    found: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(count):
        for name, call in calls.items():
            found[name].append(call())
    return found


def _row(name: str, openings: list[float], calls: list[float], base: float) -> tuple[str, ...]:
    times = (duration(p50(calls)), duration(p95(calls)), f"{p50(calls) / base:.1f}×")
    return (name, duration(p50(openings)), str(len(calls)), *times)


def _how_to_install(missing: list[str]) -> tuple[str, ...]:
    if not missing:
        return ()
    return (
        f"Not measured: pip install {' '.join(missing)} into an environment of its own, and set",
        f"{PEERS}=PATH/bin/python.",
    )
