"""The same AWS calls for any back end: a table, a bucket and a metric of a given size, and calls on them."""

import itertools
import random
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from benchmarks.tables import timed

TABLE, BUCKET, NAMESPACE, METRIC = "benchmark", "benchmark-objects", "benchmark", "loss"
POINTS, PERIOD_SECONDS = 100_000, 600
GROUPS = 100
OBJECT = b"x" * 2_000
TABLE_SPEC: dict[str, Any] = {
    "TableName": TABLE,
    "BillingMode": "PAY_PER_REQUEST",
    "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
    "AttributeDefinitions": [
        {"AttributeName": "pk", "AttributeType": "S"},
        {"AttributeName": "team", "AttributeType": "S"},
        {"AttributeName": "at", "AttributeType": "N"},
    ],
    "GlobalSecondaryIndexes": [
        {
            "IndexName": "by_team",
            "KeySchema": [
                {"AttributeName": "team", "KeyType": "HASH"},
                {"AttributeName": "at", "KeyType": "RANGE"},
            ],
            "Projection": {"ProjectionType": "ALL"},
        }
    ],
}
DIMENSIONS = [{"Name": "TrainingJobName", "Value": "benchmark"}]
_SAMPLES = 100
_LEAST_SAMPLES = 3

Call = Callable[[], object]


def item(number: int) -> dict[str, Any]:
    """About 300 bytes."""
    return {
        "pk": {"S": f"item-{number:07}"},
        "team": {"S": f"team-{number % GROUPS}"},
        "at": {"N": str(number)},
        "state": {"S": "COMPLETED"},
        "note": {"S": "n" * 180},
    }


def object_key(number: int) -> str:
    return f"raw/{number % GROUPS:03}/{number:07}.tsv"


def points(now: datetime) -> Iterator[tuple[datetime, float]]:
    """One each second up to now."""
    for number in range(POINTS):
        yield now - timedelta(seconds=POINTS - number), 1 / (1 + number)


def calls(dynamodb: Any, s3: Any, count: int) -> dict[str, Call]:
    """By what they are called in the table; `count` items and objects are stored."""
    draw, fresh = random.Random(7), itertools.count(count)

    def one() -> int:
        return draw.randrange(count)

    def query() -> object:
        return dynamodb.query(
            TableName=TABLE,
            IndexName="by_team",
            KeyConditionExpression="team = :t",
            ExpressionAttributeValues={":t": {"S": f"team-{one() % GROUPS}"}},
            ScanIndexForward=False,
            Limit=5,
        )

    def transact() -> object:
        update = {
            "TableName": TABLE,
            "Key": {"pk": item(one())["pk"]},
            "UpdateExpression": "ADD n :one",
            "ExpressionAttributeValues": {":one": {"N": "1"}},
        }
        put = {"TableName": TABLE, "Item": item(next(fresh))}
        return dynamodb.transact_write_items(TransactItems=[{"Update": update}, {"Put": put}])

    return {
        "GetItem": lambda: dynamodb.get_item(TableName=TABLE, Key={"pk": item(one())["pk"]}),
        "PutItem": lambda: dynamodb.put_item(TableName=TABLE, Item=item(next(fresh))),
        "Query by index, 5 of a team": query,
        "TransactWriteItems of 2": transact,
        "PutObject of 2 kB": lambda: s3.put_object(
            Bucket=BUCKET, Key=object_key(next(fresh)), Body=OBJECT
        ),
        "ListObjectsV2, 1,000 keys": lambda: s3.list_objects_v2(Bucket=BUCKET, MaxKeys=1000),
    }


def metric_call(cloudwatch: Any, now: datetime) -> Call:
    """All points of the metric, averaged per period."""
    metric = {"Namespace": NAMESPACE, "MetricName": METRIC, "Dimensions": DIMENSIONS}
    stat = {"Metric": metric, "Period": PERIOD_SECONDS, "Stat": "Average"}
    return lambda: cloudwatch.get_metric_data(
        MetricDataQueries=[{"Id": "m", "MetricStat": stat}],
        StartTime=now - timedelta(seconds=POINTS),
        EndTime=now,
    )


def sampled(call: Call, budget_seconds: float) -> list[float]:
    """Seconds of up to 100 calls, fewer when time is up, but at least three; the first is warm-up."""
    call()
    samples: list[float] = []
    deadline = time.monotonic() + budget_seconds
    while len(samples) < _LEAST_SAMPLES or (
        len(samples) < _SAMPLES and time.monotonic() < deadline
    ):
        samples.append(timed(call))
    return samples


def resident_mib(pid: int) -> float:
    """Linux."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024


def utc_now() -> datetime:
    return datetime.now(UTC)
