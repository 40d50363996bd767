"""Regexes of a request cannot hold up anybody."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from localaws.metric_scan import Found, MetricScan


@pytest.fixture
def scan() -> Iterator[Callable[..., MetricScan]]:
    made: list[MetricScan] = []

    def make(**patterns: str) -> MetricScan:
        made.append(MetricScan([{"Name": n, "Regex": r} for n, r in patterns.items()]))
        return made[-1]

    yield make
    for each in made:
        each.close()


def test_all_matches_of_all_lines_in_order(scan: Any):
    found = scan(loss=r"loss=(\S+)", step=r"step=(\d+)").scan(
        ["step=1 loss=3 loss=2", "", "step=2"]
    )
    assert found.values == ((0, "loss", "3"), (0, "loss", "2"), (0, "step", "1"), (2, "step", "2"))
    assert found.slow == ()


@pytest.mark.parametrize("bad", [r"(a+)+$", r"(.*.*.*.*!)", r"(a|aa)+\d"])
def test_a_regex_that_never_ends_is_given_up_and_the_others_go_on(scan: Any, bad: str):
    scanning = scan(bad=bad, loss=r"loss=(\d)")
    found = scanning.scan(["a" * 1900 + " loss=1", "loss=2"])
    assert found.slow == ("bad",)
    assert [text for _, _, text in found.values] == ["1", "2"]
    assert scanning.scan(["a" * 1900]).slow == ()


def test_a_dead_scanner_costs_the_metrics_and_nothing_else(scan: Any):
    scanning = scan(loss=r"loss=(\d)")
    scanning._process.kill()
    scanning._process.wait()
    assert scanning.scan(["loss=1"]) == Found(slow=("loss",))
    assert scanning.scan(["loss=1"]) == Found()


def test_optional_group_and_no_definitions(scan: Any):
    assert scan(seen=r"end(\d)?").scan(["end"]).values == ((0, "seen", None),)
    assert scan().scan(["loss=1"]) == Found()
