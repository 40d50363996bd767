"""What a plan costs is looked at once more when it starts: dearer, unknown or old is a refusal."""

from datetime import timedelta

import pytest

from mlops.aws.clients import Aws
from mlops.aws.follow import follow
from mlops.aws.jobs import Jobs
from mlops.aws.launch import launch
from mlops.aws.ledger import Ledger
from mlops.aws.plans import Plans
from mlops.aws.prices import Prices
from mlops.aws.queue import queue_plan, start_queued
from mlops.aws.repair import repair
from mlops.aws.retries import retry
from mlops.constraints import parse
from mlops.errors import FaultError, RefusedError
from mlops.events import EventKind
from mlops.ledger import plan_scope
from mlops.money import parse_usd
from mlops.prices import Confidence
from tests.factories import a_plan
from tests.mlops.aws.embedded import Clock, FakeSageMaker, client_error
from tests.mlops.aws.scenes import approved, logged, name_of, reserved

DAY = 86_400


def listing(monkeypatch: pytest.MonkeyPatch, **changes: object) -> None:
    """From now on every type is listed with these changes."""
    known = Prices.all

    def changed(self, now, refresh=False):
        found = known(self, now, refresh)
        return {name: price.model_copy(update=changes) for name, price in found.items()}

    monkeypatch.setattr(Prices, "all", changed)


DEARER = {"usd_per_hour_micro": parse_usd("9.00")}


def test_a_dearer_stage_is_not_started(
    aws: Aws, clock: Clock, sagemaker: FakeSageMaker, monkeypatch: pytest.MonkeyPatch
):
    plan = approved(aws, clock)
    listing(monkeypatch, **DEARER)
    with pytest.raises(RefusedError) as caught:
        launch(aws, plan, 1, clock())
    assert caught.value.code == "price_changed"
    [way] = caught.value.alternatives
    assert parse_usd(way.cost_usd or "0") > plan.ceiling_micro
    said = parse(way.message.partition(": ")[2]).constraints
    assert (said.budget_usd, said.target) == ("10.00", 0.85)
    assert sagemaker.creations == []
    assert Ledger(aws).totals(plan_scope(plan.plan_id)) is None


@pytest.mark.parametrize("change", [{"confidence": Confidence.C}, {"fetched_at": None}])
def test_a_price_that_may_not_be_spent_is_not(
    aws: Aws,
    clock: Clock,
    sagemaker: FakeSageMaker,
    monkeypatch: pytest.MonkeyPatch,
    change: dict[str, object],
):
    clock.advance(170 * DAY)
    plan = approved(aws, clock, a_plan())
    listing(monkeypatch, as_of=clock().date() - timedelta(days=200), **change)
    with pytest.raises(RefusedError) as caught:
        launch(aws, plan, 1, clock())
    assert caught.value.code == "price_unknown"
    assert caught.value.alternatives[0].message.startswith("Ask for a new plan: ")
    assert sagemaker.creations == []


def test_a_cheaper_stage_is_started(aws: Aws, clock: Clock, monkeypatch: pytest.MonkeyPatch):
    plan = approved(aws, clock)
    listing(monkeypatch, usd_per_hour_micro=1)
    assert launch(aws, plan, 1, clock()).job.stage == 1


def test_an_old_plan_is_not_started(aws: Aws, clock: Clock, sagemaker: FakeSageMaker):
    plan = a_plan()
    Plans(aws).save(plan)
    clock.advance(400 * DAY)
    Plans(aws).approve(plan, "ada", clock())
    with pytest.raises(RefusedError) as caught:
        launch(aws, plan, 1, clock())
    assert caught.value.code == "plan_expired"
    assert sagemaker.creations == []


def test_a_later_stage_that_became_dearer_ends_the_run(
    aws: Aws, clock: Clock, sagemaker: FakeSageMaker, monkeypatch: pytest.MonkeyPatch
):
    plan = approved(aws, clock)
    launch(aws, plan, 1, clock())
    sagemaker.end(name_of(plan), 30, metrics={"eval_f1": 0.5, "test_f1": 0.5})
    listing(monkeypatch, **DEARER)
    follow(aws, name_of(plan), clock)
    assert sagemaker.creations == [name_of(plan)]
    assert len(logged(aws, clock, EventKind.REPORT)) == 1
    assert reserved(aws, plan) == 0


def test_a_queued_plan_that_became_dearer_is_given_up(
    aws: Aws, clock: Clock, sagemaker: FakeSageMaker, monkeypatch: pytest.MonkeyPatch
):
    sagemaker.limits["ml.m5.large"] = 0
    plan = a_plan(budget_usd="1.00")
    Plans(aws).save(plan)
    queue_plan(aws, plan, clock, None, None)
    assert start_queued(aws, clock) == ((), ())
    sagemaker.limits.clear()
    listing(monkeypatch, **DEARER)
    assert start_queued(aws, clock) == ((), (plan.plan_id,))
    assert reserved(aws, plan) == 0


def test_what_was_created_is_recorded_at_any_price(
    aws: Aws, clock: Clock, sagemaker: FakeSageMaker, monkeypatch: pytest.MonkeyPatch
):
    plan = approved(aws, clock)
    sagemaker.error_after = client_error("InternalFailure", status=500)
    with pytest.raises(FaultError):
        launch(aws, plan, 1, clock())
    listing(monkeypatch, **DEARER)
    clock.advance(180)
    assert repair(aws, clock).completed == (plan.plan_id,)
    assert [job.job_name for job in Jobs(aws).open()] == [name_of(plan)]


def test_a_stage_that_became_dearer_is_not_tried_again(
    aws: Aws, clock: Clock, sagemaker: FakeSageMaker, monkeypatch: pytest.MonkeyPatch
):
    plan = approved(aws, clock)
    launch(aws, plan, 1, clock())
    sagemaker.end(name_of(plan), 30, "Failed")
    follow(aws, name_of(plan), clock)
    before = reserved(aws, plan)
    listing(monkeypatch, **DEARER)
    with pytest.raises(RefusedError) as caught:
        retry(aws, plan, name_of(plan), clock)
    assert caught.value.code == "price_changed"
    assert reserved(aws, plan) == before
