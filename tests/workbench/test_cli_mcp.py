"""`llmops mcp` before it serves: what is refused at start, and the servers of others it lists."""

import json
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

import workbench
from mlops.settings import Settings
from mlops.tool_spec import RemoteTool, arguments_model
from mlops.tools import TOOLS
from workbench.cli import app

SERVERS = [{"name": "wiki", "url": "https://example.com/secret-path/mcp", "allowed_tools": ["*"]}]


@pytest.fixture
def llmops(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """With settings by environment, and no back end."""
    closed: list[Any] = []
    remote = RemoteTool(
        name="wiki___look_up", description="d", input_model=arguments_model({}), input_schema={}
    )

    def services() -> Any:
        gateway = SimpleNamespace(list_tools=lambda: [*TOOLS.values(), remote])
        return SimpleNamespace(settings=Settings.from_env(), gateway=gateway, aws=None)

    monkeypatch.setattr(workbench.boot, "services", services)
    monkeypatch.setattr(workbench.boot, "close", closed.append)
    yield lambda *arguments: CliRunner().invoke(app, ["mcp", *arguments])


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.7", "example.com"])
def test_only_this_machine_is_served(llmops: Any, host: str):
    done = llmops("--http", "--host", host)
    assert (done.exit_code, done.stdout) == (2, "")
    assert "proxy with TLS" in done.stderr


@pytest.mark.parametrize("token", ["short", "sixteen chars \u00e9\u00e9\u00e9", "a\tb" * 8])
def test_a_weak_token_is_refused_and_not_repeated(
    llmops: Any, monkeypatch: pytest.MonkeyPatch, token: str
):
    monkeypatch.setenv("LLMOPS_MCP_TOKEN", token)
    done = llmops("--http", "--port", "0")
    assert (done.exit_code, done.stdout) == (2, "")
    assert "LLMOPS_MCP_TOKEN" in done.stderr and token not in done.stderr


def test_a_port_in_use_is_said(llmops: Any, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("LLMOPS_MCP_TOKEN", "t" * 16)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = llmops("--http", "--port", str(taken.getsockname()[1]))
    assert done.exit_code == 2
    assert "is taken" in done.stderr


def test_without_the_package_the_next_step_is_said(llmops: Any, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "mcp", None)
    monkeypatch.delitem(sys.modules, "workbench.mcp_server", raising=False)
    monkeypatch.delattr(workbench, "mcp_server", raising=False)
    done = llmops()
    assert (done.exit_code, done.stdout) == (2, "")
    assert "pip install 'agenticaiops[mcp]'" in done.stderr


def test_servers_of_others_are_listed_with_their_tools(
    llmops: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    assert "names no server" in llmops("servers").stdout
    named = tmp_path / "servers.json"
    named.write_text(json.dumps(SERVERS))
    monkeypatch.setenv("LLMOPS_MCP_SERVERS", str(named))
    assert json.loads(llmops("servers", "--json").stdout) == [
        {"name": "wiki", "tools": ["wiki___look_up"]}
    ]
    shown = llmops("servers").stdout
    assert "wiki___look_up" in shown and "secret-path" not in shown
