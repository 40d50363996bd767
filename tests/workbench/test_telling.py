"""`llmops ask` and `approve`: what is printed where, and the exit code."""

import json
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

import workbench
from mlops.errors import Alternative, RefusedError
from mlops.events import EventKind
from mlops.report import build
from tests.factories import NOW, a_job, a_market, a_plan
from tests.workbench.scripted import SESSION, ScriptedBench, finished, waiting
from workbench.cli import app
from workbench.telling import Telling

PLAN = a_plan(a_market(engines=("crf",)))
FREE = a_plan(metric="f1", target=0.85)
REPORT = build(PLAN, [finished(PLAN)], NOW, 0, NOW).model_dump(mode="json")
ANSWER = (EventKind.ANSWER, {"text": "There are 2 datasets."})
DONE = (EventKind.DONE, {})
STEP = (EventKind.STEP, {"step": "AWAITING_APPROVAL"})
WAITING = (EventKind.APPROVAL, waiting(PLAN))
APPROVED = [
    (EventKind.APPROVAL, {**waiting(PLAN), "status": "approved", "by": "ada"}),
    (EventKind.ANSWER, {"text": "Training has started."}),
    DONE,
    (EventKind.JOB, {"job": finished(PLAN).model_dump(mode="json")}),
    (EventKind.REPORT, REPORT),
]
REFUSAL = RefusedError(
    "budget_too_small",
    "A budget of $0.0001 is too small.",
    (Alternative(kind="raise_budget", message="Raise it", cost_usd="0.02"),),
)


def run(bench: ScriptedBench, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> Any:
    monkeypatch.setattr(workbench, "connect", lambda: bench)
    return CliRunner().invoke(app, arguments)


def kinds(output: str) -> list[str]:
    return [json.loads(text)["kind"] for text in output.splitlines()]


def test_an_answer_ends_with_zero_and_the_services_are_closed(monkeypatch: Any):
    bench = ScriptedBench([ANSWER, DONE])
    result = run(bench, monkeypatch, "ask", "What datasets do we have?")
    assert result.exit_code == 0
    assert "There are 2 datasets." in result.stdout
    assert bench.calls[-1] == ("close", None)


def test_json_has_one_event_per_line_without_tokens_done_and_hash(monkeypatch: Any):
    token = (EventKind.TOKEN, {"text": "Th"})
    result = run(ScriptedBench([token, ANSWER, DONE]), monkeypatch, "ask", "x", "--json")
    assert kinds(result.stdout) == ["answer"]
    assert set(json.loads(result.stdout)) == {"session", "seq", "turn", "kind", "at", "data"}


def test_a_waiting_plan_is_the_last_line_and_no_failure(monkeypatch: Any):
    result = run(ScriptedBench([STEP, WAITING, DONE]), monkeypatch, "ask", "x", "--json")
    assert (result.exit_code, kinds(result.stdout)) == (0, ["step", "approval"])


def test_without_json_a_waiting_plan_says_what_to_type(monkeypatch: Any):
    plan = (EventKind.PLAN, {"plan": PLAN.model_dump(mode="json")})
    result = run(ScriptedBench([plan, WAITING, DONE]), monkeypatch, "ask", "x")
    assert f"llmops approve {PLAN.plan_id}" in result.stdout
    assert "The most it can cost: " in result.stdout
    assert "list price as of" in result.stdout
    assert "Not in it: DistilBERT multilingual with LoRA, from $" in result.stdout
    assert "synthetic" in result.stdout
    assert "not billed" in result.stdout


def test_approve_follows_a_stated_budget_to_the_report(monkeypatch: Any):
    bench = ScriptedBench([WAITING, DONE], APPROVED)
    result = run(bench, monkeypatch, "ask", "x", "--approve", "--json")
    assert result.exit_code == 0
    assert kinds(result.stdout)[-1] == "report"
    assert ("approve", PLAN.plan_id) in bench.calls


def test_the_report_is_readable(monkeypatch: Any):
    bench = ScriptedBench([WAITING, DONE], APPROVED)
    out = run(bench, monkeypatch, "ask", "x", "--approve").stdout
    for said in ("PASS", "test F1 0.9100 (95 %: 0.8900–0.9300)", "16 s billed", "model.tar.gz"):
        assert said in out


def test_approve_is_no_budget(monkeypatch: Any):
    bench = ScriptedBench([(EventKind.APPROVAL, waiting(FREE)), DONE])
    result = run(bench, monkeypatch, "ask", "x", "--approve", "--json")
    assert (result.exit_code, kinds(result.stdout)) == (2, ["approval"])
    assert f"llmops approve {FREE.plan_id}" in result.stderr
    assert not [call for call in bench.calls if call[0] == "approve"]


def test_an_error_event_sets_the_exit_code_and_goes_to_stderr(monkeypatch: Any):
    script = [(EventKind.ERROR, REFUSAL.as_data()), DONE]
    result = run(ScriptedBench(script), monkeypatch, "ask", "x")
    assert result.exit_code == 3
    assert result.stderr == "A budget of $0.0001 is too small.\n  A. Raise it ($0.02)\n"
    again = run(ScriptedBench(script), monkeypatch, "ask", "x", "--json")
    assert (again.exit_code, kinds(again.stdout), again.stderr) == (3, ["error"], "")


def test_a_failed_job_is_four(monkeypatch: Any):
    failed = (EventKind.ERROR, {"code": "job_failed", "exit_code": 4, "message": "It failed."})
    bench = ScriptedBench([WAITING, DONE], [ANSWER, DONE, failed])
    assert run(bench, monkeypatch, "ask", "x", "--approve").exit_code == 4


def test_what_never_reaches_the_log_is_an_error_line_too(monkeypatch: Any):
    result = run(ScriptedBench(failure=REFUSAL), monkeypatch, "ask", "x", "--json")
    assert (result.exit_code, kinds(result.stdout)) == (3, ["error"])
    assert "too small" in result.stderr


def test_interrupting_leaves_the_job_running_and_says_so(monkeypatch: Any):
    job = a_job(PLAN)
    script = [(EventKind.JOB, {"job": job.model_dump(mode="json")})]
    result = run(ScriptedBench(script, interrupt=True), monkeypatch, "ask", "x")
    assert result.exit_code == 130
    assert f"llmops jobs stop {job.job_name}" in result.stderr


def test_a_turn_without_an_end_is_our_fault(monkeypatch: Any):
    result = run(ScriptedBench([DONE]), monkeypatch, "ask", "x")
    assert result.exit_code == 1
    assert "ended without an answer" in result.stderr


def test_a_stored_plan_is_approved_and_followed(monkeypatch: Any):
    bench = ScriptedBench(approved=APPROVED)
    result = run(bench, monkeypatch, "approve", PLAN.plan_id, "--json")
    assert result.exit_code == 0
    assert [name for name, _ in bench.calls] == ["stored_plan", "resume", "approve", "close"]
    assert kinds(result.stdout)[-1] == "report"


def test_a_back_end_that_comes_back_costs_a_word_and_no_event(capfd: Any):
    waited: list[float] = []
    bench = ScriptedBench([WAITING, DONE], APPROVED, down=5)
    telling = Telling(bench, SESSION, True, pause=waited.append)  # type: ignore[arg-type]
    assert telling.ask("x", approve=True) == 0
    out, said = capfd.readouterr()
    assert kinds(out) == ["approval", "approval", "answer", "job", "report"]
    assert said == "Lost the back end, trying again.\n"
    assert len(waited) == bench.calls.count(("reconnect", None)) == 5


def test_a_back_end_that_stays_down_is_given_up_with_what_goes_on(capfd: Any):
    now = iter(range(0, 1000, 5))
    job = a_job(PLAN)
    script = [(EventKind.JOB, {"job": job.model_dump(mode="json")}), ANSWER, DONE]
    bench = ScriptedBench(script, down=100)
    clock, pause = (lambda: float(next(now))), (lambda seconds: None)
    telling = Telling(bench, SESSION, False, clock, pause)  # type: ignore[arg-type]
    assert telling.ask("x", approve=False) == 1
    said = capfd.readouterr().err
    assert said.count("Lost the back end") == 1
    assert "AWS could not be reached." in said
    assert f"llmops jobs show {job.job_name}" in said


def test_the_offline_planner_is_named_where_its_words_are_read(monkeypatch: Any):
    named = "Words by local.planner-v1, an offline planner, not a language model."
    out = run(ScriptedBench([ANSWER, DONE]), monkeypatch, "ask", "x").stdout
    assert out.splitlines()[-1] == named
    assert named not in run(ScriptedBench([ANSWER]), monkeypatch, "ask", "x", "--json").stdout
    claude = ScriptedBench([ANSWER, DONE])
    claude.settings = SimpleNamespace(bedrock_model_id="anthropic.claude")
    assert named not in run(claude, monkeypatch, "ask", "x").stdout


def test_what_is_wrong_with_the_model_is_said_at_the_end(monkeypatch: Any):
    bench = ScriptedBench([ANSWER, DONE])
    bench.model_note = lambda: "m is an old model: AWS ends it on 2026-12-31."
    assert "an old model" in run(bench, monkeypatch, "ask", "x").stdout.splitlines()[-1]
    assert "old model" not in run(bench, monkeypatch, "ask", "x", "--json").stdout


def test_text_of_data_reaches_the_terminal_as_text(monkeypatch: Any):
    evil = (EventKind.ANSWER, {"text": "[red]x[/red] \x1b[31mred\x1b]0;title\x07 :smile:"})
    out = run(ScriptedBench([evil]), monkeypatch, "ask", "x").stdout
    assert "[red]x[/red]" in out
    assert ":smile:" in out
    assert "\x1b" not in out
    assert "\x07" not in out
