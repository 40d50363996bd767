"""Curves and log lines of a job, as CloudWatch gives them back."""

from contextlib import suppress
from datetime import timedelta

from mlops.aws.clients import Aws
from mlops.aws.metrics import LOG_GROUP, curves, log_tail
from mlops.metrics import METRIC_NAMESPACE
from tests.factories import NOW


def put(aws: Aws, job: str, name: str, *values: float) -> None:
    data = [
        {
            "MetricName": name,
            "Dimensions": [{"Name": "TrainingJobName", "Value": job}],
            "Timestamp": NOW + timedelta(seconds=n),
            "Value": value,
        }
        for n, value in enumerate(values)
    ]
    aws.client("cloudwatch").put_metric_data(Namespace=METRIC_NAMESPACE, MetricData=data)


def test_curves_are_by_name_and_in_order(aws: Aws):
    put(aws, "job-curves", "train_loss", 3.0, 2.0, 1.0)
    put(aws, "job-curves", "eval_f1", 0.5)
    put(aws, "job-other", "train_loss", 9.0)
    names = ("train_loss", "eval_f1", "test_f1")
    found = curves(aws, "job-curves", names, NOW, NOW + timedelta(minutes=1))
    assert [p.value for p in found["train_loss"]] == [3.0, 2.0, 1.0]
    assert [p.at for p in found["train_loss"]] == [NOW + timedelta(seconds=n) for n in range(3)]
    assert ([p.value for p in found["eval_f1"]], found["test_f1"]) == ([0.5], [])


def test_the_last_lines_oldest_first(aws: Aws):
    logs = aws.client("logs")
    logs.create_log_group(logGroupName=LOG_GROUP)
    assert log_tail(aws, "job-quiet") == []
    logs.create_log_stream(logGroupName=LOG_GROUP, logStreamName="job-loud/algo-1")
    at = int(NOW.timestamp() * 1000) + 7
    logs.put_log_events(
        logGroupName=LOG_GROUP,
        logStreamName="job-loud/algo-1",
        logEvents=[{"timestamp": at + n, "message": f"line {n} ü"} for n in range(5)],
    )
    assert [line.text for line in log_tail(aws, "job-loud", limit=2)] == ["line 3 ü", "line 4 ü"]
    assert log_tail(aws, "job-loud")[0].at == NOW + timedelta(milliseconds=7)


def test_no_log_group_yet_is_no_line(aws: Aws):
    logs = aws.client("logs")
    with suppress(logs.exceptions.ResourceNotFoundException):
        logs.delete_log_group(logGroupName=LOG_GROUP)
    assert log_tail(aws, "job-loud") == []
