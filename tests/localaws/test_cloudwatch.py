"""Metrics: exact selection, aggregation by period, order, pages, percentiles."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

START = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
JOB = [{"Name": "TrainingJobName", "Value": "job-1"}]


@pytest.fixture(scope="module")
def cloudwatch(local: Any) -> Any:
    return local.client("cloudwatch")


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def query(name: str, statistic: str = "Average", **more: Any) -> dict[str, Any]:
    metric = {
        "Namespace": more.pop("Namespace", "ns"),
        "MetricName": name,
        "Dimensions": more.pop("Dimensions", JOB),
    }
    stat = {"Metric": metric, "Period": more.pop("Period", 60), "Stat": statistic}
    return {"Id": more.pop("Id", "m"), "MetricStat": stat, **more}


def read(cloudwatch: Any, *queries: dict[str, Any], **more: Any) -> list[dict[str, Any]]:
    request = {"StartTime": START, "EndTime": at(3600), "ScanBy": "TimestampAscending", **more}
    answer = cloudwatch.get_metric_data(MetricDataQueries=list(queries), **request)
    return answer["MetricDataResults"]


def values(cloudwatch: Any, *queries: dict[str, Any], **more: Any) -> list[float]:
    return read(cloudwatch, *queries, **more)[0]["Values"]


def refused(call: Callable[..., Any], **arguments: Any) -> str:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    return str(caught.value)


@pytest.fixture(scope="module")
def loss(cloudwatch: Any) -> str:
    data = [
        {"MetricName": "loss", "Dimensions": JOB, "Timestamp": at(20 * n), "Value": float(n)}
        for n in range(9)
    ]
    cloudwatch.put_metric_data(Namespace="ns", MetricData=data)
    return "loss"


@pytest.mark.parametrize(
    ("statistic", "expected"),
    [
        ("Average", [1, 4, 7]),
        ("Sum", [3, 12, 21]),
        ("Minimum", [0, 3, 6]),
        ("Maximum", [2, 5, 8]),
        ("SampleCount", [3, 3, 3]),
        ("p50", [1, 4, 7]),
        ("p99.9", [2, 5, 8]),
    ],
)
def test_statistics_per_period(cloudwatch: Any, loss: str, statistic: str, expected: list[float]):
    result = read(cloudwatch, query(loss, statistic))[0]
    assert result["Values"] == expected
    assert result["Timestamps"] == [at(0), at(60), at(120)]
    assert (result["StatusCode"], result["Label"]) == ("Complete", "loss")


def test_short_periods_give_single_points(cloudwatch: Any, loss: str):
    assert values(cloudwatch, query(loss, Period=1)) == list(range(9))


def test_selection_is_exact(cloudwatch: Any, loss: str):
    for other in (
        query("Loss"),
        query(loss, Namespace="other"),
        query(loss, Dimensions=[]),
        query(loss, Dimensions=[{"Name": "TrainingJobName", "Value": "job-2"}]),
        query(loss, Dimensions=[*JOB, {"Name": "Host", "Value": "a"}]),
    ):
        assert values(cloudwatch, other) == []


def test_times_bound_and_descending_is_the_default(cloudwatch: Any, loss: str):
    assert values(cloudwatch, query(loss), EndTime=at(60)) == [1]
    assert values(cloudwatch, query(loss), StartTime=at(61)) == [4, 7]
    answer = cloudwatch.get_metric_data(
        MetricDataQueries=[query(loss)], StartTime=START, EndTime=at(600)
    )
    assert answer["MetricDataResults"][0]["Values"] == [7, 4, 1]


def test_pages_join(cloudwatch: Any, loss: str):
    queries = [query(loss, Id="a", Period=1), query(loss, Id="b"), query("absent", Id="c")]
    pages = cloudwatch.get_paginator("get_metric_data").paginate(
        MetricDataQueries=queries,
        StartTime=START,
        EndTime=at(600),
        ScanBy="TimestampAscending",
        PaginationConfig={"PageSize": 5},
    )
    found: dict[str, list[float]] = {"a": [], "b": [], "c": []}
    last: dict[str, str] = {}
    for page in pages:
        for result in page["MetricDataResults"]:
            found[result["Id"]] += result["Values"]
            last[result["Id"]] = result["StatusCode"]
    assert found == {"a": list(range(9)), "b": [1, 4, 7], "c": []}
    assert set(last.values()) == {"Complete"}


def test_sets_of_values_and_large_bodies(cloudwatch: Any):
    many = [float(n) for n in range(150)]
    data = [
        {"MetricName": f"m{n}", "Timestamp": at(0), "Values": many, "Counts": [2.0] * 150}
        for n in range(30)
    ]
    summed = {"SampleCount": 4.0, "Sum": 10.0, "Minimum": 1.0, "Maximum": 4.0}
    data.append({"MetricName": "sets", "Timestamp": at(0), "StatisticValues": summed})
    cloudwatch.put_metric_data(Namespace="many", MetricData=data)
    plain = {"Namespace": "many", "Dimensions": []}
    assert values(cloudwatch, query("m29", "SampleCount", **plain)) == [300]
    assert values(cloudwatch, query("m29", "p10", **plain)) == [14]
    assert values(cloudwatch, query("sets", "Average", **plain)) == [2.5]


def test_points_of_the_runner_arrive(cloudwatch: Any, local: Any):
    points = [("f1", {"TrainingJobName": "j"}, 0.5 + n / 10, at(n)) for n in range(3)]
    local.service("cloudwatch").put_points("/aws/sagemaker/TrainingJobs", points)
    wanted = query(
        "f1",
        Namespace="/aws/sagemaker/TrainingJobs",
        Dimensions=[{"Name": "TrainingJobName", "Value": "j"}],
        Period=1,
    )
    assert values(cloudwatch, wanted) == [0.5, 0.6, 0.7]


def test_statistics_and_metric_lists(cloudwatch: Any, loss: str):
    answer = cloudwatch.get_metric_statistics(
        Namespace="ns",
        MetricName=loss,
        Dimensions=JOB,
        StartTime=START,
        EndTime=at(600),
        Period=60,
        Statistics=["Sum", "Maximum"],
    )
    assert sorted((p["Sum"], p["Maximum"]) for p in answer["Datapoints"]) == [
        (3, 2),
        (12, 5),
        (21, 8),
    ]
    listed = cloudwatch.list_metrics(Namespace="ns", Dimensions=[{"Name": "TrainingJobName"}])
    assert listed["Metrics"] == [{"Namespace": "ns", "MetricName": "loss", "Dimensions": JOB}]
    assert cloudwatch.list_metrics(MetricName="absent")["Metrics"] == []


def test_what_is_refused(cloudwatch: Any, loss: str):
    def asked(wanted: dict[str, Any]) -> str:
        times = {"StartTime": START, "EndTime": at(60)}
        return refused(cloudwatch.get_metric_data, MetricDataQueries=[wanted], **times)

    assert "tm90 is not part" in asked(query(loss, "tm90"))
    assert "Period 7" in asked(query(loss, Period=7))
    assert "No query has the id m1" in asked({"Id": "e", "Expression": "m1*2"})
    backwards = {"StartTime": at(60), "EndTime": START}
    assert "EndTime" in refused(
        cloudwatch.get_metric_data, MetricDataQueries=[query(loss)], **backwards
    )
    nothing = {"Namespace": "ns", "MetricData": [{"MetricName": "x"}]}
    assert "InvalidParameterCombination" in refused(cloudwatch.put_metric_data, **nothing)
    infinite = {"Namespace": "ns", "MetricData": [{"MetricName": "x", "Value": float("inf")}]}
    assert "finite" in refused(cloudwatch.put_metric_data, **infinite)


def test_100_000_points_of_other_jobs_cost_nothing(cloudwatch: Any, local: Any, loss: str):
    """The points of one job are read by its key; others are not touched."""
    plan = local.store.read().execute(
        "EXPLAIN QUERY PLAN SELECT at_ms / 60000, SUM(total) FROM cw_points"
        " WHERE metric_id=1 AND at_ms >= 0 AND at_ms < 9 GROUP BY 1"
    )
    assert "USING PRIMARY KEY (metric_id=? AND at_ms>? AND at_ms<?)" in plan.fetchone()[3]
