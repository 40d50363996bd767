"""A run is booked in the month in which its money was reserved, whenever it was approved or ended."""

from datetime import UTC, datetime, timedelta

import pytest

from mlops.approvals import Queue
from mlops.aws.books import verify
from mlops.aws.clients import Aws
from mlops.aws.follow import follow
from mlops.aws.launch import launch
from mlops.aws.ledger import Ledger
from mlops.aws.limits import Limits
from mlops.aws.plans import Plans
from mlops.aws.queue import cancel, queue_plan, start_queued
from mlops.aws.repair import repair
from mlops.aws.retries import retry
from mlops.ledger import Totals, team_scope
from mlops.money import parse_usd
from mlops.plan import Plan
from tests.factories import a_plan, an_asker
from tests.mlops.aws.embedded import Clock, Embedded, FakeSageMaker, client_error
from tests.mlops.aws.in_process import Killed
from tests.mlops.aws.scenes import name_of

LAST_DAY = datetime(2026, 11, 30, 12, tzinfo=UTC)
FIRST_DAY = datetime(2026, 12, 1, 12, tzinfo=UTC)
BEGINS = datetime(2026, 12, 1, 6, tzinfo=UTC)
MISSED = {"eval_f1": 0.5, "test_f1": 0.5}


def month(aws: Aws, name: str) -> Totals:
    scope = f"person#ada#2026-{name}"
    return Ledger(aws).totals(scope) or Totals(scope=scope, limit_micro=0)


def taken(aws: Aws, name: str) -> int:
    totals = month(aws, name)
    return totals.spent_micro + totals.reserved_micro


@pytest.fixture
def plan(aws: Aws, clock: Clock) -> Plan:
    """Queued in November, to begin in December."""
    clock.now = LAST_DAY
    plan = a_plan(asker=an_asker(now=LAST_DAY), budget_usd="2.00", metric="f1", target=0.85)
    Plans(aws).save(plan)
    queue_plan(aws, plan, clock, BEGINS, BEGINS + timedelta(days=3))
    return plan


def test_what_starts_in_december_is_decembers_from_reservation_to_report(
    aws: Aws, clock: Clock, sagemaker: FakeSageMaker, plan: Plan
):
    clock.now = FIRST_DAY
    assert start_queued(aws, clock) == ((plan.plan_id,), ())
    assert month(aws, "12").reserved_micro == plan.ceiling_micro
    sagemaker.end(name_of(plan), 60, "Failed")
    follow(aws, name_of(plan), clock)
    clock.now = datetime(2027, 1, 1, 0, 5, tzinfo=UTC)
    again = retry(aws, plan, name_of(plan), clock).job
    sagemaker.end(name_of(plan, 2), 60, metrics=MISSED)
    sagemaker.end(again.job_name, 60, metrics=MISSED)
    repair(aws, clock)
    while sagemaker.active():
        sagemaker.end(sagemaker.active()[0]["TrainingJobName"], 60, metrics=MISSED)
        repair(aws, clock)
    december = month(aws, "12")
    own = Ledger(aws).totals(f"plan#{plan.plan_id}")
    assert own is not None and own.spent_micro > 0
    assert (december.reserved_micro, december.spent_micro) == (0, own.spent_micro)
    assert taken(aws, "11") == 0
    assert Ledger(aws).totals("person#ada#2027-01") is None
    assert verify(aws, clock()) == []


def test_a_december_without_money_refuses_it(aws: Aws, clock: Clock, plan: Plan):
    clock.now = FIRST_DAY
    Limits(aws).set_person("ada", 0, clock())
    assert start_queued(aws, clock) == ((), (plan.plan_id,))
    assert taken(aws, "11") == taken(aws, "12") == 0


def test_the_first_attempt_decides(aws: Aws, clock: Clock, sagemaker: FakeSageMaker):
    """Reserved in November for a full quota, started in December, cancelled or run: November's."""
    clock.now = LAST_DAY
    sagemaker.limits["ml.m5.large"] = 0
    plans = [a_plan(asker=an_asker(now=LAST_DAY), dataset=n, budget_usd="1.00") for n in "ab"]
    for plan in plans:
        Plans(aws).save(plan)
        queue_plan(aws, plan, clock, None, FIRST_DAY + timedelta(days=1))
        clock.advance(1)
    start_queued(aws, clock)
    full = taken(aws, "11")
    assert full == plans[0].ceiling_micro
    clock.now = FIRST_DAY
    assert cancel(aws, plans[0], clock) == plans[0].ceiling_micro
    sagemaker.limits.clear()
    assert start_queued(aws, clock) == ((plans[1].plan_id,), ())
    assert (taken(aws, "11"), taken(aws, "12")) == (0, plans[1].ceiling_micro)


def test_the_teams_month_is_the_same_one(embedded: Embedded, clock: Clock, sagemaker):
    aws = embedded.connect(sagemaker, team="nlp", team_monthly_limit_usd="9.00")
    plan = a_plan(asker=an_asker(now=LAST_DAY), budget_usd="1.00")
    Plans(aws).save(plan)
    Plans(aws).approve(plan, "ada", LAST_DAY, Queue(not_before=BEGINS, until=FIRST_DAY))
    clock.now = BEGINS
    assert start_queued(aws, clock) == ((plan.plan_id,), ())
    ledger = Ledger(aws)
    december, november = ledger.totals(team_scope("nlp", BEGINS)), team_scope("nlp", LAST_DAY)
    assert december is not None and december.reserved_micro == plan.ceiling_micro
    assert ledger.totals(november) is None


@pytest.mark.parametrize("done", [False, True])
def test_a_crash_at_the_reservation_splits_no_month(
    aws: Aws,
    clock: Clock,
    sagemaker: FakeSageMaker,
    monkeypatch: pytest.MonkeyPatch,
    done: bool,
):
    """Killed just before or just after it, in November, and carried on in December."""
    clock.now = LAST_DAY
    plan = a_plan(asker=an_asker(now=LAST_DAY), budget_usd="1.00")
    Plans(aws).save(plan)
    queue_plan(aws, plan, clock, None, FIRST_DAY + timedelta(days=1))
    book = Ledger.book

    def die(*arguments):
        if done:
            book(*arguments)
        raise Killed

    with monkeypatch.context() as broken, pytest.raises(Killed):
        broken.setattr(Ledger, "book", die)
        start_queued(aws, clock)
    clock.now = FIRST_DAY
    assert start_queued(aws, clock) == ((plan.plan_id,), ())
    months = ("11", "12") if done else ("12", "11")
    assert [taken(aws, name) for name in months] == [plan.ceiling_micro, 0]
    sagemaker.end(name_of(plan), 60, metrics={"eval_f1": 0.99, "test_f1": 0.99})
    repair(aws, clock)
    assert month(aws, months[0]).reserved_micro == 0
    own = Ledger(aws).totals(f"plan#{plan.plan_id}")
    assert own is not None and taken(aws, months[0]) == own.spent_micro > 0
    assert verify(aws, clock()) == []


def test_a_plain_yes_counts_when_it_is_launched(aws: Aws, clock: Clock):
    clock.now = datetime(2026, 11, 30, 23, 59, 50, tzinfo=UTC)
    plan = a_plan(asker=an_asker(now=clock()), budget_usd="1.00")
    Plans(aws).save(plan)
    Plans(aws).approve(plan, "ada", clock())
    clock.advance(20)
    launch(aws, plan, 1, clock())
    assert (taken(aws, "11"), taken(aws, "12")) == (0, plan.ceiling_micro)
    assert parse_usd("50") == month(aws, "12").limit_micro


def test_what_was_throttled_in_november_stays_novembers(
    aws: Aws, clock: Clock, sagemaker: FakeSageMaker
):
    clock.now = LAST_DAY
    plan = a_plan(asker=an_asker(now=LAST_DAY), budget_usd="1.00")
    Plans(aws).save(plan)
    queue_plan(aws, plan, clock, None, FIRST_DAY + timedelta(days=1))
    sagemaker.error_before = client_error("ThrottlingException")
    assert start_queued(aws, clock) == ((), ())
    clock.now = FIRST_DAY
    assert start_queued(aws, clock) == ((plan.plan_id,), ())
    assert (taken(aws, "11"), taken(aws, "12")) == (plan.ceiling_micro, 0)
