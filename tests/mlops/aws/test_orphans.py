"""Jobs that carry our name and that nobody knows are stopped and told; those of others are left alone."""

import pytest

from mlops.aws.books import verify
from mlops.aws.clients import Aws
from mlops.aws.launch import launch
from mlops.aws.ledger import Ledger
from mlops.aws.limits import Limits
from mlops.aws.orphans import OPERATIONS, stop_orphans
from mlops.aws.plans import Plans
from mlops.aws.repair import repair
from mlops.events import EventKind
from mlops.job import PLAN_TAG
from mlops.ledger import EntryKind, person_scope, team_scope, unattributed_scope
from tests.factories import NOW
from tests.mlops.aws.embedded import Clock, Embedded, FakeSageMaker, client_error
from tests.mlops.aws.scenes import approved, logged, name_of

ORPHAN = "llmops-cier-0123456789ab-s1-a1"


def start(sagemaker: FakeSageMaker, name: str, plan_id: str | None = None) -> None:
    config = {"InstanceType": "ml.m5.large", "InstanceCount": 1}
    tags = [{"Key": PLAN_TAG, "Value": plan_id}] if plan_id else []
    sagemaker.create_training_job(TrainingJobName=name, ResourceConfig=config, Tags=tags)


def booked(aws: Aws, scope: str) -> list[tuple[EntryKind, int]]:
    return [(e.kind, e.spent_micro) for e in Ledger(aws).entries(scope) if e.key == ORPHAN]


def test_an_orphan_is_stopped_once_and_told(aws: Aws, clock: Clock, sagemaker: FakeSageMaker):
    start(sagemaker, ORPHAN)
    assert stop_orphans(aws, clock) == ()
    clock.advance(301)
    assert repair(aws, clock).orphans == (ORPHAN,)
    assert repair(aws, clock).orphans == ()
    [event] = logged(aws, clock, EventKind.THINKING, OPERATIONS)
    assert event.data["job_name"] == ORPHAN and event.data["repair"] == "orphan_stopped"


@pytest.mark.parametrize("name", ["somebodys-job", "llmops-cier", "llmops-x-s1-a1"])
def test_jobs_of_others_are_left_alone(
    aws: Aws, clock: Clock, sagemaker: FakeSageMaker, name: str
):
    start(sagemaker, name)
    clock.advance(301)
    assert stop_orphans(aws, clock) == ()


def test_our_own_jobs_are_none(aws: Aws, clock: Clock, sagemaker: FakeSageMaker):
    plan = approved(aws, clock)
    launch(aws, plan, 1, clock())
    half = approved(aws, clock, plan.model_copy(update={"plan_id": "plan-ffff0123456789ff"}))
    start(sagemaker, name_of(half))
    clock.advance(301)
    assert stop_orphans(aws, clock) == ()


def test_the_bill_of_an_orphan_is_booked_once_when_it_has_ended(
    aws: Aws, clock: Clock, sagemaker: FakeSageMaker
):
    start(sagemaker, ORPHAN)
    clock.advance(301)
    assert repair(aws, clock).orphans_booked == ()
    sagemaker.end(ORPHAN, 3600, "Stopped")
    assert repair(aws, clock).orphans_booked == (ORPHAN,)
    assert repair(aws, clock).orphans_booked == ()
    # An hour of the type and of its volume.
    assert booked(aws, unattributed_scope(NOW)) == [(EntryKind.ADJUST, 115_000 + 6_250)]
    assert verify(aws, clock()) == []
    told = logged(aws, clock, EventKind.THINKING, OPERATIONS)
    assert [e.data["repair"] for e in told] == ["orphan_stopped", "orphan_booked"]


def test_a_plan_that_its_tag_names_says_whose_it_is(
    embedded: Embedded, clock: Clock, sagemaker: FakeSageMaker
):
    aws = embedded.connect(sagemaker, team="nlp", team_monthly_limit_usd="20")
    plan = approved(aws, clock)
    Plans(aws).close(plan.plan_id)
    start(sagemaker, ORPHAN, plan.plan_id)
    clock.advance(301)
    repair(aws, clock)
    sagemaker.end(ORPHAN, 3600, "Stopped")
    repair(aws, clock)
    for scope in (person_scope("ada", NOW), team_scope("nlp", NOW)):
        assert booked(aws, scope) == [(EntryKind.ADJUST, 121_250)]
    assert verify(aws, clock()) == []


def test_a_bill_counts_whatever_is_left(aws: Aws, clock: Clock, sagemaker: FakeSageMaker):
    plan = approved(aws, clock)
    Plans(aws).close(plan.plan_id)
    Limits(aws).set_person("ada", 0, clock())
    start(sagemaker, ORPHAN, plan.plan_id)
    clock.advance(301)
    repair(aws, clock)
    sagemaker.end(ORPHAN, 3600, "Stopped")
    repair(aws, clock)
    assert booked(aws, person_scope("ada", NOW)) == [(EntryKind.ADJUST, 121_250)]
    assert "over its limit" in verify(aws, clock())[0]


def test_a_crash_while_stopping_does_not_lose_the_bill(
    aws: Aws, clock: Clock, sagemaker: FakeSageMaker, monkeypatch: pytest.MonkeyPatch
):
    stop = sagemaker.stop_training_job

    def stop_and_die(TrainingJobName: str) -> None:
        stop(TrainingJobName)
        raise SystemError("killed")

    start(sagemaker, ORPHAN)
    clock.advance(301)
    with monkeypatch.context() as broken:
        broken.setattr(sagemaker, "stop_training_job", stop_and_die)
        with pytest.raises(SystemError):
            stop_orphans(aws, clock)
    sagemaker.end(ORPHAN, 3600, "Stopped")
    assert repair(aws, clock).orphans_booked == (ORPHAN,)
    assert booked(aws, unattributed_scope(NOW)) == [(EntryKind.ADJUST, 121_250)]


def test_a_fault_does_not_give_a_persons_bill_to_nobody(
    aws: Aws, clock: Clock, sagemaker: FakeSageMaker, monkeypatch: pytest.MonkeyPatch
):
    def refuse(**_: str) -> None:
        raise client_error("ThrottlingException")

    plan = approved(aws, clock)
    Plans(aws).close(plan.plan_id)
    start(sagemaker, ORPHAN, plan.plan_id)
    other = ORPHAN.replace("0123", "ffff")
    start(sagemaker, other)
    clock.advance(301)
    repair(aws, clock)
    for name in (ORPHAN, other):
        sagemaker.end(name, 3600, "Stopped")
    with monkeypatch.context() as busy:
        busy.setattr(sagemaker, "list_tags", refuse)
        assert repair(aws, clock).orphans_booked == ()
    assert repair(aws, clock).orphans_booked == (ORPHAN, other)
    assert booked(aws, person_scope("ada", NOW)) == [(EntryKind.ADJUST, 121_250)]
    assert booked(aws, unattributed_scope(NOW)) == []


def test_many_running_jobs_of_open_plans_cost_one_request(
    aws: Aws, clock: Clock, sagemaker: FakeSageMaker, monkeypatch: pytest.MonkeyPatch
):
    plan = approved(aws, clock)
    launch(aws, plan, 1, clock())
    clock.advance(301)
    monkeypatch.setattr(aws.dynamodb, "get_item", None)
    assert stop_orphans(aws, clock) == ()


def test_a_bill_that_still_grows_is_not_booked(
    aws: Aws, clock: Clock, sagemaker: FakeSageMaker, monkeypatch: pytest.MonkeyPatch
):
    """It could not be stopped, and AWS says already what it has used."""

    def refuse(**_: str) -> None:
        raise client_error("ThrottlingException")

    start(sagemaker, ORPHAN)
    sagemaker.jobs[ORPHAN]["BillableTimeInSeconds"] = 60
    clock.advance(301)
    with monkeypatch.context() as busy:
        busy.setattr(sagemaker, "stop_training_job", refuse)
        assert repair(aws, clock).orphans_booked == ()
    assert repair(aws, clock).orphans == (ORPHAN,)
    assert repair(aws, clock).orphans_booked == ()
    sagemaker.end(ORPHAN, 3600, "Stopped")
    assert repair(aws, clock).orphans_booked == (ORPHAN,)
    assert booked(aws, unattributed_scope(NOW)) == [(EntryKind.ADJUST, 121_250)]
