"""Jobs that carry our name and that nobody knows are stopped and told; those of others are left alone."""

import pytest

from mlops.aws.clients import Aws
from mlops.aws.launch import launch
from mlops.aws.orphans import OPERATIONS, stop_orphans
from mlops.aws.repair import repair
from mlops.events import EventKind
from tests.mlops.aws.embedded import Clock, FakeSageMaker
from tests.mlops.aws.scenes import approved, logged, name_of

ORPHAN = "llmops-cier-0123456789ab-s1-a1"


def start(sagemaker: FakeSageMaker, name: str) -> None:
    config = {"InstanceType": "ml.m5.large", "InstanceCount": 1}
    sagemaker.create_training_job(TrainingJobName=name, ResourceConfig=config)


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
    launch(aws, plan.plan_id, 1, clock())
    half = approved(aws, clock, plan.model_copy(update={"plan_id": "plan-ffff0123456789ff"}))
    start(sagemaker, name_of(half))
    clock.advance(301)
    assert stop_orphans(aws, clock) == ()
