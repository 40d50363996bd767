"""Many launches against a small quota: all run, never too many at once, each billed for its time."""

import threading
from pathlib import Path

from botocore.exceptions import ClientError

from tests.localaws.jobs import Stack, seconds_of, statuses
from tests.patience import PATIENCE_SECONDS, eventually

LAUNCHES, QUOTA, LAUNCHERS = 50, 2, 4
RESOURCES = {"InstanceType": "ml.g4dn.xlarge", "InstanceCount": 1, "VolumeSizeInGB": 1}
SCRIPT = "import threading\nprint('train_loss=1.0')\nthreading.Event().wait(0.5)\n"


def test_fifty_launches_share_two_instances(tmp_path: Path):
    stack = Stack(tmp_path, {"ml.g4dn.xlarge for training job usage": QUOTA})
    names = [f"launch-{number:02}" for number in range(LAUNCHES)]
    waiting, refusals, running = iter(names), [], []
    try:
        for name in names:
            stack.upload_code(name, SCRIPT)

        def launch_all() -> None:
            for name in waiting:
                _launch_when_there_is_room(stack, name, refusals)

        threads = [threading.Thread(target=launch_all) for _ in range(LAUNCHERS)]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            running.append(_in_progress(stack))
            threading.Event().wait(0.05)
        jobs = [stack.wait(name) for name in names]
    finally:
        stack.close()
    assert {job["TrainingJobStatus"] for job in jobs} == {"Completed"}
    assert max(running) == QUOTA
    assert refusals and all("is 2 Instances, with current utilization of 2" in r for r in refusals)
    spans = [(job["CreationTime"], job["TrainingEndTime"]) for job in jobs]
    assert max(sum(a <= at < b for a, b in spans) for at, _ in spans) <= QUOTA
    for job in jobs:
        assert job["BillableTimeInSeconds"] == job["TrainingTimeInSeconds"] == seconds_of(job)
        assert statuses(job)[-1] == "Completed"


def _launch_when_there_is_room(stack: Stack, name: str, refusals: list[str]) -> None:
    def is_launched() -> bool:
        try:
            stack.create(name, ResourceConfig=RESOURCES)
        except ClientError as error:
            assert error.response["Error"]["Code"] == "ResourceLimitExceeded"
            refusals.append(str(error))
            return False
        return True

    eventually(is_launched, 10 * PATIENCE_SECONDS)


def _in_progress(stack: Stack) -> int:
    found = stack.sagemaker.list_training_jobs(StatusEquals="InProgress", NameContains="launch")
    return len(found["TrainingJobSummaries"])
