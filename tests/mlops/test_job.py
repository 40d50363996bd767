"""The job's state machine: one door, final stays final, equal observations change nothing."""

import re
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops.job import EndReason, Job, JobState, Observation, change, job_name
from mlops.money import cost_of_seconds, to_usd
from tests.factories import NOW, a_job

TABLE = [
    ("InProgress", "Starting", JobState.STARTING, None),
    ("InProgress", "Pending", JobState.STARTING, None),
    ("InProgress", "LaunchingMLInstances", JobState.STARTING, None),
    ("InProgress", "PreparingTrainingStack", JobState.STARTING, None),
    ("InProgress", "Downloading", JobState.STARTING, None),
    ("InProgress", "DownloadingTrainingImage", JobState.STARTING, None),
    ("InProgress", "Training", JobState.TRAINING, None),
    ("InProgress", "Interrupted", JobState.TRAINING, None),
    ("InProgress", "Restarting", JobState.TRAINING, None),
    ("InProgress", "Uploading", JobState.UPLOADING, None),
    ("Stopping", "Stopping", JobState.STOPPING, None),
    ("Completed", "Completed", JobState.COMPLETED, EndReason.FINISHED),
    ("Failed", "Failed", JobState.FAILED, EndReason.ERROR),
    ("Stopped", "Stopped", JobState.STOPPED, EndReason.STOPPED),
    ("Stopped", "MaxRuntimeExceeded", JobState.STOPPED, EndReason.TIME_LIMIT),
    ("Stopped", "MaxWaitTimeExceeded", JobState.STOPPED, EndReason.TIME_LIMIT),
]
OBSERVATIONS = st.builds(
    lambda row, billed, started, ended, metrics: Observation(
        status=row[0],
        secondary_status=row[1],
        billed_seconds=billed,
        started_at=NOW + timedelta(seconds=started) if started is not None else None,
        ended_at=NOW + timedelta(seconds=ended) if ended is not None else None,
        metrics=metrics,
    ),
    st.sampled_from(TABLE),
    st.none() | st.integers(0, 10**5),
    st.none() | st.integers(0, 100),
    st.none() | st.integers(100, 10**5),
    st.dictionaries(st.sampled_from(["eval_f1", "test_f1"]), st.floats(0, 1)),
)
JOB = a_job()


def seen(status: str, secondary: str, **changes) -> Observation:
    return Observation(status=status, secondary_status=secondary, **changes)


@pytest.mark.parametrize(("status", "secondary", "state", "reason"), TABLE)
def test_every_status_has_its_state(status, secondary, state, reason):
    job = change(JOB, seen(status, secondary, billed_seconds=10))
    assert (job.state, job.end_reason) == (state, reason)
    assert job.secondary_status == secondary
    assert job.state.is_final == (status in ("Completed", "Failed", "Stopped"))
    assert (job.cost_usd is not None) == job.state.is_final


@given(st.lists(OBSERVATIONS, max_size=8), OBSERVATIONS)
def test_a_final_job_never_changes_and_equal_observations_change_nothing(history, last):
    job = JOB
    for observation in history:
        after = change(job, observation)
        assert change(after, observation) == after
        if job.state.is_final:
            assert after == job
        job = after
    assert Job.model_validate_json(job.model_dump_json()) == job
    assert not job.settled


@given(OBSERVATIONS)
def test_a_final_job_costs_its_billed_seconds(observation: Observation):
    job = change(JOB, observation)
    if not job.state.is_final:
        assert (job.cost_usd, job.billed_seconds) == (None, None)
    elif observation.billed_seconds is not None:
        cost = cost_of_seconds(observation.billed_seconds, job.usd_per_hour_micro)
        assert job.cost_usd == to_usd(cost)
        assert job.cost_so_far_micro(NOW) == cost


def test_a_job_that_ran_is_not_free_because_nobody_said_what_was_billed():
    times = {"started_at": NOW, "ended_at": NOW + timedelta(seconds=99.2)}
    job = change(JOB, seen("Failed", "Failed", **times))
    assert job.billed_seconds == 100
    assert job.cost_usd == to_usd(cost_of_seconds(100, job.usd_per_hour_micro))


def test_a_job_that_never_started_costs_nothing_known():
    job = change(JOB, seen("Failed", "Failed", ended_at=NOW, failure_reason="ClientError: no"))
    assert (job.cost_usd, job.failure_reason) == (None, "ClientError: no")


def test_metrics_gather_and_the_start_is_kept():
    first = change(JOB, seen("InProgress", "Training", started_at=NOW, metrics={"a": 1.0}))
    then = change(first, seen("InProgress", "Uploading", metrics={"b": 2.0}))
    assert then.metrics == {"a": 1.0, "b": 2.0}
    assert then.started_at == NOW


@pytest.mark.parametrize(
    ("status", "kept"), [("Completed", True), ("Stopped", True), ("Failed", False)]
)
def test_a_failed_job_has_no_model(status: str, kept: bool):
    job = change(JOB, seen(status, status, model_uri="s3://models/model.tar.gz"))
    assert (job.model_uri is not None) == kept


def test_the_cost_so_far_counts_from_the_start_of_training():
    assert JOB.cost_so_far_micro(NOW) == 0
    running = change(JOB, seen("InProgress", "Training", started_at=NOW))
    hour = running.cost_so_far_micro(NOW + timedelta(hours=1))
    assert hour == running.usd_per_hour_micro
    assert running.cost_so_far_micro(NOW - timedelta(hours=1)) == 0


def test_the_cost_of_an_ended_spot_job_is_its_bill_with_the_volume_of_its_whole_time():
    job = JOB.model_copy(update={"spot": True, "storage_usd_per_hour": "0.36"})
    times = {"started_at": NOW, "ended_at": NOW + timedelta(seconds=100)}
    ended = change(job, seen("Completed", "Completed", billed_seconds=40, **times))
    assert to_usd(ended.cost_so_far_micro(NOW)) == ended.cost_usd


@given(st.text(max_size=80), st.integers(1, 9), st.integers(1, 9))
def test_names_are_fit_for_sagemaker(dataset: str, stage: int, attempt: int):
    name = job_name("plan-0123456789abcdef", dataset, stage, attempt)
    assert re.fullmatch(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}", name)
    assert name == job_name("plan-0123456789abcdef", dataset, stage, attempt)


def test_names_tell_plans_stages_and_attempts_apart():
    names = {
        job_name(plan, "cier", stage, attempt)
        for plan in ("plan-0123456789abcdef", "plan-fedcba9876543210")
        for stage in (1, 2)
        for attempt in (1, 2)
    }
    assert len(names) == 8
