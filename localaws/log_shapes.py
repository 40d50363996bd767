"""CloudWatch Logs rows in the shapes of its answers."""

from typing import Any

from localaws.errors import arn_of


def filtered(row: tuple[int, int, int, str, int], stream: str) -> dict[str, Any]:
    at, event_id, ingested, message, _ = row
    return {
        "logStreamName": stream,
        "timestamp": at,
        "message": message,
        "ingestionTime": ingested,
        "eventId": f"{event_id:056d}",
    }


def _arn(group: str) -> str:
    return arn_of("logs", f"log-group:{group}")


def described_group(name: str, created_ms: int, retention: int | None) -> dict[str, Any]:
    kept = {"retentionInDays": retention} if retention else {}
    arn = _arn(name)
    described = {"logGroupName": name, "creationTime": created_ms, "arn": f"{arn}:*"}
    return {**described, "logGroupArn": arn, "logGroupClass": "STANDARD", **kept}


def described_stream(group: str, row: tuple[str, int, Any, Any, Any]) -> dict[str, Any]:
    """A stream without events has no event times."""
    times = {
        "firstEventTimestamp": row[2],
        "lastEventTimestamp": row[3],
        "lastIngestionTime": row[4],
    }
    return {
        "logStreamName": row[0],
        "creationTime": row[1],
        "arn": f"{_arn(group)}:log-stream:{row[0]}",
        "uploadSequenceToken": "0",
        **{field: value for field, value in times.items() if value is not None},
    }
