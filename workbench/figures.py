"""Typed points in, Plotly figures out: pure, small enough for a browser, colours explicit per theme.

Texts of data never enter a figure: Plotly would read markup in them.
"""

from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any, Literal

import plotly.graph_objects as go

from mlops.ledger import Entry
from mlops.metrics import MetricPoint, downsample
from mlops.money import MICRO_PER_USD, parse_usd
from mlops.tools import CostsOutput

Theme = Literal["light", "dark"]

MAX_POINTS = 2000
CONFIG: dict[str, Any] = {"displaylogo": False, "responsive": True, "displayModeBar": False}
SCORES = {
    "eval_token_f1": "F1 per token, validation",
    "eval_f1": "F1, validation",
    "eval_precision": "Precision, validation",
    "eval_recall": "Recall, validation",
    "test_f1": "F1, test",
}
_HEIGHT = 280
_COLOURS = {
    "light": ("#0b6b5d", "#b3471f", "#3454a4", "#8a4b9c", "#7a6a00", "#4c5a57"),
    "dark": ("#4fd1b5", "#f2a07b", "#8fb0ff", "#d7a5e8", "#d9c95a", "#a9b8b4"),
}
_INK = {"light": "#17211f", "dark": "#e4eeeb"}
_GRID = {"light": "#d5dfdc", "dark": "#2c3a37"}


def loss_curve(curves: Mapping[str, Sequence[MetricPoint]], theme: Theme = "light") -> go.Figure:
    """Training loss over the seconds since the job's first point."""
    figure = _figure("Training loss", "seconds", "loss", theme)
    _add(figure, {"train_loss": "Training loss"}, curves)
    return figure


def score_curve(
    curves: Mapping[str, Sequence[MetricPoint]],
    theme: Theme = "light",
    target: float | None = None,
) -> go.Figure:
    """Validation scores as they come, the final ones, and the target as a line."""
    figure = _figure("Scores", "seconds", "score", theme)
    _add(figure, SCORES, curves)
    figure.update_yaxes(range=[0, 1.02])
    if target is not None:
        _line(figure, target, f"target {target:g}", theme)
    return figure


def spend_over_time(
    entries: Sequence[Entry], theme: Theme = "light", limit_usd: str | None = None
) -> go.Figure:
    """Running totals of a month's bookings: what was spent, and what spent and reserved make."""
    figure = _figure("Spending this month", "", "US dollars", theme)
    figure.update_yaxes(rangemode="tozero")
    ordered = sorted(entries, key=lambda entry: entry.at)
    spent = list(accumulate(entry.spent_micro for entry in ordered))
    taken = list(accumulate(e.spent_micro + e.reserved_micro for e in ordered))
    for name, totals in (("Spent", spent), ("Spent and reserved", taken)):
        points = [
            MetricPoint(name=name, value=total / MICRO_PER_USD, at=entry.at)
            for entry, total in zip(ordered, totals, strict=True)
        ]
        few = downsample(points, MAX_POINTS // 2)
        figure.add_scatter(
            x=[p.at for p in few], y=[p.value for p in few], name=name, line_shape="hv"
        )
    if limit_usd is not None:
        _line(figure, float(limit_usd), f"limit ${limit_usd}", theme)
    return figure


def cost_against_budget(costs: CostsOutput, theme: Theme = "light") -> go.Figure:
    """One bar of the month's limit: spent, reserved, left."""
    figure = _figure("This month against its limit", "US dollars", "", theme)
    parts = {"Spent": costs.spent_usd, "Reserved": costs.reserved_usd, "Left": costs.left_usd}
    for name, amount in parts.items():
        value = max(0, parse_usd(amount)) / MICRO_PER_USD
        figure.add_bar(x=[value], y=[costs.month], name=name, orientation="h")
    figure.update_layout(barmode="stack", height=_HEIGHT // 2)
    figure.update_yaxes(visible=False)
    return figure


def alt_text(figure: go.Figure) -> str:
    """A figure in words, for those who do not see it: each series with its first and last value."""
    drawn = figure.to_plotly_json()
    series = [_in_words(trace) for trace in drawn["data"] if len(trace["y"])]
    return f"{drawn['layout']['meta']}: {'; '.join(series) or 'no points yet'}."


def _in_words(trace: Mapping[str, Any]) -> str:
    values = trace["x"] if trace["type"] == "bar" else trace["y"]
    if len(values) == 1:
        return f"{trace['name']} {values[0]:.4g}"
    return f"{trace['name']}, {len(values)} points, from {values[0]:.4g} to {values[-1]:.4g}"


def _add(
    figure: go.Figure, names: Mapping[str, str], curves: Mapping[str, Sequence[MetricPoint]]
) -> None:
    """One line per metric that has points; they share MAX_POINTS and their zero on the x axis."""
    shown = {name: curves[name] for name in names if curves.get(name)}
    start = min((points[0].at for points in shown.values()), default=None)
    for name, points in shown.items():
        few = downsample(points, MAX_POINTS // len(shown))
        seconds = [round((p.at - start).total_seconds(), 3) if start else 0.0 for p in few]
        mode = "lines" if len(few) > 1 else "markers"
        figure.add_scatter(x=seconds, y=[p.value for p in few], name=names[name], mode=mode)


def _line(figure: go.Figure, value: float, text: str, theme: Theme) -> None:
    figure.add_hline(
        y=value, line_dash="dash", line_color=_INK[theme], line_width=1, annotation_text=text
    )


def _figure(title: str, x: str, y: str, theme: Theme) -> go.Figure:
    """Empty, on a transparent ground; `meta` keeps the title for `alt_text`, the page shows its own."""
    figure = go.Figure()
    figure.update_layout(
        template="none",
        meta=title,
        title={"text": title, "font": {"size": 14}, "x": 0, "xref": "paper", "y": 0.97},
        colorway=list(_COLOURS[theme]),
        font={"color": _INK[theme]},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        height=_HEIGHT,
        margin={"l": 56, "r": 12, "t": 56, "b": 40},
        legend={"orientation": "h", "y": 1, "yanchor": "bottom", "x": 1, "xanchor": "right"},
        hovermode="x unified",
        uirevision="keep",
    )
    grid = {"gridcolor": _GRID[theme], "zerolinecolor": _GRID[theme], "automargin": True}
    figure.update_xaxes(title_text=x, **grid)
    figure.update_yaxes(title_text=y, **grid)
    return figure
