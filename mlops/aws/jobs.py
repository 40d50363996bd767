"""Job records in DynamoDB, and what SageMaker says of a job now."""

from datetime import UTC, datetime
from itertools import islice
from typing import Any

from botocore.exceptions import ClientError

from mlops.approvals import AGAIN
from mlops.aws.clients import Aws, error_code, translate, translated
from mlops.aws.items import query, transact, written
from mlops.aws.tables import BY_PERSON, BY_PLAN, JOBS, OPEN
from mlops.errors import NotYoursError, RefusedError, RequestError
from mlops.job import Job, Observation, change

OVERTAKEN = "approval_used"
_PAGE = 100
# As SageMaker allows them.
_MAX_NAME_CHARS = 63
_UNKNOWN_TO_AWS = ("ValidationException", "ResourceNotFound")


class Jobs:
    """Records by name, person and plan; a record stays `open` until its plan moved on after it."""

    def __init__(self, aws: Aws):
        self._aws = aws
        self._db = aws.dynamodb

    def add(self, job: Job, *conditions: dict[str, Any]) -> Job:
        """Stores a new record; the record that is already there wins.

        RefusedError OVERTAKEN when one of the conditions does not hold: then nothing is recorded.
        """
        put = {
            "TableName": JOBS,
            "Item": self._item(job) | {"open": "yes"},
            "ConditionExpression": "attribute_not_exists(job_name)",
        }
        if not transact(self._db, [{"Put": put}, *conditions], "record"):
            return job
        earlier = self.find(job.job_name)
        if earlier is None:
            message = f"The run of {job.plan_id} ended before {job.job_name} was recorded."
            raise RefusedError(OVERTAKEN, message, (AGAIN,))
        return earlier

    def find(self, job_name: str) -> Job | None:
        if not 0 < len(job_name) <= _MAX_NAME_CHARS:
            return None
        body = self._body(job_name)
        return None if body is None else Job.model_validate_json(body)

    def get(self, job_name: str) -> Job:
        """RequestError when there is no such job."""
        job = self.find(job_name)
        if job is None:
            raise _unknown(job_name)
        return job

    def of(self, person: str, job_name: str) -> Job:
        """NotYoursError when the job is somebody else's."""
        job = self.get(job_name)
        if job.person != person:
            message = "This training job belongs to somebody else."
            raise NotYoursError(message, _unknown(job_name))
        return job

    def save(self, before: Job, after: Job) -> bool:
        """Writes a changed record unless somebody else changed it first (False)."""
        if before == after or self._replace(before.model_dump_json(), after):
            return True
        # An earlier version of ours has fewer fields: the same record in other words.
        stored = self._body(after.job_name)
        if stored is None or Job.model_validate_json(stored) != before:
            return False
        return self._replace(stored, after)

    def close(self, job_name: str) -> None:
        """Its plan has moved on: the watchdog may forget it."""
        self._db.update_item(
            TableName=JOBS,
            Key={"job_name": job_name},
            UpdateExpression="REMOVE #o",
            ExpressionAttributeNames={"#o": "open"},
        )

    def of_person(self, person: str, limit: int = _PAGE) -> list[Job]:
        """Newest first."""
        return self._query(BY_PERSON, "person", person, limit, newest_first=True)

    def of_plan(self, plan_id: str) -> list[Job]:
        """In order of stage."""
        found = self._query(BY_PLAN, "plan_id", plan_id, None, newest_first=False)
        return sorted(found, key=lambda job: (job.stage, job.attempt))

    def open(self) -> list[Job]:
        """Every job that still needs following, oldest first."""
        return self._query(OPEN, "open", "yes", None, newest_first=False)

    def refresh(self, job: Job) -> Job:
        """The record brought up to what SageMaker says now, and stored."""
        if job.state.is_final:
            return job
        seen = self.observe(job.job_name)
        if seen is None:
            return job
        changed = change(job, seen)
        return changed if self.save(job, changed) else self.refresh(self.get(job.job_name))

    def observe(self, job_name: str) -> Observation | None:
        """None when SageMaker knows no such job."""
        described = self.describe(job_name)
        return None if described is None else observation(described)

    def describe(self, job_name: str) -> dict[str, Any] | None:
        """SageMaker's own answer; None when it knows no such job, and only then: what has no job
        may be undone."""
        try:
            return self._aws.client("sagemaker").describe_training_job(TrainingJobName=job_name)
        except ClientError as error:
            if error_code(error) in _UNKNOWN_TO_AWS and "not found" in str(error).lower():
                return None
            raise translate(error) from error

    def stop(self, job: Job) -> Job:
        """Asks SageMaker to stop; a job that has already ended stays as it is."""
        if not job.state.is_final:
            with translated():
                try:
                    self._aws.client("sagemaker").stop_training_job(TrainingJobName=job.job_name)
                except ClientError as error:
                    if error_code(error) != "ValidationException":
                        raise
        return self.refresh(job)

    def _query(
        self, index: str, key: str, value: str, limit: int | None, newest_first: bool
    ) -> list[Job]:
        """At most `limit`; None follows pages to the end."""
        request: dict[str, Any] = {
            "TableName": JOBS,
            "IndexName": index,
            "KeyConditionExpression": "#k = :v",
            "ExpressionAttributeNames": {"#k": key},
            "ExpressionAttributeValues": {":v": value},
            "ScanIndexForward": not newest_first,
            **({"Limit": limit} if limit else {}),
        }
        items = islice(query(self._db, **request), limit)
        return [Job.model_validate_json(item["body"]) for item in items]

    def _body(self, job_name: str) -> str | None:
        answer = self._db.get_item(TableName=JOBS, Key={"job_name": job_name}, ConsistentRead=True)
        return answer.get("Item", {}).get("body")

    def _replace(self, body: str, after: Job) -> bool:
        return written(
            self._db.update_item,
            TableName=JOBS,
            Key={"job_name": after.job_name},
            UpdateExpression="SET body = :after",
            ConditionExpression="body = :before",
            ExpressionAttributeValues={":before": body, ":after": after.model_dump_json()},
        )

    def _item(self, job: Job) -> dict[str, Any]:
        return {
            "job_name": job.job_name,
            "plan_id": job.plan_id,
            "person": job.person,
            "created_at": job.created_at.isoformat(),
            "body": job.model_dump_json(),
        }


def if_settled(job_name: str) -> dict[str, Any]:
    """For a transaction: it fails when this job is recorded and not settled."""
    return {
        "ConditionCheck": {
            "TableName": JOBS,
            "Key": {"job_name": job_name},
            "ConditionExpression": "attribute_not_exists(job_name) OR contains(body, :settled)",
            "ExpressionAttributeValues": {":settled": '"settled":true'},
        }
    }


def observation(answer: dict[str, Any]) -> Observation:
    """DescribeTrainingJob's answer in our terms; a job that says no end has ended at its last change."""
    artifacts = answer.get("ModelArtifacts", {})
    return Observation(
        status=answer["TrainingJobStatus"],
        secondary_status=answer["SecondaryStatus"],
        billed_seconds=answer.get("BillableTimeInSeconds"),
        started_at=_utc(answer.get("TrainingStartTime")),
        ended_at=_utc(answer.get("TrainingEndTime") or _last_change(answer)),
        metrics={
            metric["MetricName"]: float(metric["Value"])
            for metric in answer.get("FinalMetricDataList", [])
        },
        model_uri=artifacts.get("S3ModelArtifacts"),
        failure_reason=answer.get("FailureReason"),
    )


def _last_change(answer: dict[str, Any]) -> datetime | None:
    """Of a job that has ended."""
    ended = answer["TrainingJobStatus"] in ("Completed", "Failed", "Stopped")
    return answer.get("LastModifiedTime") if ended else None


def _utc(moment: datetime | None) -> datetime | None:
    return moment.astimezone(UTC) if moment else None


def _unknown(job_name: str) -> RequestError:
    shown = job_name[:_MAX_NAME_CHARS]
    return RequestError("unknown_job", f"There is no training job {shown!r}.")
