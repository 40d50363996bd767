"""Each way in which a training job ends, side by side, as DescribeTrainingJob and EventBridge tell it."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from localaws.spot import FILE, Market
from tests.localaws.jobs import BUCKET, Stack, seconds_of, statuses
from tests.patience import eventually

MODEL = "import os, pathlib, threading\npathlib.Path(os.environ['SM_MODEL_DIR'], 'm').write_text('w')\nprint('train_loss=1.0', flush=True)\n"
WAIT = MODEL + "threading.Event().wait(600)\n"
DEAF = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + WAIT
FAIL = (
    MODEL + "pathlib.Path(os.environ['SM_OUTPUT_DIR'], 'failure').write_text('No label column.')\n"
    "raise SystemExit(3)\n"
)
RUN = ["Starting", "Downloading", "Training"]
LIMIT_SECONDS, RECLAIMED_SECONDS = 60, 30
SPOT = {
    "EnableManagedSpotTraining": True,
    "StoppingCondition": {"MaxRuntimeInSeconds": 600, "MaxWaitTimeInSeconds": 600},
}


@dataclass(frozen=True)
class Case:
    name: str
    script: str
    status: str
    after: list[str]
    """Secondary statuses once training began."""
    reason: str | None = None
    model: bool = True
    stopped: bool = False
    passing_seconds: int = 0
    """Of the clock, once the script trains."""
    more: dict[str, Any] = field(default_factory=dict)

    @property
    def events(self) -> list[str]:
        return ["InProgress", *(["Stopping"] if self.stopped else []), self.status]


CASES = [
    Case("completed", MODEL, "Completed", ["Uploading", "Completed"]),
    Case("failed", FAIL, "Failed", ["Failed"], "AlgorithmError: No label column., exit code: 3", model=False),
    Case("crashed", MODEL + "os.kill(os.getpid(), 11)\n", "Failed", ["Failed"], "AlgorithmError: the script ended without a failure file; its last log lines say why, exit code: 139", model=False),
    Case("stopped", WAIT, "Stopped", ["Stopping", "Stopped"], stopped=True),
    Case("deaf", DEAF, "Stopped", ["Stopping", "Stopped"], stopped=True),
    Case("overtime", WAIT, "Stopped", ["Uploading", "MaxRuntimeExceeded"], passing_seconds=LIMIT_SECONDS),
    Case("reclaimed", WAIT, "Stopped", ["Interrupted", "Restarting", "Downloading", "Training", "Stopping", "Stopped"], stopped=True, passing_seconds=RECLAIMED_SECONDS, more=SPOT),
]  # fmt: skip


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    stack = Stack(tmp_path_factory.mktemp("ends"), stop_grace_seconds=0.5)
    market = Market(interrupt_after_seconds=RECLAIMED_SECONDS, times=1)
    (stack.store.home / FILE).write_text(market.model_dump_json())
    yield stack
    stack.close()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_ends_as_on_aws(stack: Stack, case: Case):
    stack.launch(case.name, case.script, **case.more)
    if case.passing_seconds:
        _await_starts(stack, case, 1)
        stack.pass_time(case.passing_seconds)
    if case.stopped:
        _await_starts(stack, case, case.after.count("Restarting") + 1)
        stack.sagemaker.stop_training_job(TrainingJobName=case.name)
    job = stack.wait(case.name)
    assert job["TrainingJobStatus"] == case.status
    assert job["SecondaryStatus"] == case.after[-1]
    assert statuses(job) == [*RUN, *case.after]
    assert job.get("FailureReason") == case.reason
    _check_transitions(job)
    _check_bill(job)
    uri = f"s3://{BUCKET}/final/{case.name}/output/model.tar.gz"
    has_model = job.get("ModelArtifacts", {}).get("S3ModelArtifacts")
    assert has_model == (uri if case.model else None)
    assert bool(stack.keys(f"final/{case.name}/")) == case.model
    details = [e["detail"] for e in stack.events if e["detail"]["TrainingJobName"] == case.name]
    assert [d["TrainingJobStatus"] for d in details] == case.events
    assert details[-1].get("FailureReason") == case.reason
    assert job["FinalMetricDataList"][0]["Value"] == 1.0


def _await_starts(stack: Stack, case: Case, starts: int) -> None:
    eventually(lambda: stack.printed(case.name).count("train_loss=1.0") == starts)


def _check_transitions(job: dict[str, Any]) -> None:
    """One ends where the next begins, and the last ends with the job."""
    transitions = job["SecondaryStatusTransitions"]
    for before, after in zip(transitions, transitions[1:], strict=False):
        assert before["EndTime"] == after["StartTime"]
    assert transitions[-1]["EndTime"] == job["TrainingEndTime"]
    assert all(t["StatusMessage"] for t in transitions)


def _check_bill(job: dict[str, Any]) -> None:
    seconds, billed = job["TrainingTimeInSeconds"], job["BillableTimeInSeconds"]
    if job["EnableManagedSpotTraining"]:
        assert RECLAIMED_SECONDS < seconds <= seconds_of(job)
        assert billed == math.ceil(0.4 * seconds)
    else:
        assert billed == seconds == seconds_of(job)
