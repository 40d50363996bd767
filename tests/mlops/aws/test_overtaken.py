"""A launch that slept over its claim: others undid its plan meanwhile, and no money may come of it. One
whose record was not taken: its job runs, and its money stays."""

from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from mlops.aws.books import verify
from mlops.aws.clients import Aws
from mlops.aws.follow import follow
from mlops.aws.jobs import Jobs
from mlops.aws.launch import UNCERTAIN, launch
from mlops.aws.ledger import Ledger
from mlops.aws.repair import repair
from mlops.aws.stops import stop_run
from mlops.errors import FaultError, RefusedError
from mlops.events import EventKind
from mlops.ledger import person_scope
from tests.mlops.aws.embedded import Clock, FakeSageMaker, client_error
from tests.mlops.aws.scenes import approved, logged, name_of, reserved


def test_what_was_undone_meanwhile_gets_no_record_and_is_stopped_and_billed(
    aws: Aws, clock: Clock, sagemaker: FakeSageMaker, monkeypatch: pytest.MonkeyPatch
):
    plan, create = approved(aws, clock), sagemaker.create_training_job

    def create_late(**request: object) -> dict[str, str]:
        clock.advance(200)
        assert repair(aws, clock).undone == (plan.plan_id,)
        return create(**request)

    monkeypatch.setattr(sagemaker, "create_training_job", create_late)
    with pytest.raises(RefusedError) as caught:
        launch(aws, plan, 1, clock())
    assert caught.value.code == "approval_used"
    assert sagemaker.creations == [name_of(plan)] and Jobs(aws).open() == []
    assert sagemaker.jobs[name_of(plan)]["TrainingJobStatus"] == "Stopping"
    sagemaker.end(name_of(plan), 400, "Stopped")
    assert repair(aws, clock).orphans_booked == (name_of(plan),)
    assert reserved(aws, plan) == 0 and verify(aws, clock()) == []
    month = Ledger(aws).totals(person_scope("ada", clock()))
    assert month is not None and month.spent_micro > 0


def test_a_stage_that_a_person_stopped_meanwhile_gives_nothing_back_twice(
    aws: Aws, clock: Clock, sagemaker: FakeSageMaker, monkeypatch: pytest.MonkeyPatch
):
    plan, create = approved(aws, clock), sagemaker.create_training_job
    launch(aws, plan, 1, clock())
    sagemaker.end(name_of(plan), 60, metrics={"eval_f1": 0.1, "test_f1": 0.1})

    def create_late(**request: object) -> dict[str, str]:
        clock.advance(200)
        stop_run(aws, plan)
        repair(aws, clock)
        return create(**request)

    with monkeypatch.context() as late:
        late.setattr(sagemaker, "create_training_job", create_late)
        follow(aws, name_of(plan), clock)
    assert sagemaker.creations == [name_of(plan), name_of(plan, 2)]
    assert Jobs(aws).open() == [] and Jobs(aws).find(name_of(plan, 2)) is None
    assert len(logged(aws, clock, EventKind.REPORT)) == 1
    assert sagemaker.jobs[name_of(plan, 2)]["TrainingJobStatus"] == "Stopping"
    sagemaker.end(name_of(plan, 2), 400, "Stopped")
    assert repair(aws, clock).orphans_booked == (name_of(plan, 2),)
    assert reserved(aws, plan) == 0 and verify(aws, clock()) == []


@pytest.mark.parametrize(
    "error",
    [
        EndpointConnectionError(endpoint_url="http://127.0.0.1:1"),
        client_error("AccessDeniedException"),
        client_error("InternalServerError", status=500),
    ],
)
def test_a_stage_that_could_not_be_recorded_is_recorded_by_whoever_comes_next(
    aws: Aws,
    clock: Clock,
    sagemaker: FakeSageMaker,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
):
    """It runs: it is neither stopped nor is its run reported without it."""
    plan, create = approved(aws, clock), sagemaker.create_training_job
    launch(aws, plan, 1, clock())
    sagemaker.end(name_of(plan), 60, metrics={"eval_f1": 0.1, "test_f1": 0.1})

    def refuse(**_: Any) -> None:
        raise error

    with monkeypatch.context() as late:

        def create_and_lose(**request: Any) -> dict[str, str]:
            late.setattr(aws.dynamodb, "transact_write_items", refuse)
            return create(**request)

        late.setattr(sagemaker, "create_training_job", create_and_lose)
        with pytest.raises(FaultError) as caught:
            follow(aws, name_of(plan), clock)
    assert caught.value.code == UNCERTAIN
    assert sagemaker.jobs[name_of(plan, 2)]["TrainingJobStatus"] == "InProgress"
    assert reserved(aws, plan) >= plan.stages[1].ceiling_micro
    clock.advance(400)
    assert repair(aws, clock).orphans == ()
    assert [job.stage for job in Jobs(aws).open()] == [2]
    assert logged(aws, clock, EventKind.REPORT) == [] and verify(aws, clock()) == []
