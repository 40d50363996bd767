"""What follows a plan leaves notices: the report, a failure, a queue's end, a month that is nearly spent."""

from datetime import timedelta

import pytest

from mlops.aws.clients import Aws
from mlops.aws.follow import follow
from mlops.aws.launch import launch
from mlops.aws.ledger import Ledger
from mlops.aws.notices import Notices, Stored
from mlops.aws.plans import Plans
from mlops.aws.queue import queue_plan, start_queued
from mlops.ledger import person_scope
from mlops.notices import NoticeKind, person_inbox
from tests.factories import a_plan
from tests.mlops.aws.embedded import Clock, FakeSageMaker
from tests.mlops.aws.scenes import approved, name_of

GOOD = {"eval_f1": 0.9, "test_f1": 0.88}


def inbox(aws: Aws, person: str = "ada") -> list[Stored]:
    return Notices(aws).latest([person_inbox(person)])


@pytest.mark.parametrize(("status", "kind"), [("Completed", "finished"), ("Failed", "failed")])
def test_the_end_of_a_run_is_told_once_to_whom_it_belongs(
    aws: Aws, clock: Clock, sagemaker: FakeSageMaker, status: str, kind: str
):
    plan = approved(aws, clock)
    launch(aws, plan, 1, clock())
    stage = 1
    while stage <= len(plan.stages) and name_of(plan, stage) in sagemaker.jobs:
        sagemaker.end(name_of(plan, stage), seconds=10, status=status, metrics=GOOD)
        for _ in range(2):
            follow(aws, name_of(plan, stage), clock)
        stage += 1
    [told] = inbox(aws)
    assert (told.notice.kind, told.notice.plan_id) == (kind, plan.plan_id)
    assert told.notice.session_id == plan.session_id
    assert inbox(aws, "eve") == []


def test_a_queue_that_ended_is_told(aws: Aws, clock: Clock, sagemaker: FakeSageMaker):
    plan = a_plan()
    Plans(aws).save(plan)
    queue_plan(aws, plan, clock, None, clock() + timedelta(minutes=5))
    clock.advance(600)
    start_queued(aws, clock)
    [told] = inbox(aws)
    assert told.notice.kind == "failed"
    assert "given up" in told.notice.text


def test_settling_past_a_threshold_is_told(aws: Aws, clock: Clock, sagemaker: FakeSageMaker):
    plan = approved(aws, clock)
    launch(aws, plan, 1, clock())
    scope = person_scope("ada", clock())
    totals = Ledger(aws).totals(scope)
    assert totals is not None
    Ledger(aws).set_limit(scope, totals.reserved_micro)
    rate = plan.stages[0].usd_per_hour
    seconds = int(totals.reserved_micro * 0.9 / 1e6 / float(rate) * 3600)
    sagemaker.end(name_of(plan), seconds=seconds, metrics=GOOD)
    for _ in range(2):
        follow(aws, name_of(plan), clock)
    assert [told.notice.kind for told in inbox(aws)].count(NoticeKind.BUDGET) == 1
