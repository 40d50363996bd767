"""Plans and approvals as stored: a yes is given once and used up by the run."""

import pytest

from mlops.approvals import ApprovalStatus
from mlops.aws.clients import Aws
from mlops.aws.plans import Plans
from mlops.errors import RefusedError, RequestError
from mlops.plan import Plan
from tests.factories import NOW, a_plan


@pytest.fixture
def plans(aws: Aws) -> Plans:
    return Plans(aws)


@pytest.fixture
def plan(plans: Plans) -> Plan:
    plan = a_plan()
    plans.save(plan)
    return plan


def test_a_plan_is_read_as_it_was_saved(plans: Plans, plan: Plan):
    assert plans.get(plan.plan_id) == plan


@pytest.mark.parametrize("plan_id", ["plan-0", "nonsense"])
def test_an_unknown_plan_is_the_persons_to_mend(plans: Plans, plan_id: str):
    with pytest.raises(RequestError) as caught:
        plans.get(plan_id)
    assert caught.value.code == "unknown_plan"


def test_nobody_has_approved_a_new_plan(plans: Plans, plan: Plan):
    assert plans.approval(plan.plan_id) is None
    assert plans.open_approvals() == []


def test_an_approval_names_who_when_and_how_much(plans: Plans, plan: Plan):
    approval = plans.approve(plan, "ada", NOW)
    assert plans.approval(plan.plan_id) == approval
    assert (approval.by, approval.at, approval.ceiling_usd) == ("ada", NOW, plan.ceiling_usd)
    assert plans.open_approvals() == [approval]


def test_a_repeated_yes_is_the_first_one(plans: Plans, plan: Plan):
    first = plans.approve(plan, "ada", NOW)
    assert plans.approve(plan, "eve", NOW.replace(year=2027)) == first


def test_no_is_no(plans: Plans, plan: Plan):
    assert plans.decline(plan, "ada", NOW).status is ApprovalStatus.DECLINED
    assert plans.open_approvals() == []
    with pytest.raises(RefusedError) as caught:
        plans.approve(plan, "ada", NOW)
    assert caught.value.code == "not_approved"


def test_a_late_no_does_not_undo_a_yes(plans: Plans, plan: Plan):
    first = plans.approve(plan, "ada", NOW)
    with pytest.raises(RefusedError) as caught:
        plans.decline(plan, "ada", NOW)
    assert caught.value.code == "already_approved"
    assert plans.approval(plan.plan_id) == first


def test_a_closed_plan_is_used_up(plans: Plans, plan: Plan):
    plans.approve(plan, "ada", NOW)
    plans.close(plan.plan_id)
    plans.close(plan.plan_id)
    approval = plans.approval(plan.plan_id)
    assert approval is not None and approval.status is ApprovalStatus.USED
    assert plans.open_approvals() == []
    with pytest.raises(RefusedError) as caught:
        plans.approve(plan, "ada", NOW)
    assert caught.value.code == "approval_used"


def test_closing_a_plan_that_nobody_approved_changes_nothing(plans: Plans, plan: Plan):
    plans.close(plan.plan_id)
    assert plans.approval(plan.plan_id) is None


def test_a_plan_can_be_found_open_oldest_first(plans: Plans):
    made = [a_plan(dataset=name) for name in ("a", "b", "c")]
    for hour, plan in zip((3, 1, 2), made, strict=True):
        plans.save(plan)
        plans.approve(plan, "ada", NOW.replace(hour=hour))
    assert [a.at.hour for a in plans.open_approvals()] == [1, 2, 3]
