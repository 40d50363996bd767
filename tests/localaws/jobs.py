"""SageMaker and S3 behind one server, with tiny real scripts to launch."""

import io
import math
import tarfile
from collections import defaultdict
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from localaws.home import aws_environment, internal_environment
from localaws.job_records import JobRecords, utc_now
from localaws.job_run import Ports
from localaws.runner import Runner
from localaws.s3 import S3
from localaws.server import Server
from localaws.spot import read_market
from localaws.store import Store
from localaws.training import Training
from localaws.wire import create_app
from tests.patience import PATIENCE_SECONDS, eventually

BUCKET = "models"
FINAL = ("Completed", "Failed", "Stopped")
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
threading.Event().wait(600)
"""


class Logs:
    """Stands for CloudWatch Logs: lines by (group, stream)."""

    def __init__(self):
        self.lines: dict[tuple[str, str], list[str]] = defaultdict(list)

    def append(self, group: str, stream: str, events: list[tuple[int, str]]) -> None:
        self.lines[group, stream] += [line for _, line in events]


class Stack:
    """SageMaker and S3 behind one server; `ahead` is how far its clock has been moved on."""

    def __init__(
        self,
        home: Path,
        limits: dict[str, int] | None = None,
        stop_grace_seconds: float = PATIENCE_SECONDS,
    ):
        self.store = Store(home)
        self.ahead = timedelta()
        self.logs = Logs()
        self.points: list[tuple[str, str, dict[str, str], float]] = []
        self.events: list[dict[str, Any]] = []
        self.records = JobRecords(self.store, self.events.append, lambda: utc_now() + self.ahead)
        ports = Ports(
            lambda: self.s3,
            lambda: internal_environment(self.server.endpoint),
            self.logs.append,
            self._put_points,
            lambda: read_market(home),
        )
        self.runner = Runner(self.records, ports, home / "jobs", stop_grace_seconds)
        limit = (limits or {}).get
        self.training = Training(self.runner, lambda name: limit(name, 20), ports.spot)
        self.server = Server(create_app([self.training], S3(self.store)))
        self.server.start()
        self.s3 = self._client("s3")
        self.sagemaker = self._client("sagemaker")

    def launch(self, name: str, script: str, **more: Any) -> None:
        """With the script as its code; `more` replaces members of the request."""
        self.upload_code(name, script)
        self.create(name, **more)

    def create(self, name: str, **more: Any) -> None:
        self.sagemaker.create_training_job(**(job_request(name) | more))

    def describe(self, name: str) -> dict[str, Any]:
        return self.sagemaker.describe_training_job(TrainingJobName=name)

    def pass_time(self, seconds: float) -> None:
        """So that a limit is reached when the test says so, however slow the machine is."""
        self.ahead += timedelta(seconds=seconds)

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

    def upload_code(self, name: str, script: str) -> None:
        if not self.s3.list_buckets()["Buckets"]:
            self.s3.create_bucket(Bucket=BUCKET)
            self.s3.put_object(Bucket=BUCKET, Key="prepared/set/sub/train.tsv", Body=b"a\tO\n")
        body = packed_script(script)
        self.s3.put_object(Bucket=BUCKET, Key=f"code/{name}.tar.gz", Body=body)

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


def job_request(name: str) -> dict[str, Any]:
    """CreateTrainingJob as the product sends it."""
    return {
        "TrainingJobName": name,
        "AlgorithmSpecification": {
            "TrainingImage": "image",
            "TrainingInputMode": "File",
            "MetricDefinitions": [{"Name": "train_loss", "Regex": r"train_loss=([0-9.eE+-]+)"}],
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
            "sagemaker_submit_directory": f'"s3://{BUCKET}/code/{name}.tar.gz"',
        },
        "Environment": {"MINE": "1"},
    }


def packed_script(script: str) -> bytes:
    """A source archive with train.py."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as tar:
        info = tarfile.TarInfo("train.py")
        info.size = len(script)
        tar.addfile(info, io.BytesIO(script.encode()))
    return content.getvalue()


def channel(name: str, uri: str) -> dict[str, Any]:
    source = {"S3DataType": "S3Prefix", "S3Uri": uri, "S3DataDistributionType": "FullyReplicated"}
    return {"ChannelName": name, "DataSource": {"S3DataSource": source}}


def seconds_of(job: dict[str, Any]) -> int:
    """From the start of training to its end, the last one whole: what an on-demand job is billed."""
    elapsed = job["TrainingEndTime"] - job["TrainingStartTime"]
    return max(1, math.ceil(elapsed.total_seconds()))


def statuses(job: dict[str, Any]) -> list[str]:
    return [transition["Status"] for transition in job["SecondaryStatusTransitions"]]
