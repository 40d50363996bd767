"""The watchdog: follows what nobody followed, stops overruns, completes or undoes half a launch."""

from collections.abc import Callable
from typing import Any

import pytest

from mlops.approvals import ApprovalStatus
from mlops.aws.clients import Aws
from mlops.aws.jobs import Jobs
from mlops.aws.launch import launch
from mlops.aws.ledger import Ledger
from mlops.aws.plans import Plans
from mlops.aws.repair import Repairs, repair
from mlops.events import EventKind
from mlops.job import JobState
from mlops.plan import Plan
from tests.factories import a_plan
from tests.mlops.aws.embedded import Clock, FakeSageMaker, client_error
from tests.mlops.aws.scenes import approved, logged, name_of, reserved

NOTHING = Repairs(followed=0, stopped=(), completed=(), undone=())


@pytest.fixture
def crash(aws: Aws, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Plan]:
    """Launches a plan and dies after the named step (None: before the first)."""

    def launch_and_die(cls: type | None, step: str = "") -> Plan:
        plan = approved(aws, clock)
        if cls is None:
            return plan
        original = getattr(cls, step)

        def die(*args: Any, **kwargs: Any) -> None:
            original(*args, **kwargs)
            raise SystemError("killed")

        with monkeypatch.context() as broken:
            broken.setattr(cls, step, die)
            with pytest.raises(SystemError):
                launch(aws, plan, 1, clock())
        return plan

    return launch_and_die


def status(aws: Aws, plan: Plan) -> ApprovalStatus:
    approval = Plans(aws).approval(plan.plan_id)
    assert approval is not None
    return approval.status


def test_nothing_to_do(aws: Aws, clock: Clock):
    assert repair(aws, clock) == NOTHING


def test_an_event_that_never_came(aws: Aws, clock: Clock, sagemaker: FakeSageMaker):
    plan = approved(aws, clock)
    launch(aws, plan, 1, clock())
    sagemaker.end(name_of(plan), metrics={"eval_f1": 0.9, "test_f1": 0.9})
    assert repair(aws, clock).followed == 1
    assert len(logged(aws, clock, EventKind.REPORT)) == 1
    assert reserved(aws, plan) == 0
    assert repair(aws, clock) == NOTHING


def test_an_overrun_is_stopped_when_the_platform_did_not(
    aws: Aws, clock: Clock, sagemaker: FakeSageMaker
):
    plan = approved(aws, clock)
    launch(aws, plan, 1, clock())
    sagemaker.train(name_of(plan))
    clock.advance(plan.stages[0].max_runtime_seconds + 120)
    assert repair(aws, clock).stopped == ()
    clock.advance(1)
    assert repair(aws, clock).stopped == (name_of(plan),)
    assert Jobs(aws).get(name_of(plan)).state is JobState.STOPPING


def test_a_launch_that_died_before_creating_is_undone(
    aws: Aws, clock: Clock, sagemaker: FakeSageMaker, crash: Callable[..., Plan]
):
    plan = crash(Ledger, "book")
    assert reserved(aws, plan) == plan.ceiling_micro
    assert repair(aws, clock) == NOTHING
    clock.advance(121)
    assert repair(aws, clock).undone == (plan.plan_id,)
    assert reserved(aws, plan) == 0
    assert status(aws, plan) is ApprovalStatus.USED
    assert sagemaker.creations == []


def test_a_launch_that_died_before_recording_is_completed(
    aws: Aws, clock: Clock, sagemaker: FakeSageMaker, monkeypatch: pytest.MonkeyPatch
):
    plan = approved(aws, clock)

    def die(*_: object) -> None:
        raise SystemError("killed")

    with monkeypatch.context() as broken:
        broken.setattr(Jobs, "add", die)
        with pytest.raises(SystemError):
            launch(aws, plan, 1, clock())
    assert Jobs(aws).open() == []
    clock.advance(121)
    assert repair(aws, clock).completed == (plan.plan_id,)
    assert [job.job_name for job in Jobs(aws).open()] == [name_of(plan)]
    assert reserved(aws, plan) == plan.ceiling_micro
    assert len(logged(aws, clock, EventKind.JOB)) == 1
    assert len(sagemaker.creations) == 1
    assert repair(aws, clock).completed == ()


def test_an_approval_that_nobody_launched_is_undone(
    aws: Aws, clock: Clock, crash: Callable[..., Plan]
):
    plan = crash(None)
    clock.advance(121)
    assert repair(aws, clock).undone == (plan.plan_id,)
    assert status(aws, plan) is ApprovalStatus.USED


def test_a_launch_that_is_just_under_way_is_left_alone(
    aws: Aws, clock: Clock, crash: Callable[..., Plan]
):
    """An old approval, a young reservation: somebody is between reserving and creating."""
    plan = approved(aws, clock)
    clock.advance(3600)
    with pytest.MonkeyPatch.context() as broken:
        real = Ledger.book

        def die(*args: Any) -> None:
            real(*args)
            raise SystemError("slow")

        broken.setattr(Ledger, "book", die)
        with pytest.raises(SystemError):
            launch(aws, plan, 1, clock())
    assert repair(aws, clock) == NOTHING
    assert launch(aws, plan, 1, clock()).job.stage == 1
    assert reserved(aws, plan) == plan.ceiling_micro


def test_a_crash_between_two_stages_is_carried_on(
    aws: Aws, clock: Clock, sagemaker: FakeSageMaker, monkeypatch: pytest.MonkeyPatch
):
    plan = approved(aws, clock)
    launch(aws, plan, 1, clock())
    sagemaker.end(name_of(plan), metrics={"eval_f1": 0.5})

    def die(*_: object, **__: object) -> None:
        raise SystemError("killed")

    with monkeypatch.context() as broken:
        broken.setattr(Jobs, "add", die)
        with pytest.raises(SystemError):
            repair(aws, clock)
    assert sagemaker.creations == [name_of(plan, 1), name_of(plan, 2)]
    repair(aws, clock)
    assert [job.stage for job in Jobs(aws).open()] == [2]
    assert len(sagemaker.creations) == 2


@pytest.mark.parametrize("step", ["release", "settle"])
def test_a_crash_while_ending_leaks_nothing(
    aws: Aws, clock: Clock, sagemaker: FakeSageMaker, monkeypatch: pytest.MonkeyPatch, step: str
):
    plan = approved(aws, clock)
    launch(aws, plan, 1, clock())
    sagemaker.end(name_of(plan), metrics={"eval_f1": 0.9, "test_f1": 0.9})
    import mlops.aws.follow as module

    real = getattr(module, step)

    def die(*args: Any) -> None:
        real(*args)
        raise SystemError("killed")

    with monkeypatch.context() as broken:
        broken.setattr(module, step, die)
        with pytest.raises(SystemError):
            repair(aws, clock)
    clock.advance(121)
    repair(aws, clock)
    assert reserved(aws, plan) == 0
    assert len(logged(aws, clock, EventKind.REPORT)) == 1
    assert status(aws, plan) is ApprovalStatus.USED


def test_one_broken_job_does_not_hinder_the_others(
    aws: Aws,
    clock: Clock,
    sagemaker: FakeSageMaker,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
):
    plans = [approved(aws, clock, a_plan(dataset=name, budget_usd="1.00")) for name in "ab"]
    for plan in plans:
        launch(aws, plan, 1, clock())
        sagemaker.end(name_of(plan))
    real = sagemaker.describe_training_job

    def describe(TrainingJobName: str) -> dict[str, Any]:
        if TrainingJobName == name_of(plans[0]):
            raise client_error("ThrottlingException")
        return real(TrainingJobName)

    monkeypatch.setattr(sagemaker, "describe_training_job", describe)
    assert repair(aws, clock).followed == 1
    assert "could not follow" in caplog.text
    assert reserved(aws, plans[0]) > 0
    monkeypatch.undo()
    assert repair(aws, clock).followed == 1
    assert reserved(aws, plans[0]) == 0


@pytest.mark.parametrize(("cls", "kind"), [(Jobs, "open"), (Plans, "open_approvals")])
def test_one_kind_of_repair_that_fails_does_not_hinder_the_others(
    aws: Aws,
    clock: Clock,
    sagemaker: FakeSageMaker,
    monkeypatch: pytest.MonkeyPatch,
    cls: type,
    kind: str,
):
    ended, half = (approved(aws, clock, a_plan(dataset=n, budget_usd="1.00")) for n in "ab")
    launch(aws, ended, 1, clock())
    sagemaker.end(name_of(ended))
    clock.advance(121)

    def refuse(_: object) -> None:
        raise client_error("ThrottlingException")

    monkeypatch.setattr(cls, kind, refuse)
    done = repair(aws, clock)
    assert (done.followed, done.undone) == ((0, (half.plan_id,)) if cls is Jobs else (1, ()))


def test_a_plan_whose_jobs_are_all_closed_is_still_reported(
    aws: Aws, clock: Clock, sagemaker: FakeSageMaker, monkeypatch: pytest.MonkeyPatch
):
    """An index that was read too early shows the last job as running: nobody moved on."""
    plan = approved(aws, clock)
    launch(aws, plan, 1, clock())
    sagemaker.end(name_of(plan), metrics={"eval_f1": 0.9, "test_f1": 0.9})
    with monkeypatch.context() as early:
        early.setattr("mlops.aws.follow._move_on", lambda *_: True)
        repair(aws, clock)
    assert Jobs(aws).open() == []
    assert reserved(aws, plan) > 0
    clock.advance(121)
    repair(aws, clock)
    assert reserved(aws, plan) == 0
    assert len(logged(aws, clock, EventKind.REPORT)) == 1
