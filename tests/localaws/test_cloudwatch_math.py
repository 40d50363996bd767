"""Metric math: series meet in time, functions reduce or join, everything else is refused by name."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.cloudwatch import CloudWatch
from localaws.store import Store

START = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
SERIES = {"a": {0: 1.0, 1: 2.0, 2: 3.0}, "b": {0: 0.0, 1: 4.0}}


@pytest.fixture(scope="module")
def cloudwatch(local: Any) -> Any:
    client = local.client("cloudwatch")
    data = [
        {"MetricName": name, "Timestamp": START + timedelta(minutes=minute), "Value": value}
        for name, points in SERIES.items()
        for minute, value in points.items()
    ]
    client.put_metric_data(Namespace="math", MetricData=data)
    return client


def stat(name: str, **more: Any) -> dict[str, Any]:
    metric = {"Namespace": "math", "MetricName": name}
    return {"Id": name, "MetricStat": {"Metric": metric, "Period": 60, "Stat": "Average"}, **more}


def expression(text: str, query_id: str = "e") -> dict[str, Any]:
    return {"Id": query_id, "Expression": text}


def asked(cloudwatch: Any, *queries: dict[str, Any], **more: Any) -> list[dict[str, Any]]:
    span = {"StartTime": START, "EndTime": START + timedelta(hours=1)}
    order = {"ScanBy": "TimestampAscending"}
    answer = cloudwatch.get_metric_data(MetricDataQueries=list(queries), **span, **order, **more)
    return answer["MetricDataResults"]


def computed(cloudwatch: Any, text: str) -> dict[int, float]:
    hidden = [stat(name, ReturnData=False) for name in SERIES]
    (found,) = asked(cloudwatch, *hidden, expression(text))
    minutes = [int((at - START).total_seconds() / 60) for at in found["Timestamps"]]
    return dict(zip(minutes, found["Values"], strict=True))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a*3600", {0: 3600, 1: 7200, 2: 10800}),
        ("a + b", {0: 1, 1: 6}),
        ("b / a", {0: 0, 1: 2}),
        ("a / b", {1: 0.5}),
        ("100 * (a - 1) / 2", {0: 0, 1: 50, 2: 100}),
        ("-a + 1", {0: 0, 1: -1, 2: -2}),
        ("2 / a", {0: 2, 1: 1, 2: 2 / 3}),
        ("a / 0", {}),
        ("SUM(METRICS())", {0: 1, 1: 6, 2: 3}),
        ("AVG([a, b])", {0: 0.5, 1: 3, 2: 3}),
        ("MIN(METRICS())", {0: 0, 1: 2, 2: 3}),
        ("a - MIN(a)", {0: 0, 1: 1, 2: 2}),
        ("a / MAX([a, a])", {0: 1, 1: 1, 2: 1}),
        ("1e2 * b + 0.5", {0: 0.5, 1: 400.5}),
    ],
)
def test_expressions(cloudwatch: Any, text: str, expected: dict[int, float]):
    assert computed(cloudwatch, text) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("RATE(a)", "not part of the embedded AWS"),
        ("AVG(a)", "must give a time series"),
        ("a +", "not part of the embedded AWS"),
        ("a ** 2", "not part of the embedded AWS"),
        ("SEARCH('x', 'Sum')", "not part of"),
        ("c + 1", "No query has the id c"),
        ("e + 1", "refers to itself"),
        ("AVG([a, 1])", "not part of the embedded AWS"),
        ("AVG(b / 0) + a", "needs a time series with data"),
        ("a + 1 / 0", "by zero"),
        ("(" * 2000 + "a", "not part of the embedded AWS"),
        ("[a, b", "not part of the embedded AWS"),
    ],
)
def test_refusals(cloudwatch: Any, text: str, said: str):
    with pytest.raises(ClientError, match=said):
        computed(cloudwatch, text)


def test_expressions_of_expressions_are_computed_once(cloudwatch: Any):
    doubling = [expression(f"x{n} + x{n}", f"x{n + 1}") for n in range(40)]
    results = asked(cloudwatch, *doubling, expression("a * 1", "x0"), stat("a"))
    assert results[39]["Values"][0] == 2.0**40
    assert results[39]["Label"] == "x40"


def test_pages_of_expressions_join(cloudwatch: Any):
    found = []
    pages = cloudwatch.get_paginator("get_metric_data").paginate(
        MetricDataQueries=[stat("a"), expression("a * 2")],
        StartTime=START,
        EndTime=START + timedelta(hours=1),
        ScanBy="TimestampAscending",
        PaginationConfig={"PageSize": 2},
    )
    for page in pages:
        found += [value for result in page["MetricDataResults"] for value in result["Values"]]
    assert found == [1, 2, 3, 2, 4, 6]


def test_old_points_are_merged_and_at_last_removed(tmp_path: Path):
    now = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
    store = Store(tmp_path)
    service = CloudWatch(store, lambda: now)
    ages = {"exact": 1, "minutes": 20, "hours": 100, "gone": 500}
    for name, days in ages.items():
        start = now - timedelta(days=days)
        points = [(name, {}, float(n), start + timedelta(seconds=n)) for n in range(600)]
        service.put_points("old", points)
    service = CloudWatch(store, lambda: now)
    service.put_points("old", [("new", {}, 1.0, now)])
    rows = store.read().execute(
        "SELECT name, COUNT(*), SUM(samples), SUM(total), MIN(low), MAX(high) FROM cw_points"
        " JOIN cw_metrics ON id = metric_id GROUP BY name"
    )
    sums = (600.0, 179_700.0, 0.0, 599.0)
    assert {row[0]: row[1:] for row in rows} == {
        "exact": (600, *sums),
        "minutes": (2, *sums),
        "hours": (1, *sums),
        "new": (1, 1.0, 1.0, 1.0, 1.0),
    }
    again = CloudWatch(store, lambda: now)
    again.put_points("old", [("new", {}, 1.0, now)])
    count = store.read().execute("SELECT COUNT(*) FROM cw_points").fetchone()
    assert count == (605,)
    store.close()
