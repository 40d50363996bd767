"""One metric's points per period: SQL sums where a sum will do, sorted values for percentiles."""

import math
import re
import sqlite3
from datetime import UTC, datetime
from typing import NamedTuple

from localaws.errors import AwsError

_STATISTICS = {
    "Average": "SUM(total) / SUM(samples)",
    "Sum": "SUM(total)",
    "Minimum": "MIN(low)",
    "Maximum": "MAX(high)",
    "SampleCount": "SUM(samples)",
}
_PERCENTILE = re.compile(r"p(\d{1,2}(?:\.\d+)?|100)")

MetricId = int
Values = list[tuple[datetime, float]]


class Metric(NamedTuple):
    """`dimensions` is their canonical JSON."""

    namespace: str
    name: str
    dimensions: str


class Point(NamedTuple):
    """A statistic set; a single value has one sample and total = low = high."""

    at_ms: int
    samples: float
    total: float
    low: float
    high: float
    unit: str

    @classmethod
    def of(cls, value: float, at: datetime, count: float = 1.0, unit: str = "None") -> "Point":
        return cls(milliseconds(at), count, value * count, value, value, unit)


def milliseconds(at: datetime) -> int:
    return int(at.timestamp() * 1000)


def check_statistic(statistic: str) -> None:
    if statistic not in _STATISTICS and _PERCENTILE.fullmatch(statistic) is None:
        message = f"The statistic {statistic} is not part of the embedded AWS"
        raise AwsError("ValidationError", message)


def insert(db: sqlite3.Connection, metric_id: MetricId, point: Point) -> None:
    db.execute(
        "INSERT INTO cw_points SELECT ?1, ?2,"
        " (SELECT COALESCE(MAX(n), -1) + 1 FROM cw_points WHERE metric_id=?1 AND at_ms=?2),"
        " ?3, ?4, ?5, ?6, ?7",
        (metric_id, *point),
    )


def read(
    db: sqlite3.Connection,
    metric_id: MetricId,
    statistic: str,
    period_seconds: int,
    bounds: tuple[datetime, datetime],
    unit: str | None,
) -> Values:
    """Ascending; periods are aligned to the epoch, the first one is taken whole, the end excluded."""
    check_statistic(statistic)
    period_ms = period_seconds * 1000
    start = milliseconds(bounds[0]) // period_ms * period_ms
    arguments = [metric_id, start, milliseconds(bounds[1])]
    where = "metric_id=? AND at_ms >= ? AND at_ms < ?"
    if unit is not None:
        where += " AND unit=?"
        arguments.append(unit)  # type: ignore[arg-type]
    if statistic in _STATISTICS:
        rows = db.execute(
            f"SELECT at_ms / {period_ms}, {_STATISTICS[statistic]} FROM cw_points"
            f" WHERE {where} GROUP BY 1 ORDER BY 1",
            arguments,
        )
        return [(_at(bucket, period_seconds), value) for bucket, value in rows]
    rows = db.execute(
        f"SELECT at_ms / {period_ms} AS bucket, low, samples FROM cw_points"
        f" WHERE {where} AND low = high ORDER BY bucket, low",
        arguments,
    )
    return _percentiles(rows.fetchall(), float(statistic[1:]), period_seconds)


def _percentiles(
    rows: list[tuple[int, float, float]], percent: float, period_seconds: int
) -> Values:
    """The smallest value that at least `percent` of the samples do not exceed."""
    buckets: dict[int, list[tuple[float, float]]] = {}
    for bucket, value, count in rows:
        buckets.setdefault(bucket, []).append((value, count))
    return [
        (_at(bucket, period_seconds), _percentile(samples, percent))
        for bucket, samples in buckets.items()
    ]


def _percentile(samples: list[tuple[float, float]], percent: float) -> float:
    rank = max(1, math.ceil(percent / 100 * sum(count for _, count in samples)))
    seen = 0.0
    for value, count in samples:
        seen += count
        if seen >= rank:
            return value
    return samples[-1][0]


def _at(bucket: int, period_seconds: int) -> datetime:
    return datetime.fromtimestamp(bucket * period_seconds, UTC)
