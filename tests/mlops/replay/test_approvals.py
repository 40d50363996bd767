"""The stored approval against the words in the log: who, how much, when, and what became of it."""

from datetime import timedelta
from typing import Any

import pytest

from mlops.approvals import Approval, ApprovalStatus, Queue
from mlops.events import EventKind
from mlops.replay.approvals import recheck_approval
from mlops.replay.differences import Findings
from mlops.replay.records import Run
from tests.factories import NOW
from tests.mlops.finished_run import APPROVED, PLAN, Told, log, record, story

YES = Approval(
    plan_id=PLAN.plan_id,
    by="ada",
    at=APPROVED,
    ceiling_usd=PLAN.ceiling_usd,
    status=ApprovalStatus.APPROVED,
    team="nlp",
)


def said(status: str, approval: Approval | None = YES) -> tuple[EventKind, dict[str, Any]]:
    data = {"plan_id": PLAN.plan_id, "status": status, "ceiling_usd": PLAN.ceiling_usd}
    return EventKind.APPROVAL, data | (approval.sealed() if approval else {})


def differing(told: Told, stored: Approval | None) -> list[str]:
    found = Findings()
    recheck_approval(Run(PLAN, record(approval=stored), log(told)), found)
    return [difference.path or difference.what.split()[0] for difference in found.differences]


USED = YES.model_copy(update={"status": ApprovalStatus.USED})
DECLINED = YES.model_copy(update={"status": ApprovalStatus.DECLINED})
RAN: Told = [said("waiting", None), said("approved"), *story()[10:]]


def test_an_approval_as_it_was_given():
    assert differing(RAN, USED) == []
    assert differing(RAN[:-1], YES) == []


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("plan_id", "plan-other"),
        ("by", "mallory"),
        ("ceiling_usd", "999.00"),
        ("at", APPROVED - timedelta(hours=1)),
        ("team", None),
        ("team", "other"),
        ("queue", Queue(until=NOW)),
    ],
)
def test_every_field_is_compared(field: str, value: Any):
    assert field in differing(RAN, USED.model_copy(update={field: value}))[0]


@pytest.mark.parametrize(
    ("told", "stored", "is_same"),
    [
        (RAN, YES, False),
        (RAN, DECLINED, False),
        (RAN[:-1], USED, False),
        (RAN[:2], YES, True),
        (RAN[:2], USED, True),
        (RAN[:2], DECLINED, False),
        ([said("declined")], DECLINED, True),
        ([said("declined")], YES, False),
        ([said("superseded")], DECLINED, True),
        ([said("queued"), said("cancelled")], DECLINED, True),
        ([said("queued"), said("cancelled")], YES, False),
    ],
)
def test_its_status_follows_from_the_log(told: Told, stored: Approval, is_same: bool):
    assert (differing(told, stored) == []) == is_same


def test_a_launched_run_without_an_approval():
    assert differing(RAN, None) == ["approval"]
    assert differing(RAN[2:], None) == ["approval"]
    assert differing([said("waiting", None)], None) == []


def test_an_approval_that_nobody_gave():
    assert differing([said("waiting", None)], YES) == ["approval"]


def test_older_events_hold_less():
    _, data = said("approved", None)
    assert differing([(EventKind.APPROVAL, data), *RAN[2:]], USED) == []
