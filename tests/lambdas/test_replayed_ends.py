"""Whatever way a run takes, an honest record of it is replayed without a difference, at every step."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from agent.gate import approval_data
from mlops.aws.clients import Aws
from mlops.aws.events import EventLog
from mlops.aws.plans import Plans
from mlops.aws.queue import cancel, queue_plan
from mlops.errors import OpsError
from mlops.events import EventKind
from mlops.replay.replay import Replay
from tests.mlops.aws.embedded import Clock, FakeSageMaker, client_error
from workbench.decisions import DecisionLog

Invoke = Callable[..., dict[str, Any]]
Launch = Callable[..., dict[str, Any]]


@pytest.fixture
def launch(invoke: Invoke, approved: str) -> Launch:
    def start(**more: Any) -> dict[str, Any]:
        wanted = {"plan_id": approved, "max_cost_cents": 1000, **more}
        return invoke("launch_sagemaker_training", **wanted)

    return start


@pytest.fixture
def end(invoke: Invoke, sagemaker: FakeSageMaker) -> Callable[..., None]:
    def over(job: str, **how: Any) -> None:
        sagemaker.end(job, **how)
        invoke("on_training_event", detail={"TrainingJobName": job})

    return over


def same(decided: DecisionLog) -> Replay:
    found = decided.replay("s1")
    assert found.differences == ()
    return found


def test_a_run_step_by_step(
    decided: DecisionLog, launch: Launch, end: Callable[..., None], sagemaker: FakeSageMaker
):
    same(decided)
    job = launch()["job"]["job_name"]
    assert same(decided).checked["jobs"] == 1
    sagemaker.train(job)
    same(decided)
    end(job, seconds=100, metrics={"eval_f1": 0.9, "test_f1": 0.9})
    assert same(decided).checked["reports"] == 1


def test_a_run_that_failed(decided: DecisionLog, launch: Launch, end: Callable[..., None]):
    end(launch()["job"]["job_name"], status="Failed", seconds=40)
    while (job := _running(decided)) is not None:
        end(job, status="Failed", seconds=40)
    assert [d.kind for d in decided.show("s1")][-1] is EventKind.ERROR
    assert same(decided).checked["bookings"] > 4


def test_a_stage_that_missed_its_target(
    decided: DecisionLog, launch: Launch, end: Callable[..., None]
):
    end(launch()["job"]["job_name"], metrics={"eval_f1": 0.1, "test_f1": 0.1})
    same(decided)
    while (job := _running(decided)) is not None:
        end(job, metrics={"eval_f1": 0.2, "test_f1": 0.2})
    assert same(decided).checked["moves"] > 0


def test_another_attempt(
    decided: DecisionLog, launch: Launch, invoke: Invoke, sagemaker: FakeSageMaker
):
    """Asked for while the plan is still open: the failed job is settled, the next stage not begun."""
    first = launch()["job"]["job_name"]
    sagemaker.end(first, status="Failed", seconds=40)
    sagemaker.error_before = client_error("ThrottlingException", "Rate exceeded")
    with pytest.raises(OpsError, match="Rate exceeded"):
        invoke("on_training_event", detail={"TrainingJobName": first})
    second = launch(retry_of=first)["job"]["job_name"]
    assert second.endswith("-a2")
    same(decided)
    scores = {"eval_f1": 0.9, "test_f1": 0.9}
    sagemaker.end(second, metrics=scores)
    invoke("on_training_event", detail={"TrainingJobName": second})
    assert same(decided).checked["reports"] == 1


def test_a_launch_that_aws_refused(decided: DecisionLog, launch: Launch, sagemaker: FakeSageMaker):
    sagemaker.error_before = client_error("ValidationException", "No such role.")
    assert launch()["error"]["code"]
    same(decided)


def test_a_stopped_job(
    decided: DecisionLog, launch: Launch, end: Callable[..., None], invoke: Invoke
):
    job = launch()["job"]["job_name"]
    invoke("stop_training_job", job_name=job, person="ada")
    same(decided)
    end(job, status="Stopped", seconds=20)
    same(decided)


def test_a_declined_plan(decided: DecisionLog, aws: Aws, clock: Clock, planned: dict[str, Any]):
    plan = Plans(aws).get(planned["plan_id"])
    declined = Plans(aws).decline(plan, "ada", clock())
    log = EventLog(aws, clock)
    log.append("s1", "t1", EventKind.PLAN, {"plan": planned})
    log.append("s1", "t1", EventKind.APPROVAL, approval_data(plan, "declined", declined))
    assert same(decided).checked["approvals"] == 3


def test_a_queued_plan_that_is_cancelled(
    decided: DecisionLog, aws: Aws, clock: Clock, planned: dict[str, Any]
):
    log, plan = EventLog(aws, clock), Plans(aws).get(planned["plan_id"])
    log.append("s1", "t1", EventKind.PLAN, {"plan": planned})
    queue_plan(aws, plan, clock, clock() + timedelta(hours=2), None)
    same(decided)
    cancel(aws, plan, clock)
    assert same(decided).checked["approvals"] == 4


def _running(decided: DecisionLog) -> str | None:
    """The job that was launched last, when it has not ended."""
    name, _, state = decided.show("s1", EventKind.JOB)[-1].what.partition(" is ")
    return None if state in ("completed", "failed", "stopped") else name
