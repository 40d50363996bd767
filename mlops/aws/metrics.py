"""A job's curves from CloudWatch and its log lines from CloudWatch Logs."""

from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError
from pydantic import BaseModel, ConfigDict

from mlops.aws.clients import Aws, error_code, translate, translated
from mlops.metrics import METRIC_NAMESPACE, MetricPoint

_PERIOD_SECONDS = 1
LOG_GROUP = METRIC_NAMESPACE


class LogLine(BaseModel):
    """One line a job printed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    at: datetime
    text: str


def curves(
    aws: Aws, job_name: str, names: tuple[str, ...], since: datetime, until: datetime
) -> dict[str, list[MetricPoint]]:
    """Points by metric name, oldest first. SageMaker jobs publish one point per printed line."""
    request: dict[str, Any] = {
        "MetricDataQueries": [_query(f"m{i}", job_name, name) for i, name in enumerate(names)],
        "StartTime": since,
        "EndTime": until + timedelta(seconds=_PERIOD_SECONDS),
        "ScanBy": "TimestampAscending",
    }
    points: dict[str, list[MetricPoint]] = {name: [] for name in names}
    with translated():
        for page in aws.client("cloudwatch").get_paginator("get_metric_data").paginate(**request):
            for result in page["MetricDataResults"]:
                name = names[int(result["Id"].removeprefix("m"))]
                points[name] += [
                    MetricPoint(name=name, value=value, at=at)
                    for at, value in zip(result["Timestamps"], result["Values"], strict=True)
                ]
    return points


def log_tail(aws: Aws, job_name: str, limit: int = 200) -> list[LogLine]:
    """The last lines of a job, oldest first; empty before it printed anything."""
    logs = aws.client("logs")
    try:
        streams = logs.describe_log_streams(
            logGroupName=LOG_GROUP, logStreamNamePrefix=f"{job_name}/", limit=1
        )["logStreams"]
        if not streams:
            return []
        answer = logs.get_log_events(
            logGroupName=LOG_GROUP,
            logStreamName=streams[0]["logStreamName"],
            limit=limit,
            startFromHead=False,
        )
    except ClientError as error:
        if error_code(error) == "ResourceNotFoundException":
            return []
        raise translate(error) from error
    epoch = datetime.fromtimestamp(0, tz=UTC)
    return [
        LogLine(at=epoch + timedelta(milliseconds=e["timestamp"]), text=e["message"])
        for e in answer["events"]
    ]


def _query(query_id: str, job_name: str, name: str) -> dict[str, Any]:
    metric = {
        "Namespace": METRIC_NAMESPACE,
        "MetricName": name,
        "Dimensions": [{"Name": "TrainingJobName", "Value": job_name}],
    }
    stat = {"Metric": metric, "Period": _PERIOD_SECONDS, "Stat": "Average"}
    return {"Id": query_id, "MetricStat": stat}
