"""Managed spot: simulated interruptions, checkpoints across them, waiting, and the bill."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.errors import AwsError
from localaws.spot import FILE, Market, read_market
from tests.localaws.jobs import BUCKET, WAITING, Stack, seconds_of, statuses
from tests.patience import eventually

TRAINING_SECONDS = 100
COUNTING = """
import os, pathlib, signal, sys, threading
base = pathlib.Path(os.environ["SAGEMAKER_BASE_DIR"])
path = base / "checkpoints" / "starts"
starts = int(path.read_text()) + 1 if path.exists() else 1
path.write_text(str(starts))
(base / "model" / f"start-{starts}").write_text("weights")
signal.signal(signal.SIGTERM, lambda *_: (path.with_name("told").write_text("yes"), os._exit(143)))
print(f"train_loss={starts}", flush=True)
threading.Event().wait(0 if starts == GOOD_START else 60)
"""


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    stack = Stack(tmp_path)
    yield stack
    stack.close()


def launch(stack: Stack, name: str, script: str, max_wait: int = 6000, **market: Any) -> None:
    made = Market(interrupt_after_seconds=TRAINING_SECONDS, **market)
    (stack.store.home / FILE).write_text(made.model_dump_json())
    stack.launch(
        name,
        script,
        EnableManagedSpotTraining=True,
        StoppingCondition={"MaxRuntimeInSeconds": 600, "MaxWaitTimeInSeconds": max_wait},
        CheckpointConfig={"S3Uri": f"s3://{BUCKET}/checkpoints/{name}"},
    )


def reclaim(stack: Stack, name: str, after: str = "train_loss=1.0") -> None:
    """Its instance is due as soon as its script has said this."""
    eventually(lambda: after in stack.printed(name))
    stack.pass_time(TRAINING_SECONDS)


def test_an_interrupted_job_goes_on_from_its_checkpoint(stack: Stack):
    script = COUNTING.replace("GOOD_START", "3")
    launch(stack, "twice", script, times=2, wait_seconds=0.5)
    for start in (1, 2):
        reclaim(stack, "twice", f"train_loss={start}")
    job = stack.wait("twice")
    assert job["TrainingJobStatus"] == "Completed", job.get("FailureReason")
    once = ["Downloading", "Training"]
    again = ["Interrupted", "Restarting", *once]
    assert statuses(job) == ["Starting", *once, *again, *again, "Uploading", "Completed"]
    assert job["FinalMetricDataList"][0]["Value"] == 3
    assert stack.keys("checkpoints/twice/") == {
        "checkpoints/twice/starts",
        "checkpoints/twice/told",
    }
    transitions = job["SecondaryStatusTransitions"]
    assert (
        "simulated"
        in next(t for t in transitions if t["Status"] == "Interrupted")["StatusMessage"]
    )
    trained = job["TrainingTimeInSeconds"]
    assert 2 * TRAINING_SECONDS < trained < seconds_of(job)  # waiting is not training
    assert job["BillableTimeInSeconds"] == math.ceil(trained * 0.4)
    events = [e["detail"]["TrainingJobStatus"] for e in stack.events]
    assert events == ["InProgress", "Completed"]


def test_the_wait_ends_with_its_limit(stack: Stack):
    launch(stack, "waiting", WAITING, max_wait=1000, times=1, wait_seconds=600)
    reclaim(stack, "waiting")
    eventually(lambda: stack.describe("waiting")["SecondaryStatus"] == "Interrupted")
    stack.pass_time(900)
    job = stack.wait("waiting")
    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Stopped", "MaxWaitTimeExceeded")
    assert statuses(job)[-2:] == ["Interrupted", "MaxWaitTimeExceeded"]
    assert TRAINING_SECONDS < job["TrainingTimeInSeconds"] < 900
    assert not job.get("ModelArtifacts", {}).get("S3ModelArtifacts")
    assert (job["TrainingEndTime"] - job["CreationTime"]).total_seconds() >= 1000


def test_a_waiting_job_can_be_stopped(stack: Stack):
    launch(stack, "halted", WAITING, times=1, wait_seconds=600)
    reclaim(stack, "halted")
    eventually(lambda: stack.describe("halted")["SecondaryStatus"] == "Interrupted")
    stack.sagemaker.stop_training_job(TrainingJobName="halted")
    job = stack.wait("halted")
    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Stopped", "Stopped")


def test_without_a_request_nothing_is_interrupted_and_on_demand_never_is(stack: Stack):
    (stack.store.home / FILE).write_text('{"interrupt_after_seconds": 1, "times": 9}')
    stack.launch("demand", WAITING)
    reclaim(stack, "demand")
    job = stack.wait("demand")
    assert "Interrupted" not in statuses(job)
    assert job["BillableTimeInSeconds"] == job["TrainingTimeInSeconds"] > TRAINING_SECONDS
    (stack.store.home / FILE).unlink()
    assert read_market(stack.store.home).times == 0


@pytest.mark.parametrize("text", ["", "[]", '{"times": -1}', '{"discount": 1}', '{"savings": 1}'])
def test_a_file_that_makes_no_sense_is_refused_at_creation(stack: Stack, text: str):
    (stack.store.home / FILE).write_text(text)
    with pytest.raises(AwsError, match=FILE):
        read_market(stack.store.home)
    with pytest.raises(ClientError, match=FILE) as caught:
        stop = {"MaxRuntimeInSeconds": 2, "MaxWaitTimeInSeconds": 2}
        stack.launch("odd", WAITING, EnableManagedSpotTraining=True, StoppingCondition=stop)
    answered: Any = caught.value.response
    assert answered["ResponseMetadata"]["HTTPStatusCode"] == 501, "clients would try again"
    with pytest.raises(ClientError, match="not found"):
        stack.describe("odd")
