"""Job records in DynamoDB, and what SageMaker says of a job now."""

from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from mlops.aws.clients import Aws, error_code, translate, translated
from mlops.aws.tables import BY_PERSON, BY_PLAN, JOBS, OPEN
from mlops.errors import NotYoursError, RequestError
from mlops.job import Job, Observation, change

_PAGE = 100
# As SageMaker allows them.
_MAX_NAME_CHARS = 63


class Jobs:
    """Records by name, person and plan; a record stays `open` until its plan moved on after it."""

    def __init__(self, aws: Aws):
        self._aws = aws
        self._db = aws.dynamodb

    def add(self, job: Job) -> Job:
        """Stores a new record; the record that is already there wins."""
        item = self._item(job) | {"open": "yes"}
        try:
            self._db.put_item(
                TableName=JOBS, Item=item, ConditionExpression="attribute_not_exists(job_name)"
            )
        except ClientError as error:
            if error_code(error) != "ConditionalCheckFailedException":
                raise translate(error) from error
            return self.get(job.job_name)
        return job

    def find(self, job_name: str) -> Job | None:
        if not 0 < len(job_name) <= _MAX_NAME_CHARS:
            return None
        answer = self._db.get_item(TableName=JOBS, Key={"job_name": job_name}, ConsistentRead=True)
        return Job.model_validate_json(answer["Item"]["body"]) if "Item" in answer else None

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
        if before == after:
            return True
        try:
            self._db.update_item(
                TableName=JOBS,
                Key={"job_name": after.job_name},
                UpdateExpression="SET body = :after",
                ConditionExpression="body = :before",
                ExpressionAttributeValues={
                    ":before": before.model_dump_json(),
                    ":after": after.model_dump_json(),
                },
            )
        except ClientError as error:
            if error_code(error) != "ConditionalCheckFailedException":
                raise translate(error) from error
            return False
        return True

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
        found = self._query(BY_PLAN, "plan_id", plan_id, _PAGE, newest_first=False)
        return sorted(found, key=lambda job: (job.stage, job.attempt))

    def open(self) -> list[Job]:
        """Every job that still needs following, oldest first."""
        return self._query(OPEN, "open", "yes", None, newest_first=False)

    def spot_shares(self, person: str) -> dict[str, list[float]]:
        """Billed share of the training time of finished spot jobs, by instance type."""
        shares: dict[str, list[float]] = {}
        for job in self.of_person(person):
            if job.spot and job.billed_seconds and job.started_at and job.ended_at:
                trained = (job.ended_at - job.started_at).total_seconds()
                if trained > 0:
                    share = min(1.0, job.billed_seconds / trained)
                    shares.setdefault(job.instance_type, []).append(share)
        return shares

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
        try:
            answer = self._aws.client("sagemaker").describe_training_job(TrainingJobName=job_name)
        except ClientError as error:
            if "not found" in str(error).lower():
                return None
            raise translate(error) from error
        return _read(answer)

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
        found: list[Job] = []
        while True:
            answer = self._db.query(**request)
            found += [Job.model_validate_json(item["body"]) for item in answer["Items"]]
            if "LastEvaluatedKey" not in answer or (limit and len(found) >= limit):
                return found
            request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

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


def _read(answer: dict[str, Any]) -> Observation:
    artifacts = answer.get("ModelArtifacts", {})
    return Observation(
        status=answer["TrainingJobStatus"],
        secondary_status=answer["SecondaryStatus"],
        billed_seconds=answer.get("BillableTimeInSeconds"),
        started_at=_utc(answer.get("TrainingStartTime")),
        ended_at=_utc(answer.get("TrainingEndTime")),
        metrics={
            metric["MetricName"]: float(metric["Value"])
            for metric in answer.get("FinalMetricDataList", [])
        },
        model_uri=artifacts.get("S3ModelArtifacts"),
        failure_reason=answer.get("FailureReason"),
    )


def _utc(moment: datetime | None) -> datetime | None:
    return moment.astimezone(UTC) if moment else None


def _unknown(job_name: str) -> RequestError:
    shown = job_name[:_MAX_NAME_CHARS]
    return RequestError("unknown_job", f"There is no training job {shown!r}.")
