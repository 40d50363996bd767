"""Figures: what they show, that they stay small, and that they can be sent and read aloud."""

import json
from datetime import timedelta
from typing import Any, Literal

import plotly.graph_objects as go
import pytest

from mlops.ledger import Entry, EntryKind
from mlops.metrics import MetricPoint
from mlops.tools import CostsOutput
from tests.factories import NOW
from workbench import figures


def curve(name: str, count: int) -> list[MetricPoint]:
    return [
        MetricPoint(name=name, value=1 / (i + 1), at=NOW + timedelta(seconds=i))
        for i in range(count)
    ]


def booking(day: int, spent: int, reserved: int) -> Entry:
    return Entry(
        scope="s",
        kind=EntryKind.SETTLE,
        key=f"<b>job-{day}</b>",
        at=NOW + timedelta(days=day),
        spent_micro=spent,
        reserved_micro=reserved,
    )


def drawn(figure: go.Figure) -> dict[str, Any]:
    """What a browser gets."""
    return json.loads(str(figure.to_json()))


COSTS = CostsOutput(
    month="2026-11",
    limit_usd="50.00",
    spent_usd="10.00",
    reserved_usd="5.00",
    left_usd="35.00",
    sandbox=True,
)
CURVES = {name: curve(name, 5000) for name in ("train_loss", "eval_token_f1", "eval_f1")}
ENTRIES = [booking(day, 1000, 0) for day in range(5000)]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_figure_is_small_json_in_its_theme(theme: Literal["light", "dark"]):
    made = (
        figures.loss_curve(CURVES, theme),
        figures.score_curve(CURVES, theme, target=0.85),
        figures.spend_over_time(ENTRIES, theme, limit_usd="50.00"),
        figures.cost_against_budget(COSTS, theme),
    )
    for figure in made:
        sent = drawn(figure)
        assert sent["layout"]["colorway"] == list(figures._COLOURS[theme])
        assert sum(len(trace["y"]) for trace in sent["data"]) <= figures.MAX_POINTS


@pytest.mark.parametrize("curves", [{}, {"train_loss": []}, {"unknown": curve("unknown", 3)}])
def test_no_points_is_an_empty_figure(curves: dict[str, list[MetricPoint]]):
    for figure in (figures.loss_curve(curves), figures.score_curve(curves)):
        assert drawn(figure)["data"] == []
        assert figures.alt_text(figure).endswith("no points yet.")


def test_curves_start_at_zero_seconds_and_keep_their_ends():
    (trace,) = drawn(figures.loss_curve(CURVES))["data"]
    assert (trace["x"][0], trace["x"][-1]) == (0.0, 4999.0)
    assert trace["y"][-1] == CURVES["train_loss"][-1].value


def test_a_single_final_score_is_a_mark():
    (trace,) = drawn(figures.score_curve({"test_f1": curve("test_f1", 1)}))["data"]
    assert trace["mode"] == "markers"


def test_spending_runs_up_in_order_of_time():
    figure = figures.spend_over_time([booking(2, 500_000, -2_000_000), booking(1, 0, 2_000_000)])
    spent, taken = drawn(figure)["data"]
    assert spent["y"] == [0.0, 0.5]
    assert taken["y"] == [2.0, 0.5]


def test_texts_of_data_stay_out():
    assert "<b>" not in str(figures.spend_over_time(ENTRIES).to_json())


def test_a_figure_can_be_read_aloud():
    spoken = figures.alt_text(figures.loss_curve(CURVES))
    assert spoken == "Training loss: Training loss, 2000 points, from 1 to 0.0002."
    assert figures.alt_text(figures.cost_against_budget(COSTS)) == (
        "This month against its limit: Spent 10; Reserved 5; Left 35."
    )
