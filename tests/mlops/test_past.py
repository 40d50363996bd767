"""What finished jobs teach: runs, waits, and the error of estimates."""

from datetime import timedelta
from typing import Any

import pytest

from mlops.job import Job, JobState
from mlops.past import estimate_error, history, spot_shares, waits
from tests.factories import NOW, a_job, a_plan

PLAN = a_plan()


def done(billed: int = 90, waited: float = 30, **changes: Any) -> Job:
    facts: dict[str, Any] = {
        "state": JobState.COMPLETED,
        "billed_seconds": billed,
        "started_at": NOW + timedelta(seconds=waited),
        "fingerprint": "f" * 64,
        "metrics": {"test_f1": 0.9, "eval_f1": 0.8},
    }
    return a_job(PLAN, **(facts | changes))


def test_history_is_of_completed_jobs():
    jobs = [done(90), done(80), done(5, state=JobState.FAILED), a_job(PLAN)]
    [(key, runs)] = history(jobs).items()
    assert key == ("crf", "ml.m5.large")
    assert [run.billed_seconds for run in runs] == [90, 80]
    assert runs[0].scores == {"f1": 0.9}
    assert (runs[0].fingerprint, runs[0].job_name) == ("f" * 64, jobs[0].job_name)


def test_waits_are_from_launch_to_start_whatever_came_after():
    jobs = [done(waited=s) for s in (10, 20, 30, 40, 600)]
    jobs += [done(waited=9, spot=True), a_job(PLAN), done(waited=5, state=JobState.FAILED)]
    found = waits(jobs)
    assert set(found) == {"ml.m5.large", "ml.m5.large spot"}
    wait = found["ml.m5.large"]
    assert (wait.median_seconds, wait.p90_seconds, wait.jobs) == (25, 600, 6)
    assert wait.expected_seconds == 600
    assert found["ml.m5.large spot"].expected_seconds == 9


def test_the_error_of_estimates_counts_completed_jobs():
    p50 = PLAN.stages[0].estimate.p50_seconds
    found = estimate_error([done(p50), done(2 * p50), done(1, state=JobState.STOPPED)])
    assert (found.mape, found.jobs) == (pytest.approx(0.25), 2)
    assert estimate_error([a_job(PLAN)]).mape is None


def test_the_share_of_spot_jobs_is_what_was_billed_of_the_time_that_they_ran():
    times: dict[str, Any] = {"started_at": NOW, "ended_at": NOW + timedelta(seconds=200)}
    jobs = [done(billed, spot=True, **times) for billed in (50, 300)]
    jobs += [done(50, **times), done(50, spot=True, started_at=None)]
    assert spot_shares(jobs) == {"ml.m5.large": [0.25, 1.0]}
