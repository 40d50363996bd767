"""After each job: the next stage or the report; scores are judged by the clause's own comparator."""

import pytest

from mlops.constraints import Comparator, Constraints
from mlops.follow import compare, meets_target, next_move
from mlops.job import EndReason, Job, JobState
from tests.factories import a_job, a_plan

PLAN = a_plan()
LAST = len(PLAN.stages)


def ended(state: JobState, stage: int = 1, **metrics: float) -> Job:
    return a_job(PLAN, stage, state=state, metrics=metrics)


def test_the_plan_of_these_tests_has_two_stages_and_wants_more_than_85_percent():
    assert LAST == 2
    assert (PLAN.constraints.target, PLAN.constraints.target_comparator) == (0.85, ">")


@pytest.mark.parametrize(
    ("job", "stage"),
    [
        (ended(JobState.COMPLETED, eval_f1=0.9), None),
        (ended(JobState.COMPLETED, eval_f1=0.85), 2),
        (ended(JobState.COMPLETED, eval_f1=0.8), 2),
        (ended(JobState.COMPLETED), 2),
        (ended(JobState.COMPLETED, test_f1=0.99), 2),
        (ended(JobState.FAILED), 2),
        (ended(JobState.FAILED, eval_f1=0.9), 2),
        (ended(JobState.STOPPED, eval_f1=0.9), None),
        (ended(JobState.STOPPED), None),
        (ended(JobState.COMPLETED, stage=LAST, eval_f1=0.1), None),
        (ended(JobState.FAILED, stage=LAST), None),
    ],
)
def test_what_follows(job: Job, stage: int | None):
    move = next_move(PLAN, [job])
    assert move.stage == stage
    assert move.why


@pytest.mark.parametrize(
    ("reason", "stage"),
    [
        (EndReason.OUT_OF_REACH, 2),
        (EndReason.TIME_LIMIT, 2),
        (EndReason.STOPPED, None),
        (None, None),
    ],
)
def test_a_stage_that_we_or_its_clamp_ended_is_followed_by_the_next(
    reason: EndReason | None, stage: int | None
):
    job = a_job(PLAN, state=JobState.STOPPED, end_reason=reason)
    move = next_move(PLAN, [job])
    assert move.stage == stage
    assert "stopped" in move.why
    last = a_job(PLAN, LAST, state=JobState.STOPPED, end_reason=reason)
    assert next_move(PLAN, [last]).stage is None


def test_the_latest_job_decides():
    jobs = [ended(JobState.COMPLETED, eval_f1=0.9), ended(JobState.FAILED, stage=2)]
    assert next_move(PLAN, jobs).stage is None


def test_a_failed_job_is_not_said_to_have_missed_the_target():
    assert "failed" in next_move(PLAN, [ended(JobState.FAILED)]).why


def test_without_a_target_one_finished_job_is_enough():
    plan = a_plan(budget_usd="10.00")
    assert next_move(plan, [a_job(plan, state=JobState.COMPLETED)]).stage is None


@pytest.mark.parametrize(
    ("comparator", "below", "equal", "above"),
    [
        (None, False, True, True),
        (Comparator.GE, False, True, True),
        (Comparator.GT, False, False, True),
        (Comparator.LE, True, True, False),
        (Comparator.LT, True, False, False),
    ],
)
def test_comparators(comparator: Comparator | None, below: bool, equal: bool, above: bool):
    assert [compare(v, comparator, 0.85) for v in (0.84, 0.85, 0.86)] == [below, equal, above]


@pytest.mark.parametrize(
    ("metric", "metrics", "met"),
    [
        (None, {"eval_f1": 0.9}, True),
        ("f1", {"eval_f1": 0.9}, True),
        ("recall", {"eval_f1": 0.9, "eval_recall": 0.5}, False),
        ("recall", {"eval_recall": 0.9}, True),
        ("accuracy", {"eval_f1": 0.9}, False),
        ("accuracy", {"eval_accuracy": 0.9}, True),
        ("f1", {"test_f1": 0.9, "eval_token_f1": 0.9}, False),
    ],
)
def test_the_validation_score_of_the_wanted_metric_counts(
    metric: str | None, metrics: dict[str, float], met: bool
):
    constraints = Constraints(metric=metric, target=0.85)
    assert meets_target(a_job(PLAN, metrics=metrics), constraints) is met
