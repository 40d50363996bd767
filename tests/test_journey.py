"""The main job end to end against a real embedded AWS: sentences in, reports and refusals out."""

import io
import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from seqeval.metrics import f1_score
from typer.testing import CliRunner, Result

import workbench
from localaws import stack
from mlops.events import verify
from mlops.money import parse_usd
from tests.patience import PATIENCE_SECONDS
from workbench import boot
from workbench.cli import app
from workbench.workbench import Workbench

ROOT = Path(__file__).resolve().parents[1]
NCBI = ROOT.parent / "shared" / "data" / "ncbi-disease"
MISSION = (
    "Train a Named Entity Recognition model on the ciER dataset. "
    "Budget: $10, Time: 1 hour, F1 score > 85%"
)
ENDINGS = ("report", "answer", "approval", "error")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A data directory with an embedded AWS that ends with this module."""
    made = tmp_path_factory.mktemp("journey") / "home"
    yield made
    stack.stop(made)


@pytest.fixture
def services(home: Path) -> Iterator[boot.Services]:
    made = boot.services(home, {})
    yield made
    boot.close(made)


@pytest.fixture
def bench(services: boot.Services) -> Workbench:
    return Workbench(services)


@pytest.fixture
def llmops(home: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs a command in this process, with services of its own as a new process would have."""
    monkeypatch.setattr(workbench, "connect", lambda: Workbench(boot.services(home, {})))
    return lambda *arguments: CliRunner().invoke(app, arguments)


@pytest.fixture(scope="module")
def mission(home: Path) -> list[dict[str, Any]]:
    """The events of the main sentence, typed into a real process."""
    command = [sys.executable, "-c", "from workbench.cli import main; main()", "ask", MISSION]
    done = subprocess.run(
        [*command, "--approve", "--json"],
        env=os.environ | {"LLMOPS_HOME": str(home)},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=10 * PATIENCE_SECONDS,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return [json.loads(line) for line in done.stdout.splitlines()]


def told(result: Result) -> list[dict[str, Any]]:
    """The events of `--json`; the last one always ends the request."""
    events = [json.loads(line) for line in result.stdout.splitlines()]
    assert events[-1]["kind"] in ENDINGS
    assert not {"token", "done"} & {event["kind"] for event in events}
    return events


def standing(bench: Workbench) -> tuple[int, str, str]:
    """How many jobs there are, and what is spent and reserved."""
    month = bench.costs()
    return len(bench.jobs()), month.spent_usd, month.reserved_usd


def predictions(services: boot.Services, model_uri: str) -> tuple[list[list[str]], ...]:
    """Gold and predicted labels by sentence, from the model archive."""
    bucket, _, key = model_uri.removeprefix("s3://").partition("/")
    body = services.aws.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    with tarfile.open(fileobj=io.BytesIO(body)) as archive:
        file = archive.extractfile("predictions.tsv")
        assert file is not None
        text = file.read().decode()
    rows = [[line.split("\t") for line in block.splitlines()] for block in text.split("\n\n")]
    return tuple([[row[column] for row in block] for block in rows if block] for column in (1, 2))


def test_the_mission_ends_with_a_report_that_keeps_every_clause(mission: list[dict[str, Any]]):
    assert mission[-1]["kind"] == "report"
    report = mission[-1]["data"]
    (stage,) = report["stages"]
    assert (report["dataset"], report["synthetic"], report["sandbox"]) == ("cier", True, True)
    assert (stage["engine"], stage["instance_type"]) == ("crf", "ml.m5.large")
    assert stage["billed_seconds"] > 0
    assert 0 < parse_usd(report["total_cost_usd"]) <= parse_usd(report["ceiling_usd"])
    assert parse_usd(report["ceiling_usd"]) <= parse_usd("10")
    assert {v["clause"]: v["verdict"] for v in report["verdicts"]} == {
        "budget_usd": "PASS",
        "max_minutes": "PASS",
        "target": "PASS",
    }
    scores = stage["metrics"]
    assert 0.85 < scores["f1_low"] < scores["f1"] < scores["f1_high"]


def test_its_events_have_one_shape(mission: list[dict[str, Any]]):
    shape = {"session", "seq", "turn", "kind", "at", "data"}
    assert all(set(event) == shape for event in mission)
    assert len({event["session"] for event in mission}) == 1
    kinds = [event["kind"] for event in mission]
    assert kinds[0] == "user"
    for kind in ("step", "tool_call", "tool_result", "plan", "approval", "job", "cost"):
        assert kind in kinds


def test_model_curves_log_and_ledger_agree_with_it(
    mission: list[dict[str, Any]], services: boot.Services, bench: Workbench
):
    report = mission[-1]["data"]
    (stage,) = report["stages"]
    gold, predicted = predictions(services, report["model_uri"])
    assert f1_score(gold, predicted) == pytest.approx(stage["metrics"]["f1"], abs=1e-5)
    curves = bench.curves(stage["job_name"])
    assert curves["test_f1"][-1].value == stage["metrics"]["f1"]
    assert curves["train_loss"]
    assert any("test_f1=" in line.text for line in bench.logs(stage["job_name"]))
    job = bench.job(stage["job_name"])
    assert (job.state, job.cost_usd, job.settled) == ("completed", stage["cost_usd"], True)
    assert bench.verify_ledger() == []
    assert bench.costs().reserved_usd == "0.00"
    assert verify(bench.events(mission[0]["session"])) is None


def test_an_approval_is_used_up_by_its_run(mission: list[dict[str, Any]], llmops: Any):
    again = llmops("approve", mission[-1]["data"]["plan_id"], "--json")
    assert again.exit_code == 3
    assert told(again)[-1]["data"]["code"] == "approval_used"


def test_a_miss_is_reported_with_priced_next_steps(llmops: Any):
    sentence = "Train NER on cier-small, at most $10 and 1 hour, F1 > 85%"
    result = llmops("ask", sentence, "--approve", "--json")
    assert result.exit_code == 0
    report = told(result)[-1]["data"]
    verdicts = {v["clause"]: v["verdict"] for v in report["verdicts"]}
    assert (verdicts["target"], verdicts["budget_usd"]) == ("FAIL", "PASS")
    assert report["stages"][0]["metrics"]["f1"] <= 0.80
    assert [step["ceiling_usd"] for step in report["next_steps"]]


def test_too_small_a_budget_is_refused_with_prices(llmops: Any, bench: Workbench):
    before = standing(bench)
    result = llmops("ask", "Train NER on cier, budget $0.0001", "--approve", "--json")
    assert result.exit_code == 3
    error = told(result)[-1]["data"]
    assert error["alternatives"]
    assert all(parse_usd(way["cost_usd"]) > 100 for way in error["alternatives"])
    assert standing(bench) == before


@pytest.mark.parametrize(
    ("sentence", "code"),
    [
        ("Train NER on nosuchdata, budget $5", "unknown_dataset"),
        ("train", "missing_dataset"),
        ("Train NER on cier, budget: -$5", "bad_clause"),
    ],
)
def test_what_a_request_lacks_is_said_and_nothing_moves(
    llmops: Any, bench: Workbench, sentence: str, code: str
):
    before = standing(bench)
    result = llmops("ask", sentence, "--approve", "--json")
    assert result.exit_code == 2
    assert told(result)[-1]["data"]["code"] == code
    assert standing(bench) == before


def test_without_a_budget_a_plan_waits_for_its_sum(llmops: Any, bench: Workbench):
    before = standing(bench)
    waits = llmops("ask", "train on cier", "--json")
    assert waits.exit_code == 0
    last = told(waits)[-1]
    assert (last["kind"], last["data"]["budget_usd"]) == ("approval", None)
    refused = llmops("ask", "train on cier", "--approve", "--json")
    assert refused.exit_code == 2
    plan_id = told(refused)[-1]["data"]["plan_id"]
    assert f"llmops approve {plan_id}" in refused.stderr
    assert standing(bench) == before


def test_the_limit_of_the_month_binds(llmops: Any, bench: Workbench):
    spent = bench.costs().spent_usd
    assert llmops("budget", "set", spent).exit_code == 0
    try:
        result = llmops("ask", "Train NER on cier, at most $5", "--approve", "--json")
        assert result.exit_code == 3
        assert "monthly limit" in told(result)[-1]["data"]["message"]
        assert llmops("budget", "set", "0").exit_code == 3
    finally:
        assert llmops("budget", "set", "50").exit_code == 0
    assert llmops("budget", "verify").exit_code == 0


def test_an_estimate_can_be_approved_later(llmops: Any, bench: Workbench):
    before = standing(bench)
    made = json.loads(llmops("plan", "Train NER on cier-small for at most $2", "--json").stdout)
    assert standing(bench) == before
    result = llmops("approve", made["plan_id"], "--json")
    assert result.exit_code == 0
    assert told(result)[-1]["data"]["plan_id"] == made["plan_id"]


def test_that_instance_is_the_one_named_before(llmops: Any):
    assert llmops("ask", "What datasets do we have?", "--session", "talk").exit_code == 0
    asked = llmops("ask", "What's the cheapest GPU option?", "--session", "talk", "--json")
    assert "ml.g4dn.xlarge" in told(asked)[-1]["data"]["text"]
    planned = told(
        llmops("ask", "Train on ciER with that instance.", "--session", "talk", "--json")
    )
    (plan,) = [event["data"]["plan"] for event in planned if event["kind"] == "plan"]
    assert plan["stages"][0]["instance_type"] == "ml.g4dn.xlarge"


def test_a_broken_file_is_refused_with_its_line(llmops: Any, tmp_path: Path):
    folder = tmp_path / "broken"
    folder.mkdir()
    (folder / "train.tsv").write_text("Fieber\tB-SYMPTOM\nHusten\n\n")
    result = llmops("datasets", "import", str(folder))
    assert result.exit_code == 2
    assert "train.tsv:2: " in result.stderr
    shown = json.loads(llmops("datasets", "show", "broken", "--json").stdout)
    assert (shown["status"], shown["prepared_uri"]) == ("INVALID", None)
    asked = llmops("ask", "Train NER on broken, budget $5", "--approve", "--json")
    assert asked.exit_code == 2
    assert "train.tsv:2" in told(asked)[-1]["data"]["message"]


@pytest.mark.skipif(not NCBI.is_dir(), reason="the NCBI disease corpus is not here")
def test_real_data_is_imported_and_planned(llmops: Any):
    result = llmops("datasets", "import", str(NCBI), "--json")
    assert result.exit_code == 0, result.stderr
    shown = json.loads(result.stdout)
    assert (shown["status"], shown["synthetic"]) == ("PREPARED", False)
    assert shown["splits"]["train"]["sentences"] == 5424
    sentence = "Train NER on ncbi-disease, at most $5 and 30 minutes, F1 above 75%"
    plan = json.loads(llmops("plan", sentence, "--json").stdout)
    assert parse_usd(plan["ceiling_usd"]) <= parse_usd("5")
    assert [step["engine"] for step in plan["next_steps"]] == ["lora", "lora"]
