"""The data services of the embedded AWS in this process, and a SageMaker that does as a test says."""

import threading
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import ClientError

from localaws.cloudwatch import CloudWatch
from localaws.dynamodb import DynamoDb
from localaws.logs import Logs
from localaws.pricing import Pricing
from localaws.quotas import Quotas
from localaws.s3 import S3
from localaws.server import Server
from localaws.store import Store
from localaws.wire import create_app
from mlops.aws.clients import Aws
from mlops.aws.tables import SPECS
from mlops.settings import Settings
from tests.factories import NOW

NO_METRICS: Mapping[str, float] = {}


class Clock:
    """Moves only when it is told to."""

    def __init__(self, now: datetime = NOW):
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


class Embedded:
    """A running server with the buckets, and tables that `reset` makes anew."""

    def __init__(self, home: Path):
        self.store = Store(home)
        self.logs, self.metrics = Logs(self.store), CloudWatch(self.store)
        data = [DynamoDb(self.store), self.logs, self.metrics, Quotas(home), Pricing()]
        self.server = Server(create_app(data, S3(self.store)))
        self.server.start()
        self._session = boto3.Session("local", "local", region_name="us-east-1")
        self._made = False
        for bucket in (self.settings().datasets_bucket, self.settings().models_bucket):
            self.connect().client("s3").create_bucket(Bucket=bucket)

    def settings(self, **changes: Any) -> Settings:
        facts: dict[str, Any] = {
            "endpoint_url": self.server.endpoint,
            "engines": ("crf", "lora"),
            "sandbox": True,
            "person": "ada",
            "bedrock_model_id": "local.planner-v1",
        }
        return Settings(**(facts | changes))

    def connect(self, sagemaker: Any = None, **changes: Any) -> Aws:
        """Clients of their own, as another process would have."""
        aws = Aws(self.settings(**changes), self._session)
        if sagemaker is not None:
            aws._clients["sagemaker"] = sagemaker
        return aws

    def reset(self) -> None:
        """Empty tables."""
        dynamodb = self.connect().dynamodb
        for spec in SPECS:
            if self._made:
                dynamodb.delete_table(TableName=spec["TableName"])
            dynamodb.create_table(**spec)
        self._made = True

    def close(self) -> None:
        self.server.stop()
        self.store.close()


def client_error(code: str, message: str = "No.", status: int = 400) -> ClientError:
    body: Any = {
        "Error": {"Code": code, "Message": message},
        "ResponseMetadata": {"HTTPStatusCode": status},
    }
    return ClientError(body, "Operation")


class FakeSageMaker:
    """The part of SageMaker's interface that we call; jobs move only when a test moves them."""

    def __init__(self, clock: Callable[[], datetime]):
        self._clock = clock
        self._lock = threading.Lock()
        self.jobs: dict[str, dict[str, Any]] = {}
        self.creations: list[str] = []
        self.limits: dict[str, int] = {}
        self.error_before: Exception | None = None
        self.error_after: Exception | None = None

    def create_training_job(self, **request: Any) -> dict[str, str]:
        name, instance = request["TrainingJobName"], request["ResourceConfig"]["InstanceType"]
        with self._lock:
            self._raise("error_before")
            if name in self.jobs:
                raise client_error("ResourceInUse", "Training job names must be unique.")
            running = [j for j in self.active() if j["ResourceConfig"]["InstanceType"] == instance]
            if len(running) >= self.limits.get(instance, 10**6):
                message = f"The account-level service limit '{instance}' is {len(running)}"
                raise client_error("ResourceLimitExceeded", message)
            status = {"TrainingJobStatus": "InProgress", "SecondaryStatus": "Starting"}
            self.jobs[name] = {**request, **status, "CreationTime": self._clock()}
            self.creations.append(name)
            self._raise("error_after")
        return {"TrainingJobArn": f"arn:aws:sagemaker:::training-job/{name}"}

    def describe_training_job(self, TrainingJobName: str) -> dict[str, Any]:
        with self._lock:
            if TrainingJobName not in self.jobs:
                raise client_error("ValidationException", "Requested resource not found.")
            arn = f"arn:aws:sagemaker:us-east-1:000000000000:training-job/{TrainingJobName}"
            return {**self.jobs[TrainingJobName], "TrainingJobArn": arn}

    def stop_training_job(self, TrainingJobName: str) -> dict[str, Any]:
        with self._lock:
            job = self.jobs.get(TrainingJobName)
            if job is None or job["TrainingJobStatus"] != "InProgress":
                raise client_error("ValidationException", "The request was rejected.")
            job |= {"TrainingJobStatus": "Stopping", "SecondaryStatus": "Stopping"}
        return {}

    def list_tags(self, ResourceArn: str) -> dict[str, Any]:
        return {"Tags": self.jobs[ResourceArn.rpartition("/")[2]].get("Tags", [])}

    def get_paginator(self, operation: str) -> "FakeSageMaker":
        assert operation == "list_training_jobs"
        return self

    def paginate(self, StatusEquals: str) -> Iterator[dict[str, Any]]:
        for job in list(self.jobs.values()):
            if job["TrainingJobStatus"] == StatusEquals:
                summary = {k: job[k] for k in ("TrainingJobName", "CreationTime")}
                yield {"TrainingJobSummaries": [summary]}

    def active(self) -> list[dict[str, Any]]:
        ended = ("Completed", "Failed", "Stopped")
        return [job for job in self.jobs.values() if job["TrainingJobStatus"] not in ended]

    def train(self, name: str) -> None:
        started = {"SecondaryStatus": "Training", "TrainingStartTime": self._clock()}
        self.jobs[name] |= started

    def end(
        self,
        name: str,
        seconds: int = 60,
        status: str = "Completed",
        metrics: Mapping[str, float] = NO_METRICS,
    ) -> None:
        """Ends it with so many billed seconds."""
        moment = self._clock()
        self.jobs[name] |= {
            "TrainingJobStatus": status,
            "SecondaryStatus": status,
            "BillableTimeInSeconds": seconds,
            "TrainingStartTime": moment - timedelta(seconds=seconds),
            "TrainingEndTime": moment,
            "FinalMetricDataList": [
                {"MetricName": metric, "Value": value, "Timestamp": moment}
                for metric, value in metrics.items()
            ],
            "ModelArtifacts": {"S3ModelArtifacts": f"s3://models/{name}/model.tar.gz"},
            **({"FailureReason": "AlgorithmError: boom"} if status == "Failed" else {}),
        }

    def _raise(self, field: str) -> None:
        error, _ = getattr(self, field), setattr(self, field, None)
        if error is not None:
            raise error
