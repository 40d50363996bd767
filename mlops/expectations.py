"""What score to expect of a model on a dataset: from our stored runs or a published figure, else unknown."""

import csv
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files

from pydantic import BaseModel, ConfigDict

from mlops.estimate import PastRun

UNKNOWN = "unknown"


class Expectation(BaseModel):
    """A score that was really measured by somebody, and by whom; bounds are its 95 % interval."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str
    metric: str
    value: float
    low: float | None = None
    high: float | None = None
    split: str
    source: str

    def in_words(self) -> str:
        """ "f1 0.9046 (95 %: 0.8890–0.9200) on test, stored run llmops-…"."""
        score = f"{self.value:.4f}{interval(self.low, self.high)}"
        return f"{self.metric} {score} on {self.split}, {self.source}"


def interval(low: float | None, high: float | None) -> str:
    """ " (95 %: 0.8890–0.9200)", for after a score; nothing where it is not known."""
    return "" if low is None or high is None else f" (95 %: {low:.4f}–{high:.4f})"


def expected(
    model: str,
    metric: str,
    epochs: int,
    dataset: str,
    fingerprint: str,
    runs: Sequence[PastRun],
) -> Expectation | None:
    """The newest stored run of the same model, data and passes wins; None is "unknown"."""
    for run in runs:
        same = run.fingerprint == fingerprint and run.work.epochs == epochs
        if same and fingerprint and metric in run.scores:
            return _stored(model, metric, run)
    figures = (figure for figure in published(dataset) if figure.metric == metric)
    return next((figure for figure in figures if figure.model == model), None)


def published(dataset: str) -> tuple[Expectation, ...]:
    """Figures for a dataset of this name, best first. Another copy of it may score otherwise."""
    return _table().get(dataset.lower(), ())


def _stored(model: str, metric: str, run: PastRun) -> Expectation:
    return Expectation(
        model=model,
        metric=metric,
        value=run.scores[metric],
        low=run.scores.get(f"{metric}_low"),
        high=run.scores.get(f"{metric}_high"),
        split="test",
        source=f"stored run {run.job_name}".strip(),
    )


@cache
def _table() -> Mapping[str, tuple[Expectation, ...]]:
    text = files("mlops").joinpath("expectations.csv").read_text("utf-8")
    found: dict[str, list[Expectation]] = {}
    for row in csv.DictReader(text.splitlines()):
        figure = Expectation(
            model=row["model"],
            metric=row["metric"],
            value=float(row["value"]),
            split=row["split"],
            source=row["source"],
        )
        for name in (row["dataset"], *row["aliases"].split()):
            found.setdefault(name, []).append(figure)
    return {name: tuple(sorted(rows, key=lambda f: -f.value)) for name, rows in found.items()}
