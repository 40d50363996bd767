"""Launches that wait for quota: started when it is free, oldest first, given up with a clear word."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from mlops.approvals import ApprovalStatus, Queue
from mlops.aws import queue
from mlops.aws.clients import Aws
from mlops.aws.jobs import Jobs
from mlops.aws.launch import Launched, launch
from mlops.aws.limits import Limits
from mlops.aws.plans import Plans
from mlops.aws.queue import Waits, cancel, launch_or_wait, queue_plan, start_queued
from mlops.aws.repair import repair
from mlops.aws.reservations import release
from mlops.aws.waiting import waiting
from mlops.constraints import Constraints, starting
from mlops.errors import FaultError, RefusedError, RequestError
from mlops.events import EventKind
from mlops.money import parse_usd
from mlops.plan import Plan
from tests.factories import a_plan, an_asker
from tests.mlops.aws.embedded import Clock, FakeSageMaker, client_error
from tests.mlops.aws.scenes import approved, logged, name_of, reserved

HOUR = timedelta(hours=1)


def queued(aws: Aws, clock: Clock, name: str = "cier", hours: int = 2, after: int = 0) -> Plan:
    plan = a_plan(dataset=name, budget_usd="1.00")
    Plans(aws).save(plan)
    begins = clock() + after * HOUR if after else None
    approval = queue_plan(aws, plan, clock, begins, clock() + hours * HOUR)
    assert approval.queue == Queue(not_before=begins, until=clock() + hours * HOUR)
    return plan


def test_it_starts_when_quota_is_free_oldest_first(
    aws: Aws, clock: Clock, sagemaker: FakeSageMaker
):
    sagemaker.limits["ml.m5.large"] = 0
    first = queued(aws, clock, "a")
    clock.advance(1)
    second = queued(aws, clock, "b")
    assert start_queued(aws, clock) == ((), ())
    assert reserved(aws, first) == first.ceiling_micro
    sagemaker.limits["ml.m5.large"] = 1
    assert start_queued(aws, clock) == ((first.plan_id,), ())
    assert start_queued(aws, clock) == ((), ())
    sagemaker.end(name_of(first), metrics={"eval_f1": 0.9})
    assert repair(aws, clock).started == (second.plan_id,)
    assert [job.plan_id for job in Jobs(aws).open()] == [second.plan_id]
    assert len(logged(aws, clock, EventKind.APPROVAL)) == 2


def test_it_does_not_start_before_its_time(aws: Aws, clock: Clock):
    plan = queued(aws, clock, hours=5, after=3)
    clock.advance(2 * 3600)
    assert repair(aws, clock).undone == ()
    assert start_queued(aws, clock) == ((), ())
    clock.advance(3601)
    assert start_queued(aws, clock) == ((plan.plan_id,), ())


def test_it_is_given_up_with_a_word_and_its_money_comes_back(
    aws: Aws, clock: Clock, sagemaker: FakeSageMaker
):
    sagemaker.limits["ml.m5.large"] = 0
    plan = queued(aws, clock)
    start_queued(aws, clock)
    clock.advance(2 * 3600 + 1)
    assert repair(aws, clock).given_up == (plan.plan_id,)
    assert reserved(aws, plan) == 0
    approval = Plans(aws).approval(plan.plan_id)
    assert approval is not None and approval.status is ApprovalStatus.USED
    [event] = logged(aws, clock, EventKind.ERROR)
    assert event.data["code"] == "queue_ended"
    assert event.data["plan_id"] == plan.plan_id
    assert {way["kind"] for way in event.data["alternatives"]} >= {"schedule", "instance"}


def test_a_queue_that_ends_before_it_begins_is_no_queue(aws: Aws, clock: Clock):
    plan = a_plan()
    with pytest.raises(RequestError, match="before it begins"):
        queue_plan(aws, plan, clock, clock() + 2 * HOUR, clock() + HOUR)


def wished(aws: Aws, clock: Clock, **said: Any) -> Plan:
    """A plan whose sentence asked to wait, with a person's plain yes."""
    plan = a_plan(budget_usd="1.00", **said)
    Plans(aws).save(plan)
    Plans(aws).approve(plan, "ada", clock())
    return plan


def statuses(aws: Aws, clock: Clock) -> list[str]:
    return [event.data["status"] for event in logged(aws, clock, EventKind.APPROVAL)]


def test_a_plain_yes_to_a_plan_that_may_wait_queues_it(
    aws: Aws, clock: Clock, sagemaker: FakeSageMaker
):
    sagemaker.limits["ml.m5.large"] = 0
    plan = wished(aws, clock, queue=True, max_wait_minutes=120)
    answer = launch_or_wait(aws, plan, clock)
    assert isinstance(answer, Waits) and answer.queue == Queue(until=clock() + 2 * HOUR)
    assert launch_or_wait(aws, plan, clock) == answer
    assert statuses(aws, clock) == ["queued"]
    assert reserved(aws, plan) == plan.ceiling_micro
    [waits] = waiting(aws, "ada")
    assert (waits.plan_id, waits.instance_type) == (plan.plan_id, "ml.m5.large")
    sagemaker.limits["ml.m5.large"] = 1
    assert start_queued(aws, clock) == ((plan.plan_id,), ())
    assert waiting(aws, "ada") == ()


def test_a_plan_that_may_wait_starts_at_once_when_there_is_room(aws: Aws, clock: Clock):
    plan = wished(aws, clock, queue=True)
    answer = launch_or_wait(aws, plan, clock)
    assert isinstance(answer, Launched) and answer.job.plan_id == plan.plan_id
    assert statuses(aws, clock) == []


def test_a_plan_for_later_starts_at_its_time(aws: Aws, clock: Clock):
    start = clock() + HOUR
    plan = wished(aws, clock, start_at=start.isoformat())
    answer = launch_or_wait(aws, plan, clock)
    assert isinstance(answer, Waits)
    assert answer.queue == Queue(not_before=start, until=start + 24 * HOUR)
    assert start_queued(aws, clock) == ((), ())
    clock.advance(3601)
    assert start_queued(aws, clock) == ((plan.plan_id,), ())


def test_a_plan_that_waits_can_be_cancelled_and_its_money_comes_back(
    aws: Aws, clock: Clock, sagemaker: FakeSageMaker
):
    sagemaker.limits["ml.m5.large"] = 0
    plan = wished(aws, clock, queue=True)
    launch_or_wait(aws, plan, clock)
    assert cancel(aws, plan, clock) == plan.ceiling_micro
    assert reserved(aws, plan) == 0
    assert statuses(aws, clock) == ["queued", "cancelled"]
    sagemaker.limits["ml.m5.large"] = 1
    assert start_queued(aws, clock) == ((), ())
    assert repair(aws, clock).undone == ()
    with pytest.raises(RefusedError, match="does not wait"):
        cancel(aws, plan, clock)
    with pytest.raises(RefusedError, match="declined"):
        launch_or_wait(aws, plan, clock)


def test_what_has_started_is_not_cancelled(aws: Aws, clock: Clock):
    plan = wished(aws, clock, queue=True)
    launch_or_wait(aws, plan, clock)
    with pytest.raises(RefusedError, match="has started"):
        cancel(aws, plan, clock)
    assert reserved(aws, plan) == plan.ceiling_micro


def test_another_refusal_is_no_reason_to_wait(aws: Aws, clock: Clock, sagemaker: FakeSageMaker):
    plan = wished(aws, clock, queue=True)
    sagemaker.error_before = client_error("AccessDeniedException")
    with pytest.raises(RefusedError):
        launch_or_wait(aws, plan, clock)
    assert reserved(aws, plan) == 0
    assert waiting(aws, "ada") == ()


def in_between(monkeypatch: pytest.MonkeyPatch, act: Callable[[], Any]) -> None:
    """Somebody else acts once, just after the next launch was refused."""
    real = queue.launch

    def refused(*arguments: Any, **named: Any) -> Any:
        monkeypatch.setattr(queue, "launch", real)
        try:
            return real(*arguments, **named)
        except RefusedError:
            act()
            raise

    monkeypatch.setattr(queue, "launch", refused)


def test_what_others_start_meanwhile_keeps_its_money(
    aws: Aws, clock: Clock, sagemaker: FakeSageMaker, monkeypatch: pytest.MonkeyPatch
):
    """A launch is refused; before it gives up, money comes free and the watchdog goes round."""
    Limits(aws).set_person("ada", parse_usd("0.10"), clock())
    first = approved(aws, clock, a_plan(budget_usd="1.00", dataset="b"))
    launch(aws, first, 1, clock())
    plan = queued(aws, clock)

    def meanwhile() -> None:
        sagemaker.end(name_of(first), 1, metrics={"eval_f1": 0.99, "test_f1": 0.99})
        repair(aws, clock)

    in_between(monkeypatch, meanwhile)
    with pytest.raises(RefusedError) as caught:
        launch_or_wait(aws, plan, clock)
    assert caught.value.code == "over_budget"
    assert sagemaker.active() == []
    assert reserved(aws, plan) == 0
    assert start_queued(aws, clock) == ((), ())


def test_a_job_that_exists_keeps_its_money_whoever_is_refused(
    aws: Aws, clock: Clock, sagemaker: FakeSageMaker, monkeypatch: pytest.MonkeyPatch
):
    """Whoever claims the plan after a claim ran out finds the money of the job in its place."""
    plan = queued(aws, clock)
    sagemaker.error_before = client_error("AccessDeniedException")

    def overtake() -> None:
        clock.advance(100)
        assert start_queued(aws, clock) == ((plan.plan_id,), ())

    in_between(monkeypatch, overtake)
    with pytest.raises(RefusedError):
        launch_or_wait(aws, plan, clock)
    assert [job.plan_id for job in Jobs(aws).open()] == [plan.plan_id]
    assert reserved(aws, plan) == plan.ceiling_micro
    approval = Plans(aws).approval(plan.plan_id)
    assert approval is not None and approval.status is ApprovalStatus.APPROVED


def test_nothing_is_given_back_under_a_running_job(aws: Aws, clock: Clock):
    plan = approved(aws, clock)
    launch(aws, plan, 1, clock())
    approval = Plans(aws).approval(plan.plan_id)
    assert approval is not None
    with pytest.raises(FaultError, match="not settled"):
        release(aws, plan, approval, clock())
    assert reserved(aws, plan) == plan.ceiling_micro


def test_a_queue_that_has_ended_starts_nothing(aws: Aws, clock: Clock, sagemaker: FakeSageMaker):
    plan = queued(aws, clock)
    clock.advance(5 * 3600)
    with pytest.raises(RefusedError) as caught:
        launch_or_wait(aws, plan, clock)
    assert caught.value.code == "queue_ended"
    assert sagemaker.creations == []
    [event] = logged(aws, clock, EventKind.ERROR)
    assert event.data["code"] == "queue_ended"
    assert start_queued(aws, clock) == ((), ())


@pytest.mark.parametrize(
    ("after", "until"), [(timedelta(days=1000), None), (None, timedelta(days=31))]
)
def test_nobody_waits_longer_than_a_month(
    aws: Aws, clock: Clock, after: timedelta | None, until: timedelta | None
):
    plan = a_plan()
    begins = clock() + after if after else None
    ends = clock() + until if until else None
    with pytest.raises(RequestError, match="30 days at most"):
        queue_plan(aws, plan, clock, begins, ends)
    assert Plans(aws).approval(plan.plan_id) is None


def test_a_sentence_waits_no_longer_than_a_month(aws: Aws, clock: Clock):
    start = clock() + timedelta(days=20)
    plan = wished(aws, clock, start_at=start.isoformat(), max_wait_minutes=30 * 24 * 60)
    approval = Plans(aws).approval(plan.plan_id)
    assert approval is not None and approval.queue is not None
    assert approval.queue.until == clock() + timedelta(days=30)
    with pytest.raises(RequestError, match="30 days away"):
        far = (clock() + timedelta(days=31)).isoformat()
        starting(Constraints(dataset="cier", start_at=far), clock())


def test_more_promises_than_money_are_said(aws: Aws, clock: Clock):
    Limits(aws).set_person("ada", parse_usd("0.10"), clock())
    first = queued(aws, clock, "a", hours=5, after=1)
    clock.advance(1)
    second = queued(aws, clock, "b", hours=5, after=1)
    told = [event.data["words"] for event in logged(aws, clock, EventKind.APPROVAL)]
    assert "may be refused" not in told[0]
    assert "$0.10 are left, and what waits can cost" in told[1]
    clock.advance(3700)
    assert start_queued(aws, clock) == ((first.plan_id,), (second.plan_id,))
    assert start_queued(aws, clock) == ((), ())


def test_promises_of_another_month_or_person_do_not_count(aws: Aws, clock: Clock):
    Limits(aws).set_person("ada", parse_usd("0.10"), clock())
    queued(aws, clock, "a", hours=20 * 24, after=18 * 24)
    other = a_plan(asker=an_asker(person="bob"), dataset="c", budget_usd="1.00")
    Plans(aws).save(other)
    Plans(aws).approve(other, "bob", clock(), Queue(until=clock() + HOUR))
    clock.advance(1)
    queued(aws, clock, "b", hours=5, after=1)
    told = [event.data["words"] for event in logged(aws, clock, EventKind.APPROVAL)]
    assert not any("may be refused" in words for words in told)
