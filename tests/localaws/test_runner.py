"""What a new server does with the jobs that a dead one left, and what closing leaves behind."""

import io
import math
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from localaws.home import aws_environment, internal_environment
from localaws.job_records import JobRecords, enter, job_arn
from localaws.job_run import Ports
from localaws.runner import Runner
from localaws.s3 import S3
from localaws.server import Server
from localaws.store import Store
from localaws.wire import create_app
from tests.patience import eventually

BUCKET = "models"
WAITING = "import threading\nprint('up', flush=True)\nthreading.Event().wait(600)\n"


class Logs:
    def __init__(self):
        self.lines: list[str] = []

    def append(self, group: str, stream: str, events: list[tuple[int, str]]) -> None:
        self.lines += [line for _, line in events]


class Bench:
    """Records, S3 and a runner, without the SageMaker API in front."""

    def __init__(self, home: Path):
        self.store = Store(home)
        self.logs = Logs()
        self.points: list[Any] = []
        self.records = JobRecords(self.store, lambda event: None)
        self.server = Server(create_app([], S3(self.store)))
        self.server.start()
        environ = aws_environment(self.server.endpoint)
        self.s3: Any = boto3.Session().client(
            "s3",
            endpoint_url=self.server.endpoint,
            region_name=environ["AWS_REGION"],
            aws_access_key_id=environ["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=environ["AWS_SECRET_ACCESS_KEY"],
        )
        self.s3.create_bucket(Bucket=BUCKET)
        self.runner = self.new_runner()

    def new_runner(self) -> Runner:
        ports = Ports(
            lambda: self.s3,
            lambda: internal_environment(self.server.endpoint),
            self.logs.append,
            lambda namespace, points: self.points.extend(points),
        )
        return Runner(self.records, ports, self.store.home / "jobs", stop_grace_seconds=0.3)

    def insert(
        self, name: str, *statuses: str, script: str = "print('up')\n", limit: int = 60
    ) -> None:
        """A job as a server left it, after these secondary statuses."""
        self._upload(name, script)
        now = self.records.now()
        record = {
            "TrainingJobName": name,
            "TrainingJobArn": job_arn(name),
            "TrainingJobStatus": "InProgress",
            "CreationTime": now,
            "LastModifiedTime": now,
            "SecondaryStatusTransitions": [],
            "AlgorithmSpecification": {},
            "OutputDataConfig": {"S3OutputPath": f"s3://{BUCKET}/final"},
            "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
            "StoppingCondition": {"MaxRuntimeInSeconds": limit},
            "HyperParameters": {
                "sagemaker_program": "train.py",
                "sagemaker_submit_directory": f"s3://{BUCKET}/code/{name}.tar.gz",
            },
            "EnableNetworkIsolation": True,
        }
        for status in ("Starting", *statuses):
            enter(record, now, status, status)
        self.records.insert(record)

    def leave_model(self, name: str) -> None:
        model = self.store.home / "jobs" / name / "ml" / "model"
        model.mkdir(parents=True)
        (model.parent / "tmp").mkdir()
        (model / "half.txt").write_text("half")

    def ended(self, name: str) -> dict[str, Any]:
        eventually(lambda: self.runner.active() == 0)
        record = self.records.get(name)
        assert record is not None
        return record

    def close(self) -> None:
        self.runner.close()
        self.server.stop()
        self.store.close()

    def _upload(self, name: str, script: str) -> None:
        content = io.BytesIO()
        with tarfile.open(fileobj=content, mode="w:gz") as tar:
            info = tarfile.TarInfo("train.py")
            info.size = len(script)
            tar.addfile(info, io.BytesIO(script.encode()))
        self.s3.put_object(Bucket=BUCKET, Key=f"code/{name}.tar.gz", Body=content.getvalue())


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    bench.close()


def test_unfinished_job_is_restarted_and_bills_all_its_time(bench: Bench):
    bench.insert("again", "Downloading", "Training")
    bench.records.set_used_seconds("again", 7.2)
    bench.runner.recover()
    record = bench.ended("again")
    assert record["TrainingJobStatus"] == "Completed"
    assert [t["Status"] for t in record["SecondaryStatusTransitions"]][3:5] == [
        "Restarting",
        "Downloading",
    ]
    assert record["BillableTimeInSeconds"] == _seconds_in_all(record, 7.2)
    assert bench.logs.lines == ["up"]


def test_time_used_before_counts_towards_the_limit(bench: Bench):
    bench.insert("short", "Training", script=WAITING, limit=600)
    bench.records.set_used_seconds("short", 599.5)
    bench.runner.recover()
    record = bench.ended("short")
    assert record["SecondaryStatus"] == "MaxRuntimeExceeded"
    assert record["BillableTimeInSeconds"] == _seconds_in_all(record, 599.5)


def test_job_out_of_time_ends_with_the_model_it_left(bench: Bench):
    bench.insert("spent", "Training", limit=5)
    bench.records.set_used_seconds("spent", 5.5)
    bench.leave_model("spent")
    bench.runner.recover()
    record = bench.ended("spent")
    assert (record["TrainingJobStatus"], record["SecondaryStatus"]) == (
        "Stopped",
        "MaxRuntimeExceeded",
    )
    assert record["BillableTimeInSeconds"] == 6
    assert record["ModelArtifacts"]["S3ModelArtifacts"].endswith("spent/output/model.tar.gz")


def test_job_that_was_stopping_is_stopped(bench: Bench):
    bench.insert("halting", "Training")
    bench.records.change("halting", lambda r, now: r.update(TrainingJobStatus="Stopping"))
    bench.runner.recover()
    record = bench.ended("halting")
    assert (record["TrainingJobStatus"], record["SecondaryStatus"]) == ("Stopped", "Stopped")
    assert "ModelArtifacts" not in record
    assert bench.logs.lines == []


def test_job_whose_runner_keeps_dying_fails(bench: Bench):
    bench.insert("cursed", *["Training", "Restarting"] * 3)
    bench.runner.recover()
    record = bench.ended("cursed")
    assert record["TrainingJobStatus"] == "Failed"
    assert "runner died 4 times" in record["FailureReason"]


def test_closing_leaves_the_job_for_the_next_start(bench: Bench):
    bench.insert("carried", script=WAITING)
    bench.runner.start("carried")
    eventually(lambda: bench.logs.lines == ["up"])
    bench.runner.close()
    record = bench.records.get("carried")
    assert record is not None
    assert record["TrainingJobStatus"] == "InProgress"
    assert bench.runner.active() == 0
    bench.runner = bench.new_runner()
    bench.runner.recover()
    eventually(lambda: bench.logs.lines == ["up", "up"])
    bench.runner.stop("carried")
    assert bench.ended("carried")["TrainingJobStatus"] == "Stopped"


def test_children_that_outlive_the_script_are_killed(bench: Bench):
    script = (
        "import subprocess, sys\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import threading; threading.Event().wait(600)'])\n"
        "print(child.pid)\n"
    )
    bench.insert("parent", script=script)
    bench.runner.start("parent")
    assert bench.ended("parent")["TrainingJobStatus"] == "Completed"
    pid = int(bench.logs.lines[0])
    eventually(lambda: not _runs(pid))


def test_use_of_the_machine_is_measured(bench: Bench):
    bench.insert("busy", script="while True: pass\n")
    bench.runner.start("busy")
    eventually(lambda: bench.points)
    bench.runner.stop("busy")
    bench.ended("busy")
    found = {name: value for name, dimensions, value, _ in bench.points}
    assert found["CPUUtilization"] > 0
    assert 0 < found["MemoryUtilization"] < 50
    assert bench.points[0][1] == {"Host": "busy/algo-1"}


def _seconds_in_all(record: dict[str, Any], used_before: float) -> int:
    starts = [t for t in record["SecondaryStatusTransitions"] if t["Status"] == "Downloading"]
    running = record["TrainingEndTime"] - starts[-1]["StartTime"]
    return math.ceil(used_before + running.total_seconds())


def _runs(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"
