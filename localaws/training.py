"""The SageMaker service: training jobs are checked here as AWS checks them, and run by the runner.

Known differences: one instance per job, input modes File and FastFile (both copied), no warm pools
or tuning; spot jobs are interrupted when spot.json asks for it, and their savings are simulated; an
event is published for each change of TrainingJobStatus only.
"""

from collections.abc import Callable
from typing import Any

from localaws.errors import AwsError, invalid
from localaws.job_records import Record, enter, job_arn
from localaws.job_request import check, is_spot, new_record
from localaws.records import picked
from localaws.runner import Runner
from localaws.spot import Market
from mlops.quotas import ACCOUNT_WIDE, quota_name

_SUMMARY = (
    "TrainingJobName",
    "TrainingJobArn",
    "CreationTime",
    "TrainingEndTime",
    "LastModifiedTime",
    "TrainingJobStatus",
    "SecondaryStatus",
)
_SCHEMA = """
CREATE TABLE IF NOT EXISTS sagemaker_tags (
    arn TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (arn, key)
) WITHOUT ROWID;
"""


class Training:
    """`limit` answers a quota by name, as Service Quotas lists it; `market` fails when unreadable."""

    service_name = "sagemaker"

    def __init__(
        self,
        runner: Runner,
        limit: Callable[[str], int],
        market: Callable[[], Market] = Market,
    ):
        self._runner = runner
        self._jobs = runner.records
        self._limit = limit
        self._market = market
        self._jobs.store.ensure(_SCHEMA)

    def create_training_job(self, request: dict[str, Any]) -> dict[str, Any]:
        check(request)
        if is_spot(request):
            self._market()
        name = request["TrainingJobName"]
        with self._jobs.store.write():
            if self._jobs.get(name) is not None:
                message = (
                    "Training job names must be unique within an AWS account and region, and a"
                    f" training job with this name already exists ({job_arn(name)})"
                )
                raise AwsError("ResourceInUse", message)
            self._check_quotas(request)
            self._jobs.insert(new_record(request, self._jobs.now()))
            self._tag(job_arn(name), request.get("Tags") or [])
        self._runner.start(name)
        return {"TrainingJobArn": job_arn(name)}

    def describe_training_job(self, request: dict[str, Any]) -> dict[str, Any]:
        return self._find(request["TrainingJobName"])

    def list_training_jobs(self, request: dict[str, Any]) -> dict[str, Any]:
        found, more = self._jobs.select(request)
        return {"TrainingJobSummaries": [picked(job, *_SUMMARY) for job in found], **more}

    def stop_training_job(self, request: dict[str, Any]) -> dict[str, Any]:
        name = request["TrainingJobName"]
        with self._jobs.store.write():
            status = self._find(name)["TrainingJobStatus"]
            if status != "InProgress":
                message = (
                    f"The request was rejected because the training job is in status {status}."
                )
                raise invalid(message)
            self._jobs.change(name, _begin_stop)
        self._runner.stop(name)
        return {}

    def add_tags(self, request: dict[str, Any]) -> dict[str, Any]:
        with self._jobs.store.write():
            self._find_arn(request["ResourceArn"])
            self._tag(request["ResourceArn"], request["Tags"])
            return {"Tags": self._tags(request["ResourceArn"])}

    def list_tags(self, request: dict[str, Any]) -> dict[str, Any]:
        self._find_arn(request["ResourceArn"])
        return {"Tags": self._tags(request["ResourceArn"])}

    def _find(self, name: str) -> Record:
        record = self._jobs.get(name)
        if record is None:
            raise invalid("Requested resource not found.")
        return record

    def _find_arn(self, arn: str) -> Record:
        record = self._find(arn.rpartition("/")[2])
        if record["TrainingJobArn"] != arn:
            raise invalid("Requested resource not found.")
        return record

    def _check_quotas(self, request: dict[str, Any]) -> None:
        """Under the write lock, so that two creations never share the last instance."""
        wanted, spot = request["ResourceConfig"]["InstanceType"], is_spot(request)
        used = [(r["ResourceConfig"], is_spot(r)) for r in self._jobs.unfinished()]
        of_type = [
            config["InstanceCount"]
            for config, on_spot in used
            if config["InstanceType"] == wanted and on_spot == spot
        ]
        self._check_quota(quota_name(wanted, spot), sum(of_type))
        self._check_quota(ACCOUNT_WIDE, sum(config["InstanceCount"] for config, _ in used))

    def _check_quota(self, name: str, in_use: int) -> None:
        limit = self._limit(name)
        if in_use + 1 <= limit:
            return
        message = (
            f"The account-level service limit '{name}' is {limit} Instances, with current"
            f" utilization of {in_use} Instances and a request delta of 1 Instances. Please use"
            " AWS Service Quotas to request an increase for this quota. If AWS Service Quotas is"
            " not available, contact AWS support to request an increase for this quota."
        )
        raise AwsError("ResourceLimitExceeded", message)

    def _tag(self, arn: str, tags: list[dict[str, str]]) -> None:
        with self._jobs.store.write() as db:
            rows = [(arn, tag["Key"], tag["Value"]) for tag in tags]
            db.executemany("INSERT OR REPLACE INTO sagemaker_tags VALUES (?, ?, ?)", rows)

    def _tags(self, arn: str) -> list[dict[str, str]]:
        query = "SELECT key, value FROM sagemaker_tags WHERE arn = ? ORDER BY key"
        rows = self._jobs.store.read().execute(query, (arn,)).fetchall()
        return [{"Key": key, "Value": value} for key, value in rows]


def _begin_stop(record: Record, now: Any) -> None:
    record["TrainingJobStatus"] = "Stopping"
    enter(record, now, "Stopping", "Stopping the training job")
