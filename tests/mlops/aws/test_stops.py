"""A person's stop ends the run, wherever it meets it: after a stage, between two, while one is created."""

from datetime import timedelta
from typing import Any

import pytest

from lambdas.stop_training_job import stop
from mlops.approvals import Queue
from mlops.aws.clients import Aws
from mlops.aws.follow import follow
from mlops.aws.jobs import Jobs
from mlops.aws.launch import launch
from mlops.aws.plans import Plans
from mlops.aws.repair import repair
from mlops.aws.retries import retry
from mlops.aws.stops import stop_job
from mlops.errors import RefusedError
from mlops.events import EventKind
from mlops.job import EndReason, Job, JobState
from mlops.plan import Plan
from mlops.tools import StopInput
from tests.factories import a_plan
from tests.mlops.aws.embedded import Clock, FakeSageMaker, client_error
from tests.mlops.aws.scenes import approved, books, logged, name_of, reserved

MISSED = {"eval_f1": 0.5, "test_f1": 0.5}


@pytest.fixture
def running(aws: Aws, clock: Clock) -> Plan:
    """Its first of several stages has started."""
    plan = approved(aws, clock)
    assert len(plan.stages) > 1
    launch(aws, plan, 1, clock())
    return plan


def asked_to_stop(aws: Aws, **what: Any) -> Job:
    answer = stop(aws, StopInput(person="ada", **what))
    assert answer.job is not None and answer.plan_id == what.get("plan_id")
    return answer.job


def is_reported(aws: Aws, clock: Clock, plan: Plan) -> bool:
    [report] = logged(aws, clock, EventKind.REPORT)
    own, _ = books(aws, plan)
    return report.data["plan_id"] == plan.plan_id and own.reserved_micro == 0


def test_after_a_stage_that_has_ended_unseen_no_other_starts(
    aws: Aws, clock: Clock, sagemaker: FakeSageMaker, running: Plan
):
    sagemaker.end(name_of(running), 30, metrics=MISSED)
    answer = asked_to_stop(aws, job_name=name_of(running))
    assert answer.state is JobState.COMPLETED
    clock.advance(60)
    repair(aws, clock)
    assert sagemaker.creations == [name_of(running)]
    assert is_reported(aws, clock, running)
    said = [event.data.get("code") for event in logged(aws, clock, EventKind.THINKING)]
    assert "run_stopped" in said


def test_it_stands_above_a_stop_of_ours(
    aws: Aws, clock: Clock, sagemaker: FakeSageMaker, running: Plan
):
    jobs, name = Jobs(aws), name_of(running)
    sagemaker.train(name)
    job = jobs.refresh(jobs.get(name))
    ours = {"stop_reason": EndReason.OUT_OF_REACH, "saved_usd": "0.01"}
    jobs.save(job, job.model_copy(update=ours))
    jobs.stop(jobs.get(name))
    assert asked_to_stop(aws, job_name=name).state is JobState.STOPPING
    sagemaker.end(name, 30, "Stopped")
    repair(aws, clock)
    ended = jobs.get(name)
    assert (ended.end_reason, ended.saved_usd) == (EndReason.STOPPED, None)
    assert sagemaker.creations == [name]
    assert is_reported(aws, clock, running)


@pytest.mark.parametrize("by", ["job", "plan"])
def test_between_two_stages_it_ends_the_run(
    aws: Aws, clock: Clock, sagemaker: FakeSageMaker, running: Plan, by: str
):
    """The second stage could not be created at first: the run goes on a minute later."""
    sagemaker.end(name_of(running), 30, metrics=MISSED)
    sagemaker.error_before = client_error("ThrottlingException")
    repair(aws, clock)
    assert logged(aws, clock, EventKind.REPORT) == []
    what = {"job_name": name_of(running)} if by == "job" else {"plan_id": running.plan_id}
    answer = asked_to_stop(aws, **what)
    assert answer.job_name == name_of(running)
    clock.advance(60)
    repair(aws, clock)
    assert sagemaker.creations == [name_of(running)]
    assert is_reported(aws, clock, running)


def test_a_run_is_stopped_by_its_plan(
    aws: Aws, clock: Clock, sagemaker: FakeSageMaker, running: Plan
):
    answer = asked_to_stop(aws, plan_id=running.plan_id)
    assert answer.state is JobState.STOPPING
    sagemaker.end(name_of(running), 30, "Stopped")
    follow(aws, name_of(running), clock)
    assert is_reported(aws, clock, running)
    with pytest.raises(RefusedError, match="has ended"):
        asked_to_stop(aws, plan_id=running.plan_id)


def test_who_wants_a_plan_out_of_the_queue_stops_no_run(aws: Aws, clock: Clock):
    plan = a_plan()
    Plans(aws).save(plan)
    Plans(aws).approve(plan, "ada", clock(), Queue(until=clock() + timedelta(hours=1)))
    launch(aws, plan, 1, clock())
    with pytest.raises(RefusedError) as refused:
        stop(aws, StopInput(person="ada", plan_id=plan.plan_id, queued_only=True))
    assert refused.value.code == "already_started"
    assert not Jobs(aws).get(name_of(plan)).state.is_final
    assert Plans(aws).last_stage(plan.plan_id) is None


@pytest.mark.parametrize("dies", [False, True])
def test_a_stage_that_is_created_meanwhile_is_stopped_too(
    aws: Aws,
    clock: Clock,
    sagemaker: FakeSageMaker,
    running: Plan,
    monkeypatch: pytest.MonkeyPatch,
    dies: bool,
):
    """The stop comes after whoever carries the run on has looked for it; perhaps that one dies
    before it records the job that it created."""
    sagemaker.end(name_of(running), 30, metrics=MISSED)
    create = sagemaker.create_training_job

    def overtaken(**request):
        monkeypatch.setattr(sagemaker, "create_training_job", create)
        created = create(**request)
        stop_job(aws, Jobs(aws).get(name_of(running)))
        if dies:
            raise SystemError("killed")
        return created

    monkeypatch.setattr(sagemaker, "create_training_job", overtaken)
    if dies:
        with pytest.raises(SystemError):
            follow(aws, name_of(running), clock)
        clock.advance(100)
    repair(aws, clock)
    second = name_of(running, 2)
    assert sagemaker.jobs[second]["TrainingJobStatus"] == "Stopping"
    sagemaker.end(second, 5, "Stopped")
    repair(aws, clock)
    assert sagemaker.creations == [name_of(running), second]
    assert is_reported(aws, clock, running)
    assert reserved(aws, running) == 0


def test_another_attempt_is_stopped_alone(
    aws: Aws, clock: Clock, sagemaker: FakeSageMaker, running: Plan
):
    """A later stage is at work: nobody asked to stop that one."""
    sagemaker.end(name_of(running), 30, "Failed")
    follow(aws, name_of(running), clock)
    again = retry(aws, running, name_of(running), clock).job
    asked_to_stop(aws, job_name=again.job_name)
    repair(aws, clock)
    states = {name: job["TrainingJobStatus"] for name, job in sagemaker.jobs.items()}
    assert states[again.job_name] == "Stopping"
    assert states[name_of(running, 2)] == "InProgress"
    assert Plans(aws).last_stage(running.plan_id) is None
