"""Percentiles, verdicts and alignment of the printed tables, and the command's answer to a wrong name."""

import pytest

from benchmarks.__main__ import main
from benchmarks.tables import TIME_COLUMNS, Table, Target, duration, p50, p95, time_row


def test_percentiles_by_nearest_rank():
    assert p50([3.0, 1.0, 2.0]) == 2.0
    assert p95([1.0, 9.0, 5.0]) == 9.0
    assert p95([float(n) for n in range(1, 101)]) == 95.0


@pytest.mark.parametrize(
    ("target", "verdict"),
    [(Target("p50", 2.5), "PASS"), (Target("p50", 2.0), "over"), (Target("p95", 2.5), "over")],
)
def test_a_target_binds_its_own_percentile_and_is_strict(target: Target, verdict: str):
    assert target.verdict([1.0, 2.0, 3.0]) == verdict


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.0083, "8.3 ms"), (0.25, "250 ms"), (1.516, "1.52 s")]
)
def test_durations_keep_three_figures(seconds: float, text: str):
    assert duration(seconds) == text


def test_columns_are_aligned():
    rows = (time_row("short", [0.1, 0.2], Target("p50", 1.0)), time_row("a longer name", [12.0]))
    lines = Table(title="Title", columns=TIME_COLUMNS, rows=rows).text().splitlines()
    header, first, second = lines[2], lines[4], lines[5]
    assert header.index("p50") + len("p50") == first.index("150 ms") + len("150 ms")
    assert second.index("12.00 s") + len("12.00 s") == first.index("150 ms") + len("150 ms")
    assert first.endswith("PASS")


def test_an_unknown_name_lists_those_that_exist(capsys: pytest.CaptureFixture[str]):
    assert main(["speed"]) == 2
    assert "journey" in capsys.readouterr().out
