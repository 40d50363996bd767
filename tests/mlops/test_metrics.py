"""Metric definitions and the lines they must and must not match."""

import re
from datetime import UTC, datetime, timedelta

import pytest

from mlops.metrics import METRIC_NAMES, MetricPoint, definitions, downsample, scan

START = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize("name", METRIC_NAMES)
def test_each_definition_matches_its_own_line_alone(name: str) -> None:
    assert scan(f"{name}=0.5") == ((name, 0.5),)
    assert scan(f"epoch=1 {name}=-1.5e-3 x=1") == ((name, -0.0015),)
    for prefixed in (f"best_{name}=1", f"{name}_x=1", f"type_{name}=1", f"a={name}=1"):
        assert scan(prefixed) == ()


def test_definitions_fit_the_request() -> None:
    found = definitions()
    assert [d["Name"] for d in found] == list(METRIC_NAMES)
    assert len(found) <= 40
    assert all(len(d["Regex"]) <= 500 and re.compile(d["Regex"]).groups == 1 for d in found)


def test_a_line_gives_all_its_metrics() -> None:
    line = "test_f1=0.9 test_precision=0.8 test_recall=1 test_f1_low=0.85 test_f1_high=0.95"
    assert dict(scan(line)) == {
        "test_f1": 0.9,
        "test_precision": 0.8,
        "test_recall": 1.0,
        "test_f1_low": 0.85,
        "test_f1_high": 0.95,
    }


@pytest.mark.parametrize(
    "line", ["", "test_f1=", "test_f1=nan", "test_f1=inf", "test_f1=1e999", "test_type_f1=0.5"]
)
def test_what_is_no_number_is_no_metric(line: str) -> None:
    assert scan(line) == ()


def test_downsample_keeps_both_ends_and_the_order() -> None:
    points = _points(10_001)
    kept = downsample(points, 2000)
    assert len(kept) == 2000
    assert (kept[0], kept[-1]) == (points[0], points[-1])
    assert [p.at for p in kept] == sorted({p.at for p in kept})


def test_downsample_leaves_short_series_alone() -> None:
    points = _points(3)
    assert downsample(points, 3) == tuple(points)
    assert downsample(points, 2) == (points[0], points[2])
    assert downsample([], 2) == ()


def _points(count: int) -> list[MetricPoint]:
    return [
        MetricPoint(name="train_loss", value=float(i), at=START + timedelta(seconds=i))
        for i in range(count)
    ]
