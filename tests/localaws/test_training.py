"""SageMaker training jobs through boto3, with tiny real scripts: life cycle, ends, quotas, listing."""

import io
import json
import tarfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from localaws.home import aws_environment, internal_environment
from localaws.job_records import JobRecords
from localaws.job_run import Ports
from localaws.runner import Runner
from localaws.s3 import S3
from localaws.server import Server
from localaws.store import Store
from localaws.training import Training
from localaws.wire import create_app

BUCKET = "models"
OK = """
import json, os, pathlib, sys
print("args", sys.argv[1:])
for step in range(3):
    print(f"iteration={step} train_loss={3 - step}.5")
print("data", pathlib.Path(os.environ["SM_CHANNEL_TRAINING"], "sub", "train.tsv").read_text())
print("secret", os.environ.get("PYTEST_CURRENT_TEST"), os.environ["MINE"])
pathlib.Path(os.environ["SM_MODEL_DIR"], "model.txt").write_text("weights")
pathlib.Path(os.environ["SM_OUTPUT_DATA_DIR"], "scores.txt").write_text("0.9")
"""
WAITING = """
import os, pathlib, signal, sys, threading
pathlib.Path(os.environ["SM_MODEL_DIR"], "half.txt").write_text("half")
def stop(*_):
    print("stopping", flush=True)
    os._exit(143)
signal.signal(signal.SIGTERM, stop)
print("train_loss=1.0", flush=True)
threading.Event().wait(60)
"""


class Logs:
    """Stands for CloudWatch Logs: lines by (group, stream)."""

    def __init__(self):
        self.lines: dict[tuple[str, str], list[str]] = defaultdict(list)

    def append(self, group: str, stream: str, events: list[tuple[int, str]]) -> None:
        self.lines[group, stream] += [line for _, line in events]


class Stack:
    """SageMaker and S3 behind one server."""

    def __init__(self, home: Path, limits: dict[str, int] | None = None):
        self.store = Store(home)
        self.logs = Logs()
        self.points: list[tuple[str, str, dict[str, str], float]] = []
        self.events: list[dict[str, Any]] = []
        self.records = JobRecords(self.store, self.events.append)
        ports = Ports(
            lambda: self.s3,
            lambda: internal_environment(self.server.endpoint),
            self.logs,
            self._put_points,
        )
        self.runner = Runner(self.records, ports, home / "jobs", stop_grace_seconds=0.5)
        limit = (limits or {}).get
        self.training = Training(self.runner, lambda name: limit(name, 20))
        self.server = Server(create_app([self.training], S3(self.store)))
        self.server.start()
        self.s3 = self._client("s3")
        self.sagemaker = self._client("sagemaker")

    def launch(self, name: str, script: str, **more: Any) -> None:
        self._upload_code(script)
        request: dict[str, Any] = {
            "TrainingJobName": name,
            "AlgorithmSpecification": {
                "TrainingImage": "image",
                "TrainingInputMode": "File",
                "MetricDefinitions": [
                    {"Name": "train_loss", "Regex": r"train_loss=([0-9.eE+-]+)"}
                ],
            },
            "RoleArn": "arn:aws:iam::000000000000:role/training",
            "InputDataConfig": [channel("training", f"s3://{BUCKET}/prepared/set/")],
            "OutputDataConfig": {"S3OutputPath": f"s3://{BUCKET}/final"},
            "ResourceConfig": {
                "InstanceType": "ml.m5.large",
                "InstanceCount": 1,
                "VolumeSizeInGB": 30,
            },
            "StoppingCondition": {"MaxRuntimeInSeconds": 60},
            "HyperParameters": {
                "engine": "crf",
                "epochs": "3",
                "use_peft": "true",
                "sagemaker_program": '"train.py"',
                "sagemaker_submit_directory": f'"s3://{BUCKET}/code/sourcedir.tar.gz"',
            },
            "Environment": {"MINE": "1"},
        }
        self.sagemaker.create_training_job(**(request | more))

    def describe(self, name: str) -> dict[str, Any]:
        return self.sagemaker.describe_training_job(TrainingJobName=name)

    def wait(self, name: str) -> dict[str, Any]:
        eventually(lambda: self.describe(name)["TrainingJobStatus"] in FINAL)
        eventually(lambda: self.runner.active() == 0)
        return self.describe(name)

    def printed(self, name: str) -> list[str]:
        return [
            line
            for (_, s), lines in self.logs.lines.items()
            if s.startswith(name)
            for line in lines
        ]

    def keys(self, prefix: str) -> set[str]:
        found = self.s3.list_objects_v2(Bucket=BUCKET, Prefix=prefix).get("Contents", [])
        return {item["Key"] for item in found}

    def close(self) -> None:
        self.runner.close()
        self.server.stop()
        self.store.close()

    def _upload_code(self, script: str) -> None:
        if not self.s3.list_buckets()["Buckets"]:
            self.s3.create_bucket(Bucket=BUCKET)
            self.s3.put_object(Bucket=BUCKET, Key="prepared/set/sub/train.tsv", Body=b"a\tO\n")
        content = io.BytesIO()
        with tarfile.open(fileobj=content, mode="w:gz") as tar:
            info = tarfile.TarInfo("train.py")
            info.size = len(script)
            tar.addfile(info, io.BytesIO(script.encode()))
        self.s3.put_object(Bucket=BUCKET, Key="code/sourcedir.tar.gz", Body=content.getvalue())

    def _client(self, service: str) -> Any:
        environ = aws_environment(self.server.endpoint)
        return boto3.Session().client(
            service,
            endpoint_url=self.server.endpoint,
            region_name=environ["AWS_REGION"],
            aws_access_key_id=environ["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=environ["AWS_SECRET_ACCESS_KEY"],
            config=Config(retries={"total_max_attempts": 1}),
        )

    def _put_points(
        self, namespace: str, points: list[tuple[str, dict[str, str], float, datetime]]
    ) -> None:
        self.points += [
            (namespace, name, dimensions, value) for name, dimensions, value, _ in points
        ]


FINAL = ("Completed", "Failed", "Stopped")


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    stack = Stack(tmp_path_factory.mktemp("training"))
    yield stack
    stack.close()


def channel(name: str, uri: str) -> dict[str, Any]:
    source = {"S3DataType": "S3Prefix", "S3Uri": uri, "S3DataDistributionType": "FullyReplicated"}
    return {"ChannelName": name, "DataSource": {"S3DataSource": source}}


def eventually(condition: Callable[[], Any], seconds: float = 15) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "did not happen in time"
        threading.Event().wait(0.02)
    return found


def statuses(job: dict[str, Any]) -> list[str]:
    return [transition["Status"] for transition in job["SecondaryStatusTransitions"]]


def test_a_job_runs_to_its_model(stack: Stack):
    stack.launch("good", OK)
    job = stack.wait("good")
    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Completed", "Completed")
    assert statuses(job) == ["Starting", "Downloading", "Training", "Uploading", "Completed"]
    elapsed = (job["TrainingEndTime"] - job["TrainingStartTime"]).total_seconds()
    assert (
        job["BillableTimeInSeconds"] == job["TrainingTimeInSeconds"] == max(1, -int(-elapsed // 1))
    )
    [metric] = job["FinalMetricDataList"]
    assert (metric["MetricName"], metric["Value"]) == ("train_loss", 1.5)
    uri = job["ModelArtifacts"]["S3ModelArtifacts"]
    assert uri == f"s3://{BUCKET}/final/good/output/model.tar.gz"
    assert stack.keys("final/good/") == {
        "final/good/output/model.tar.gz",
        "final/good/output/output.tar.gz",
    }
    body = stack.s3.get_object(Bucket=BUCKET, Key="final/good/output/model.tar.gz")["Body"].read()
    with tarfile.open(fileobj=io.BytesIO(body)) as tar:
        assert tar.getnames() == ["model.txt"]
    assert job["HyperParameters"]["epochs"] == "3"
    assert job["Environment"] == {"MINE": "1"}
    assert not (stack.store.home / "jobs" / "good").exists()


def test_its_lines_and_metrics_arrive(stack: Stack):
    stack.launch("lines", OK)
    stack.wait("lines")
    lines = stack.printed("lines")
    assert "args ['--engine', 'crf', '--epochs', '3', '--use_peft', 'True']" in lines
    assert "data a\tO" in lines
    assert "secret None 1" in lines
    [(group, stream)] = [key for key in stack.logs.lines if key[1].startswith("lines/algo-1-")]
    assert (group, stream.partition("/")[0]) == ("/aws/sagemaker/TrainingJobs", "lines")
    points = [p for p in stack.points if p[2] == {"TrainingJobName": "lines"}]
    assert [value for *_, value in points] == [3.5, 2.5, 1.5]


def test_each_change_of_status_is_an_event(stack: Stack):
    stack.launch("evented", OK)
    stack.wait("evented")
    mine = [e for e in stack.events if e["detail"]["TrainingJobName"] == "evented"]
    assert [e["detail"]["TrainingJobStatus"] for e in mine] == ["InProgress", "Completed"]
    last = mine[-1]
    assert last["source"] == "aws.sagemaker"
    assert last["detail-type"] == "SageMaker Training Job State Change"
    assert last["resources"] == [stack.describe("evented")["TrainingJobArn"]]
    assert isinstance(last["detail"]["TrainingEndTime"], int)
    json.dumps(last)


def test_failure_file_is_the_reason(stack: Stack):
    stack.launch(
        "failing",
        "import os, pathlib\n"
        "pathlib.Path(os.environ['SAGEMAKER_BASE_DIR'], 'output', 'failure').write_text('No label column. ' + 'x' * 5000)\n"
        "raise SystemExit(1)\n",
    )
    job = stack.wait("failing")
    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Failed", "Failed")
    assert job["FailureReason"].startswith("AlgorithmError: No label column. xxx")
    assert job["FailureReason"].endswith("exit code: 1")
    assert len(job["FailureReason"]) <= 1024
    assert job["BillableTimeInSeconds"] >= 1
    assert "ModelArtifacts" not in job or not job["ModelArtifacts"]


@pytest.mark.parametrize(
    ("name", "script", "more", "reason"),
    [
        ("crash", "import os\nos.kill(os.getpid(), 9)\n", {}, "exit code: 137"),
        ("nodata", OK, {"InputDataConfig": [channel("training", f"s3://{BUCKET}/none/")]}, "No S3 objects found"),
        ("nobucket", OK, {"InputDataConfig": [channel("training", "s3://nowhere/x")]}, "NoSuchBucket"),
        ("nocode", OK, {"HyperParameters": {"sagemaker_program": "train.py", "sagemaker_submit_directory": f"s3://{BUCKET}/nope.tar.gz"}}, "could not be read"),
        ("noentry", OK, {"HyperParameters": {}}, "sagemaker_program"),
        ("wrongentry", OK, {"HyperParameters": {"sagemaker_program": "other.py", "sagemaker_submit_directory": f"s3://{BUCKET}/code/sourcedir.tar.gz"}}, "other.py is not in"),
    ],
)  # fmt: skip
def test_other_failures_say_why(
    stack: Stack, name: str, script: str, more: dict[str, Any], reason: str
):
    stack.launch(name, script, **more)
    job = stack.wait(name)
    assert job["TrainingJobStatus"] == "Failed"
    assert reason in job["FailureReason"]
    assert job["BillableTimeInSeconds"] == 1


def test_stop_ends_politely_and_keeps_the_model(stack: Stack):
    stack.launch("stopped", WAITING)
    eventually(lambda: "train_loss=1.0" in stack.printed("stopped"))
    assert stack.describe("stopped")["SecondaryStatus"] == "Training"
    stack.sagemaker.stop_training_job(TrainingJobName="stopped")
    job = stack.wait("stopped")
    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Stopped", "Stopped")
    assert statuses(job)[-2:] == ["Stopping", "Stopped"]
    assert "stopping" in stack.printed("stopped")
    assert "final/stopped/output/model.tar.gz" in stack.keys("final/stopped/")
    with pytest.raises(ClientError, match="the training job is in status Stopped"):
        stack.sagemaker.stop_training_job(TrainingJobName="stopped")
    mine = [e["detail"] for e in stack.events if e["detail"]["TrainingJobName"] == "stopped"]
    assert [d["TrainingJobStatus"] for d in mine] == ["InProgress", "Stopping", "Stopped"]


def test_a_deaf_script_is_killed_after_the_grace(stack: Stack):
    deaf = WAITING.replace("os._exit(143)", "threading.Event().wait(60)")
    stack.launch("deaf", deaf)
    eventually(lambda: "train_loss=1.0" in stack.printed("deaf"))
    stack.sagemaker.stop_training_job(TrainingJobName="deaf")
    job = stack.wait("deaf")
    assert job["TrainingJobStatus"] == "Stopped"
    assert job["BillableTimeInSeconds"] < 10


def test_time_limit_stops_the_job(stack: Stack):
    stack.launch("overtime", WAITING, StoppingCondition={"MaxRuntimeInSeconds": 1})
    job = stack.wait("overtime")
    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Stopped", "MaxRuntimeExceeded")
    assert 1 <= job["BillableTimeInSeconds"] <= 3
    assert job["ModelArtifacts"]["S3ModelArtifacts"].endswith("model.tar.gz")


def test_checkpoints_come_back(stack: Stack):
    script = (
        "import os, pathlib\n"
        "path = pathlib.Path(os.environ['SAGEMAKER_BASE_DIR'], 'checkpoints', 'count')\n"
        "count = int(path.read_text()) + 1 if path.exists() else 1\n"
        "path.write_text(str(count))\nprint(f'train_loss={count}')\n"
    )
    for attempt in (1, 2):
        config = {"S3Uri": f"s3://{BUCKET}/checkpoints/shared"}
        stack.launch(f"checkpointed-{attempt}", script, CheckpointConfig=config)
        job = stack.wait(f"checkpointed-{attempt}")
        assert job["FinalMetricDataList"][0]["Value"] == attempt
    assert stack.keys("checkpoints/") == {"checkpoints/shared/count"}


def test_names_and_requests_are_checked(stack: Stack):
    stack.launch("taken", OK)
    with pytest.raises(ClientError, match=r"ResourceInUse.*must be unique.*training-job/taken"):
        stack.launch("taken", OK)
    with pytest.raises(ClientError, match="regular expression pattern"):
        stack.launch("bad_name", OK)
    resources = {"InstanceType": "ml.none.large", "InstanceCount": 1, "VolumeSizeInGB": 1}
    with pytest.raises(ClientError, match="enum value set"):
        stack.launch("badtype", OK, ResourceConfig=resources)
    with pytest.raises(ClientError, match="Requested resource not found"):
        stack.describe("nothing")
    with pytest.raises(ClientError, match="Invalid MaxWaitTimeInSeconds"):
        stack.launch("badspot", OK, EnableManagedSpotTraining=True)
    stack.wait("taken")


def test_tags(stack: Stack):
    stack.launch("tagged", OK, Tags=[{"Key": "llmops:plan", "Value": "p1"}])
    arn = stack.describe("tagged")["TrainingJobArn"]
    stack.sagemaker.add_tags(ResourceArn=arn, Tags=[{"Key": "more", "Value": "2"}])
    tags = stack.sagemaker.list_tags(ResourceArn=arn)["Tags"]
    assert {tag["Key"]: tag["Value"] for tag in tags} == {"llmops:plan": "p1", "more": "2"}
    stack.wait("tagged")


def test_quota_is_exact_under_parallel_creation(tmp_path: Path):
    stack = Stack(tmp_path, {"ml.g5.xlarge for training job usage": 1})
    try:
        stack.launch("first", OK)
        stack.wait("first")
        resources = {"InstanceType": "ml.g5.xlarge", "InstanceCount": 1, "VolumeSizeInGB": 1}
        refused: list[str] = []

        def create(number: int) -> None:
            try:
                stack.launch(f"gpu-{number}", WAITING, ResourceConfig=resources)
            except ClientError as error:
                refused.append(str(error))

        threads = [threading.Thread(target=create, args=(n,)) for n in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(refused) == 5
        assert (
            "The account-level service limit 'ml.g5.xlarge for training job usage' is 1 Instances,"
            " with current utilization of 1 Instances and a request delta of 1 Instances."
        ) in refused[0]
    finally:
        stack.close()


def test_listing_filters_before_it_pages(stack: Stack):
    for number in range(4):
        stack.records.insert(_finished(stack, f"listed-{number}"))
    pages = stack.sagemaker.get_paginator("list_training_jobs").paginate(
        NameContains="listed", StatusEquals="Completed", PaginationConfig={"PageSize": 2}
    )
    found = [[job["TrainingJobName"] for job in page["TrainingJobSummaries"]] for page in pages]
    assert found == [["listed-0", "listed-1"], ["listed-2", "listed-3"]]
    newest = stack.sagemaker.list_training_jobs(
        NameContains="listed", SortBy="Name", SortOrder="Descending", MaxResults=1
    )["TrainingJobSummaries"]
    assert [job["TrainingJobName"] for job in newest] == ["listed-3"]
    assert "ResourceConfig" not in newest[0]


def _finished(stack: Stack, name: str) -> dict[str, Any]:
    now = stack.records.now()
    return {
        "TrainingJobName": name,
        "TrainingJobArn": f"arn:aws:sagemaker:us-east-1:000000000000:training-job/{name}",
        "TrainingJobStatus": "Completed",
        "SecondaryStatus": "Completed",
        "CreationTime": now,
        "LastModifiedTime": now,
    }
