"""Another attempt of a failed stage: within the approved sum, once, and back again when AWS refuses."""

import pytest

from mlops.aws.clients import Aws
from mlops.aws.follow import follow
from mlops.aws.jobs import Jobs
from mlops.aws.launch import UNCERTAIN
from mlops.aws.launch import launch as start
from mlops.aws.ledger import Ledger
from mlops.aws.plans import MOVE_LEASE
from mlops.aws.repair import HALF_DONE, repair
from mlops.aws.reservations import extended
from mlops.aws.retries import retry
from mlops.budget import ceiling
from mlops.constraints import parse
from mlops.errors import FaultError, RefusedError, RequestError
from mlops.events import EventKind
from mlops.job import job_name, numbers_of
from mlops.ledger import EntryKind, person_scope, plan_scope
from mlops.money import parse_usd
from mlops.plan import Plan
from tests.factories import NOW, a_plan
from tests.mlops.aws.embedded import Clock, FakeSageMaker, client_error
from tests.mlops.aws.scenes import approved, books, logged, name_of, reserved

GOOD = {"eval_f1": 0.9, "test_f1": 0.9}


def second(plan: Plan, stage: int = 1) -> str:
    return job_name(plan.plan_id, plan.dataset.name, stage, 2)


@pytest.fixture
def failed(aws: Aws, clock: Clock, sagemaker: FakeSageMaker) -> Plan:
    """Its first stage has failed after a minute, its second one runs."""
    plan = approved(aws, clock, a_plan(budget_usd="2.00", metric="f1", target=0.85))
    assert len(plan.stages) > 1
    start(aws, plan, 1, clock())
    sagemaker.end(name_of(plan), 60, "Failed")
    follow(aws, name_of(plan), clock)
    assert sagemaker.creations == [name_of(plan, 1), name_of(plan, 2)]
    return plan


def test_it_is_reserved_again_out_of_what_the_first_attempt_left(
    aws: Aws, clock: Clock, sagemaker: FakeSageMaker, failed: Plan
):
    before = reserved(aws, failed)
    made = retry(aws, failed, name_of(failed), clock)
    assert (made.job.job_name, made.job.attempt, made.again) == (second(failed), 2, False)
    extra = Ledger(aws).find(plan_scope(failed.plan_id), EntryKind.EXTEND, second(failed))
    assert extra is not None and extra.reserved_micro == parse_usd(made.job.ceiling_usd)
    assert reserved(aws, failed) == before + extra.reserved_micro
    own, _ = books(aws, failed)
    assert own.spent_micro + own.reserved_micro <= failed.ceiling_micro
    asked = sagemaker.jobs[second(failed)]["StoppingCondition"]["MaxRuntimeInSeconds"]
    assert asked == made.job.max_runtime_seconds < failed.stages[0].max_runtime_seconds
    assert ceiling(asked, failed.stages[0].running_micro) == extra.reserved_micro


def test_asked_for_twice_it_is_one_job(
    aws: Aws, clock: Clock, sagemaker: FakeSageMaker, failed: Plan
):
    first = retry(aws, failed, name_of(failed), clock)
    again = retry(aws, failed, name_of(failed), clock)
    assert (again.job.job_name, again.again) == (first.job.job_name, True)
    assert sagemaker.creations.count(second(failed)) == 1
    assert extended(aws, failed) == [second(failed)]


def test_the_report_waits_for_it_and_counts_it(
    aws: Aws, clock: Clock, sagemaker: FakeSageMaker, failed: Plan
):
    retry(aws, failed, name_of(failed), clock)
    sagemaker.end(name_of(failed, 2), 100, metrics=GOOD)
    follow(aws, name_of(failed, 2), clock)
    assert logged(aws, clock, EventKind.REPORT) == []
    sagemaker.end(second(failed), 100, metrics=GOOD)
    follow(aws, second(failed), clock)
    [report] = logged(aws, clock, EventKind.REPORT)
    assert len(report.data["stages"]) == 3
    own, month = books(aws, failed)
    assert (own.reserved_micro, month.reserved_micro) == (0, 0)
    assert own.spent_micro == parse_usd(report.data["total_cost_usd"])


def test_what_aws_refuses_gives_its_money_back_and_gets_another_name(
    aws: Aws, clock: Clock, sagemaker: FakeSageMaker, failed: Plan
):
    before = reserved(aws, failed)
    sagemaker.limits["ml.m5.large"] = 0
    with pytest.raises(RefusedError):
        retry(aws, failed, name_of(failed), clock)
    assert reserved(aws, failed) == before
    sagemaker.limits.clear()
    made = retry(aws, failed, name_of(failed), clock)
    assert numbers_of(made.job.job_name) == (1, 3)


def test_a_died_launch_of_it_is_completed_by_whoever_moves_the_plan_on(
    aws: Aws, clock: Clock, sagemaker: FakeSageMaker, failed: Plan
):
    sagemaker.error_after = client_error("InternalFailure", status=500)
    with pytest.raises(FaultError) as lost:
        retry(aws, failed, name_of(failed), clock)
    assert lost.value.code == UNCERTAIN
    assert Jobs(aws).find(second(failed)) is None
    sagemaker.end(name_of(failed, 2), 100, metrics=GOOD)
    clock.advance(max(MOVE_LEASE, HALF_DONE).total_seconds() + 1)
    repair(aws, clock)
    assert Jobs(aws).get(second(failed)).attempt == 2
    sagemaker.end(second(failed), 10, metrics=GOOD)
    repair(aws, clock)
    assert len(logged(aws, clock, EventKind.REPORT)) == 1
    assert reserved(aws, failed) == 0


def test_after_the_report_it_needs_a_new_plan(aws: Aws, clock: Clock, sagemaker: FakeSageMaker):
    plan = approved(aws, clock, a_plan(budget_usd="2.00"))
    start(aws, plan, 1, clock())
    sagemaker.end(name_of(plan), 60, "Failed")
    follow(aws, name_of(plan), clock)
    with pytest.raises(RefusedError) as refused:
        retry(aws, plan, name_of(plan), clock)
    assert refused.value.code == "approval_used"
    [way] = refused.value.alternatives
    assert (way.kind, way.cost_usd) == ("retry", plan.ceiling_usd)
    asked = way.message.removeprefix("Ask for a new plan: ")
    again = parse(asked).constraints
    assert (again.dataset, again.budget_usd) == ("cier", "2.00")
    assert reserved(aws, plan) == 0


def test_a_clamp_that_is_used_up_leaves_nothing_to_try_again_with(
    aws: Aws, clock: Clock, sagemaker: FakeSageMaker
):
    plan = approved(aws, clock, a_plan(budget_usd="2.00", metric="f1", target=0.85))
    start(aws, plan, 1, clock())
    sagemaker.end(name_of(plan), plan.stages[0].max_runtime_seconds, "Failed")
    follow(aws, name_of(plan), clock)
    before = reserved(aws, plan)
    with pytest.raises(RefusedError) as refused:
        retry(aws, plan, name_of(plan), clock)
    assert refused.value.code == "over_budget" and refused.value.alternatives
    assert reserved(aws, plan) == before


def test_a_deadline_that_has_passed_leaves_no_time(
    aws: Aws, clock: Clock, sagemaker: FakeSageMaker
):
    plan = approved(aws, clock, a_plan(budget_usd="5.00", max_minutes=60, target=0.85))
    start(aws, plan, 1, clock())
    sagemaker.end(name_of(plan), 60, "Failed")
    follow(aws, name_of(plan), clock)
    clock.advance(3000)
    with pytest.raises(RefusedError) as refused:
        retry(aws, plan, name_of(plan), clock)
    assert "time" in refused.value.message


def test_only_what_failed_or_was_stopped_is_tried_again(
    aws: Aws, clock: Clock, sagemaker: FakeSageMaker, failed: Plan
):
    with pytest.raises(RefusedError) as refused:
        retry(aws, failed, name_of(failed, 2), clock)
    assert refused.value.code == "still_running"
    other = approved(aws, clock, failed.model_copy(update={"plan_id": "plan-ffff0123456789ff"}))
    with pytest.raises(RequestError):
        retry(aws, other, name_of(failed), clock)


def test_the_month_may_refuse_it(aws: Aws, clock: Clock, failed: Plan):
    ledger = Ledger(aws)
    month = ledger.totals(person_scope("ada", NOW))
    assert month is not None
    ledger.set_limit(month.scope, month.spent_micro + month.reserved_micro)
    with pytest.raises(RefusedError) as refused:
        retry(aws, failed, name_of(failed), clock)
    assert "monthly limit" in refused.value.message
    assert extended(aws, failed) == []
