"""Who may launch: only an approval of this very plan, of at least its ceiling, not used up."""

import pytest

from mlops.approvals import Approval, ApprovalStatus, require
from mlops.errors import RefusedError
from tests.factories import NOW


def approval(**changes) -> Approval:
    facts = {
        "plan_id": "plan-1",
        "by": "ada",
        "at": NOW,
        "ceiling_usd": "3.00",
        "status": ApprovalStatus.APPROVED,
    }
    return Approval.model_validate(facts | changes)


@pytest.mark.parametrize("ceiling", [0, 2_999_999, 3_000_000])
def test_an_approved_plan_may_be_launched(ceiling: int):
    assert require(approval(), "plan-1", ceiling) == approval()


@pytest.mark.parametrize(
    ("given", "ceiling", "code", "says"),
    [
        (None, 1, "not_approved", "not approved"),
        (approval(plan_id="plan-2"), 1, "not_approved", "not approved"),
        (approval(status="declined"), 1, "not_approved", "declined"),
        (approval(status="used"), 1, "approval_used", "used up"),
        (approval(), 3_000_001, "not_approved", "$3.00"),
        (approval(plan_id="plan-2", status="used"), 1, "not_approved", "not approved"),
    ],
)
def test_everything_else_is_refused(given: Approval | None, ceiling: int, code: str, says: str):
    with pytest.raises(RefusedError) as caught:
        require(given, "plan-1", ceiling)
    assert caught.value.code == code
    assert says in caught.value.message


def test_the_refusal_says_what_to_type():
    with pytest.raises(RefusedError) as caught:
        require(None, "plan-1", 1)
    assert caught.value.alternatives[0].kind == "approve"
    assert "llmops approve plan-1" in caught.value.alternatives[0].message
