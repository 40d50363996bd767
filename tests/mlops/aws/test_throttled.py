"""A launch that AWS had no time for: nothing is decided, its money waits two minutes for another try."""

import pytest

from mlops.approvals import ApprovalStatus
from mlops.aws.clients import Aws
from mlops.aws.follow import follow
from mlops.aws.jobs import Jobs
from mlops.aws.launch import launch
from mlops.aws.plans import Plans
from mlops.aws.queue import launch_or_wait, queue_plan, start_queued
from mlops.aws.repair import HALF_DONE, repair
from mlops.errors import FaultError
from mlops.events import EventKind
from mlops.plan import Plan
from tests.factories import a_plan
from tests.mlops.aws.embedded import Clock, FakeSageMaker, client_error
from tests.mlops.aws.scenes import approved, logged, name_of, reserved

MISSED = {"eval_f1": 0.5, "test_f1": 0.5}


def throttle(sagemaker: FakeSageMaker) -> None:
    sagemaker.error_before = client_error("ThrottlingException", "Rate exceeded")


@pytest.fixture
def throttled(aws: Aws, clock: Clock, sagemaker: FakeSageMaker) -> Plan:
    """Approved, and refused for a moment."""
    plan = approved(aws, clock)
    throttle(sagemaker)
    with pytest.raises(FaultError) as caught:
        launch_or_wait(aws, plan, clock)
    assert caught.value.code == "throttled"
    way = caught.value.alternatives[0]
    assert (way.kind, way.cost_usd) == ("approve", plan.ceiling_usd)
    assert way.message.endswith(f"llmops approve {plan.plan_id}")
    assert reserved(aws, plan) == plan.ceiling_micro
    return plan


def test_approved_again_it_is_launched(
    aws: Aws, clock: Clock, sagemaker: FakeSageMaker, throttled: Plan
):
    clock.advance(100)
    assert repair(aws, clock).undone == ()
    assert Plans(aws).approve(throttled, "ada", clock()).status is ApprovalStatus.APPROVED
    launch_or_wait(aws, throttled, clock)
    assert sagemaker.creations == [name_of(throttled)]
    assert reserved(aws, throttled) == throttled.ceiling_micro
    clock.advance(HALF_DONE.total_seconds())
    assert repair(aws, clock).undone == ()
    assert reserved(aws, throttled) == throttled.ceiling_micro


def test_approved_by_nobody_its_money_comes_back(
    aws: Aws, clock: Clock, sagemaker: FakeSageMaker, throttled: Plan
):
    clock.advance(HALF_DONE.total_seconds() + 1)
    assert repair(aws, clock).undone == (throttled.plan_id,)
    assert reserved(aws, throttled) == 0
    [error] = logged(aws, clock, EventKind.ERROR)
    assert error.data["code"] == "launch_undone"
    assert repair(aws, clock).undone == ()
    assert sagemaker.creations == []


@pytest.mark.parametrize("by", ["event", "watchdog"])
def test_a_later_stage_is_tried_again(aws: Aws, clock: Clock, sagemaker: FakeSageMaker, by: str):
    plan = approved(aws, clock)
    launch(aws, plan, 1, clock())
    sagemaker.end(name_of(plan), 30, metrics=MISSED)
    throttle(sagemaker)
    with pytest.raises(FaultError):
        follow(aws, name_of(plan), clock)
    before = reserved(aws, plan)
    assert before > 0 and [job.stage for job in Jobs(aws).open()] == [1]
    clock.advance(5)
    if by == "event":
        follow(aws, name_of(plan), clock)
    else:
        repair(aws, clock)
    assert sagemaker.creations == [name_of(plan), name_of(plan, 2)]
    assert reserved(aws, plan) == before
    assert logged(aws, clock, EventKind.REPORT) == []


def test_a_queued_plan_keeps_its_place(aws: Aws, clock: Clock, sagemaker: FakeSageMaker):
    plan = a_plan(budget_usd="1.00")
    Plans(aws).save(plan)
    queue_plan(aws, plan, clock, None, None)
    throttle(sagemaker)
    with pytest.raises(FaultError) as caught:
        launch_or_wait(aws, plan, clock)
    assert all(way.kind != "approve" for way in caught.value.alternatives)
    clock.advance(HALF_DONE.total_seconds() + 1)
    assert repair(aws, clock).started == (plan.plan_id,)
    assert start_queued(aws, clock) == ((), ())
    assert reserved(aws, plan) == plan.ceiling_micro
