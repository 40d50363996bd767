"""The `llmops` command apart from `ask`: tables, JSON, errors and exit codes."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

import workbench
from mlops.datasets import Metadata, prepare
from mlops.errors import RequestError
from mlops.ledger import Entry, EntryKind
from mlops.tools import CostsOutput, TeamCosts
from tests.factories import NOW, a_job, a_plan
from tests.patience import PATIENCE_SECONDS
from workbench.cli import app

MISSION = (
    "Train a Named Entity Recognition model on the ciER dataset. "
    "Budget: $10, Time: 1 hour, F1 score > 85%"
)
MONTH = CostsOutput(
    month="2026-11",
    limit_usd="50.00",
    spent_usd="0.000512",
    reserved_usd="0.00",
    left_usd="49.999488",
    sandbox=True,
)


def dataset(content: bytes) -> Any:
    made = prepare("broken", {"train.tsv": content}, Metadata(title="[b]evil[/b]"))
    return made.to_dataset("s3://b/raw/broken/", None, datetime.now(UTC))


class Bench:
    """Fixed answers; what is not here fails as a fault of ours would."""

    def datasets(self) -> list[Any]:
        return [dataset(b"a\tB-X\nb\n\n")]

    def dataset(self, name: str) -> Any:
        return self.datasets()[0]

    def import_dataset(self, paths: list[str], name: str | None) -> Any:
        raise RequestError("invalid_dataset", f"{paths} {name}: train.tsv:2: No label column.")

    def jobs(self, limit: int) -> list[Any]:
        return [a_job(a_plan(), created_at=NOW)][:limit]

    def costs(self, team: str | None = None) -> CostsOutput:
        if team != "nlp":
            return MONTH
        spent = {"spent_usd": "3.00", "reserved_usd": "0.00", "left_usd": "17.00"}
        of_team = TeamCosts(name="nlp", limit_usd="20.00", **spent)
        return MONTH.model_copy(update={"team": of_team})

    def retry(self, name: str) -> Any:
        return a_job(a_plan(), attempt=2, created_at=NOW)

    def ledger(self) -> list[Entry]:
        return [
            Entry(
                scope="s",
                kind=EntryKind.SETTLE,
                key="job-1",
                at=NOW,
                spent_micro=512,
                reserved_micro=-20_000,
            )
        ]

    def verify_ledger(self) -> list[str]:
        return ["plan#1: 3 micro-USD over its limit"]

    def gpus(self, *_: Any) -> Any:
        raise ZeroDivisionError("division by zero")

    def set_monthly_limit(self, usd: str, team: str | None = None) -> Any:
        raise RequestError("bad_amount", f"{usd!r} is not an amount of money.")


@pytest.fixture
def llmops(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(workbench, "connect", Bench)
    return lambda *arguments: CliRunner().invoke(app, arguments)


def test_parse_is_json_and_loads_no_aws():
    script = (
        "import sys; from workbench.cli import app\n"
        "try: app(['parse', sys.argv[1], '--json'])\n"
        "finally: sys.exit(bool({'boto3', 'langgraph', 'pandas'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, MISSION],
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
    )
    assert done.returncode == 0, done.stderr
    parsed = json.loads(done.stdout)
    assert parsed["intent"] == "train"
    assert parsed["constraints"]["budget_usd"] == "10.00"
    assert parsed["evidence"]["target"] == "F1 score > 85%"


def test_parse_for_people_shows_words_and_problems(llmops: Any):
    out = llmops("parse", "Train NER on cier, budget -$5").stdout
    assert "train" in out
    assert 'from "cier"' in out
    assert "Problem with budget_usd" in out


def test_text_that_is_no_unicode_is_no_crash(llmops: Any):
    result = llmops("parse", "train \udcff on cier", "--json")
    assert result.exit_code == 0
    assert json.loads(result.stdout)["constraints"]["dataset"] == "cier"


@pytest.mark.parametrize("arguments", [("datasets",), ("datasets", "list")])
def test_datasets_alone_lists_them(llmops: Any, arguments: tuple[str, ...]):
    out = llmops(*arguments).stdout
    assert "[b]evil[/b]" in out
    assert "invalid" in out
    listed = json.loads(llmops(*arguments, "--json").stdout)
    assert [row["name"] for row in listed] == ["broken"]


def test_a_dataset_is_shown_with_file_and_line_of_its_problems(llmops: Any):
    assert "error: train.tsv:2: " in llmops("datasets", "show", "broken").stdout


def test_a_refused_import_is_one_line_and_two(llmops: Any):
    result = llmops("datasets", "import", "some/folder", "--name", "mine")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == "['some/folder'] mine: train.tsv:2: No label column.\n"


def test_jobs_list_is_a_list(llmops: Any):
    assert [row["state"] for row in json.loads(llmops("jobs", "list", "--json").stdout)] == [
        "starting"
    ]
    assert "cier (synthetic)" in llmops("jobs").stdout


def test_costs_show_bookings_and_exact_sums(llmops: Any):
    out = llmops("costs").stdout
    assert "$0.000512" in out
    assert "$49.999488" in out
    assert "not billed" in out
    assert json.loads(llmops("budget", "--json").stdout)["limit_usd"] == "50.00"


def test_a_ledger_that_disagrees_is_no_success(llmops: Any):
    result = llmops("budget", "verify", "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["agrees"] is False


@pytest.mark.parametrize("amount", ["abc", "-5"])
def test_a_wrong_limit_is_explained(llmops: Any, amount: str):
    result = llmops("budget", "set", amount)
    assert result.exit_code == 2
    assert f"'{amount}' is not an amount" in result.stderr


def test_a_fault_of_ours_is_one_line_without_a_traceback(llmops: Any):
    result = llmops("gpus")
    assert result.exit_code == 1
    assert result.stderr.startswith("This is a fault of ours: division by zero.")
    assert "Traceback" not in result.stderr


def test_details_of_a_fault_go_to_a_file_when_asked_for(tmp_path: Path):
    script = (
        "import workbench; from workbench.cli import app\n"
        "workbench.connect = lambda: 1 / 0\n"
        "app(['--debug', 'jobs'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": os.getcwd()},
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stdout + done.stderr
    assert "ZeroDivisionError" in (tmp_path / "llmops-debug.log").read_text()


def test_an_unknown_command_is_two(llmops: Any):
    assert llmops("dataset").exit_code == 2


def test_version_and_help(llmops: Any):
    assert llmops("--version").stdout.startswith("llmops ")
    helped = llmops("--help").stdout
    for command in ("ask", "approve", "parse", "datasets", "gpus", "plan", "jobs", "budget"):
        assert command in helped


def test_a_closed_pipe_leaves_no_trace():
    script = "from workbench.cli import app; app(['parse', 'train ' * 3000, '--json'])"
    process = subprocess.Popen(
        [
            sys.executable,
            "-c",
            f"import sys\nsys.stdout.reconfigure(line_buffering=True)\n{script}",
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    errors = process.stderr.read()
    process.stderr.close()
    process.wait(timeout=PATIENCE_SECONDS)
    assert b"Traceback" not in errors
    assert b"Exception" not in errors


class Stack:
    """The client's side of an embedded AWS that is a flag."""

    def __init__(self):
        self.running = False

    def ensure(self, home: Any) -> None:
        self.running = True

    def status(self, home: Any) -> Any:
        facts = {"running": self.running, "home": str(home), "started_at": None}
        known = facts | {"endpoint": "http://127.0.0.1:1", "pid": 1}
        return SimpleNamespace(model_dump=lambda mode: known)

    def stop(self, home: Any) -> None:
        self.running = False

    reset = stop


def test_the_embedded_aws_is_started_looked_at_and_emptied(monkeypatch: Any, tmp_path: Any):
    monkeypatch.setenv("LLMOPS_HOME", str(tmp_path))
    stack = Stack()
    monkeypatch.setattr(workbench.boot, "local_stack", lambda: stack)
    runner = CliRunner()
    started = json.loads(runner.invoke(app, ["local", "start", "--json"]).stdout)
    assert started["running"] is True
    assert started["home"] == str(tmp_path)
    assert {"endpoint", "pid"} <= set(started)
    assert "is running" in runner.invoke(app, ["local"]).stdout
    assert runner.invoke(app, ["local", "reset"], input="n\n").exit_code == 1
    assert stack.running
    assert runner.invoke(app, ["local", "reset", "--yes"]).exit_code == 0
    assert not stack.running


def test_a_teams_limit_is_shown(llmops: Any):
    out = llmops("budget", "show", "--team", "nlp").stdout
    assert "nlp" in out and "$20.00" in out and "$17.00" in out


def test_a_team_without_a_limit_is_told_how_to_get_one(llmops: Any):
    result = llmops("budget", "show", "--team", "cv")
    assert result.exit_code == 2
    assert "has no monthly limit" in result.stderr


def test_a_failed_job_is_tried_again(llmops: Any):
    assert "-a2" in llmops("jobs", "retry", "llmops-cier-1-s1-a1").stdout
