"""`llmops serve`: a real process over a real embedded AWS, and addresses that it refuses."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from localaws import stack
from mlops.settings import Settings
from tests.agent.runtime_client import Api, types
from tests.patience import PATIENCE_SECONDS
from workbench import boot
from workbench.cli import app

ROOT = Path(__file__).resolve().parents[2]
MISSION = "Train NER on ciER. Budget: $10, Time: 1 hour, F1 score > 85%"


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    made = tmp_path / "home"
    yield made
    stack.stop(made)


@pytest.fixture
def refused(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs the command where nothing needs to be there, as it is refused before."""
    made = SimpleNamespace(settings=Settings(), aws=None, turns=None, gateway=None)
    monkeypatch.setattr(boot, "services", lambda: made)
    monkeypatch.setattr(boot, "close", lambda made: None)
    monkeypatch.setattr("agent.runtime.Tails", lambda *_: SimpleNamespace(close=lambda: None))
    monkeypatch.setattr("agent.runtime.Streams", lambda *_: None)
    monkeypatch.setattr("agent.runtime.Routes", lambda *_: SimpleNamespace(by_path={}))
    return lambda *arguments: CliRunner().invoke(app, ["serve", *arguments])


def test_a_sentence_becomes_a_report_over_http(home: Path):
    command = [sys.executable, "-c", "from workbench.cli import main; main()"]
    with subprocess.Popen(
        [*command, "serve", "--port", "0"],
        env=os.environ | {"LLMOPS_HOME": str(home)},
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        said = process.stdout.readline()
        api = Api(int(said.partition("127.0.0.1:")[2].partition(" ")[0]))
        plan = api.frames({"prompt": MISSION})[-1]["data"]["plan_id"]
        frames = api.frames({"approve": plan, "follow": True})
        assert frames[-1]["data"]["state"] == "report"
        report = next(f["data"] for f in frames if f["type"] == "report")
        assert {v["verdict"] for v in report["verdicts"]} == {"PASS"}
        assert "job" in types(frames)
        (job,) = api.get("/jobs").json()["jobs"]
        assert api.get(f"/jobs/{job['job_name']}").json()["job"]["state"] == "completed"
        assert api.get("/costs").json()["spent_usd"] == report["total_cost_usd"]
        api.pool.clear()
        process.send_signal(signal.SIGTERM)
        errors = process.stderr.read()
        assert process.wait(PATIENCE_SECONDS) == 0
    assert "Traceback" not in errors


def test_an_open_address_needs_a_token(refused: Any):
    done = refused("--host", "0.0.0.0")
    assert done.exit_code == 3
    assert "LLMOPS_SERVE_TOKEN" in done.output


def test_a_taken_port_is_said_with_the_next_step(refused: Any):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = refused("--port", str(taken.getsockname()[1]))
    assert done.exit_code == 2
    assert "taken" in done.output and "--port" in done.output
