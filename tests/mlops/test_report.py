"""PASS, FAIL or UNKNOWN for every clause, by the test score, with costs that add up."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from mlops.job import Job, JobState
from mlops.money import to_usd
from mlops.plan import Plan
from mlops.report import Outcome, Report, build
from tests.factories import NOW, a_job, a_market, a_plan

SCORES = {"eval_f1": 0.9, "test_f1": 0.88, "test_f1_low": 0.861, "test_f1_high": 0.899}


def ended(plan: Plan, stage: int = 1, cost: str = "0.10", **changes: Any) -> Job:
    facts: dict[str, Any] = {
        "state": JobState.COMPLETED,
        "cost_usd": cost,
        "billed_seconds": 100,
        "metrics": SCORES,
        "model_uri": f"s3://models/{stage}/model.tar.gz",
    }
    return a_job(plan, stage, **(facts | changes))


def reported(
    plan: Plan | None = None,
    jobs: list[Job] | None = None,
    tokens: int = 0,
    now: datetime = NOW + timedelta(minutes=10),
) -> Report:
    plan = plan or a_plan()
    return build(plan, [ended(plan)] if jobs is None else jobs, NOW, tokens, now)


def verdict(report: Report, clause: str) -> str | None:
    return next((v.verdict for v in report.verdicts if v.clause == clause), None)


def test_the_promised_shape():
    data = reported().model_dump(mode="json")
    promised = {"dataset", "synthetic", "sandbox", "stages", "total_cost_usd", "ceiling_usd"}
    assert promised | {"budget_usd", "verdicts", "model_uri"} <= set(data)
    stage = {"model", "engine", "instance_type", "job_name", "billed_seconds", "cost_usd"}
    assert stage | {"metrics"} <= set(data["stages"][0])
    assert {"f1", "f1_low", "f1_high"} <= set(data["stages"][0]["metrics"])
    assert [v["clause"] for v in data["verdicts"]] == ["budget_usd", "max_minutes", "target"]
    assert {v["verdict"] for v in data["verdicts"]} == {"PASS"}
    assert Report.model_validate(data) == reported()


@pytest.mark.parametrize(
    ("comparator", "spent", "outcome"),
    [
        (None, "10.00", "PASS"),
        ("<=", "10.00", "PASS"),
        ("<", "10.00", "FAIL"),
        ("<", "9.999999", "PASS"),
        ("<=", "10.000001", "FAIL"),
    ],
)
def test_the_budget_clause(comparator: str | None, spent: str, outcome: str):
    plan = a_plan(budget_usd="10.00", budget_comparator=comparator)
    assert verdict(reported(plan, [ended(plan, cost=spent)]), "budget_usd") == outcome


def test_tokens_are_part_of_the_cost():
    plan = a_plan(budget_usd="10.00")
    report = reported(plan, [ended(plan, cost="9.99")], tokens=10_001)
    assert (report.total_cost_usd, report.tokens_usd) == ("10.000001", "0.010001")
    assert verdict(report, "budget_usd") == "FAIL"


@pytest.mark.parametrize(
    ("comparator", "minutes", "outcome"),
    [
        (None, 60, "PASS"),
        ("<=", 60.001, "FAIL"),
        ("<", 60, "FAIL"),
        ("<", 59.99, "PASS"),
    ],
)
def test_the_time_clause_runs_from_approval_to_report(
    comparator: str | None, minutes: float, outcome: str
):
    plan = a_plan(max_minutes=60, time_comparator=comparator)
    report = reported(plan, now=NOW + timedelta(minutes=minutes))
    assert verdict(report, "max_minutes") == outcome


@pytest.mark.parametrize(
    ("comparator", "score", "outcome"),
    [
        (">", 0.85, "FAIL"),
        (">", 0.8501, "PASS"),
        (">=", 0.85, "PASS"),
        (None, 0.85, "PASS"),
        (">=", 0.8499, "FAIL"),
        (">", None, "UNKNOWN"),
    ],
)
def test_the_target_clause_is_judged_by_the_test_score(
    comparator: str | None, score: float | None, outcome: str
):
    plan = a_plan(metric="f1", target=0.85, target_comparator=comparator)
    metrics = {"eval_f1": 0.99} | ({} if score is None else {"test_f1": score})
    assert verdict(reported(plan, [ended(plan, metrics=metrics)]), "target") == outcome


def test_the_interval_is_shown_beside_the_score_and_does_not_decide():
    plan = a_plan(metric="f1", target=0.85, target_comparator=">")
    scores = {"eval_f1": 0.9, "test_f1": 0.86, "test_f1_low": 0.8, "test_f1_high": 0.92}
    [_, target] = reported(plan, [ended(plan, metrics=scores)]).verdicts
    assert target.measured == "f1 0.8600 (95 %: 0.8000–0.9200)"
    assert (target.wanted, target.verdict) == ("f1 > 0.85", Outcome.PASS)


def test_clauses_that_were_not_said_are_not_judged():
    plan = a_plan(dataset="cier")
    [budget] = reported(plan).verdicts
    assert budget.clause == "budget_usd"
    assert reported(plan).budget_usd == plan.ceiling_usd


@pytest.mark.parametrize("state", [JobState.FAILED, JobState.STOPPED])
def test_a_job_without_a_model_leaves_the_target_unknown(state: JobState):
    plan = a_plan()
    report = reported(plan, [ended(plan, state=state)])
    assert verdict(report, "target") == "UNKNOWN"
    assert (report.reported_stage, report.model_uri) == (None, None)
    assert report.total_cost_usd == "0.10"


@pytest.mark.parametrize(
    ("first", "second", "best"), [(0.7, 0.8, 2), (0.8, 0.7, 1), (0.8, 0.8, 1)]
)
def test_the_reported_stage_is_the_best_on_validation(first: float, second: float, best: int):
    """Whatever the test scores are, and the cheaper one when they are equal."""
    plan = a_plan()
    jobs = [
        ended(plan, 1, metrics={"eval_f1": first, "test_f1": 0.1}),
        ended(plan, 2, metrics={"eval_f1": second, "test_f1": 0.2}),
    ]
    report = reported(plan, jobs)
    assert report.reported_stage == best
    assert report.model_uri == f"s3://models/{best}/model.tar.gz"
    assert f"f1 0.{best}" in report.verdicts[-1].measured


def test_a_failed_stage_is_listed_and_paid_but_not_reported():
    plan = a_plan()
    jobs = [
        ended(plan, 1, cost="0.01", state=JobState.FAILED, failure_reason="OOM"),
        ended(plan, 2, cost="0.20"),
    ]
    report = reported(plan, jobs, tokens=1)
    assert [s.state for s in report.stages] == ["failed", "completed"]
    assert report.stages[0].failure_reason == "OOM"
    assert (report.reported_stage, report.total_cost_usd) == (2, "0.210001")


def test_next_steps_are_named_only_when_the_target_was_missed():
    plan = a_plan(a_market(engines=("crf",)))
    assert plan.next_steps
    missed = ended(plan, metrics={"eval_f1": 0.5, "test_f1": 0.5})
    assert reported(plan, [missed]).next_steps == plan.next_steps
    assert reported(plan).next_steps == ()


def test_estimates_stand_beside_what_was_billed():
    plan = a_plan()
    [stage] = reported(plan).stages
    assert stage.estimated_seconds == plan.stages[0].estimate.p50_seconds
    assert stage.billed_seconds == 100
    assert stage.validation == {"f1": 0.9}


def test_a_job_that_was_never_billed_counts_as_nothing():
    plan = a_plan()
    job = ended(plan, state=JobState.FAILED, cost_usd=None, billed_seconds=None)
    assert reported(plan, [job]).total_cost_usd == to_usd(0)
