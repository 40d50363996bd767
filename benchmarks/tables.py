"""Samples in, aligned plain tables out: medians, 95th percentiles, targets, and the machine."""

import math
import os
import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal

from pydantic import BaseModel, ConfigDict

TIME_COLUMNS = ("what", "n", "p50", "p95", "target", "verdict")


@dataclass(frozen=True)
class Target:
    """An upper limit of one percentile, from the design's list of measures or an acceptance."""

    of: Literal["p50", "p95"]
    seconds: float

    def __str__(self) -> str:
        return f"{self.of} < {duration(self.seconds)}"

    def verdict(self, samples: Sequence[float]) -> str:
        measured = p50(samples) if self.of == "p50" else p95(samples)
        return "PASS" if measured < self.seconds else "over"


class Table(BaseModel):
    """Cells as text; the first column is words, the others are figures."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()

    def text(self) -> str:
        lines = [self.columns, *self.rows]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        drawn = [_line(line, widths) for line in lines]
        rule = "-" * max(map(len, drawn))
        return "\n".join([self.title, rule, drawn[0], rule, *drawn[1:], rule, *self.notes])


def time_row(what: str, samples: Sequence[float], target: Target | None = None) -> tuple[str, ...]:
    """A row under TIME_COLUMNS; samples are seconds."""
    verdict = (str(target), target.verdict(samples)) if target else ("", "")
    count = str(len(samples))
    return (what, count, duration(p50(samples)), duration(p95(samples)), *verdict)


def timed(call: Callable[[], object]) -> float:
    """Seconds that one call takes."""
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def p50(samples: Sequence[float]) -> float:
    return median(samples)


def p95(samples: Sequence[float]) -> float:
    """By nearest rank: with fewer than 20 samples it is the slowest."""
    return sorted(samples)[math.ceil(0.95 * len(samples)) - 1]


def duration(seconds: float) -> str:
    """ "8.3 ms" below a tenth of a second, "250 ms" below a second, else "1.52 s"."""
    if abs(seconds) < 0.1:
        return f"{seconds * 1000:.1f} ms"
    return f"{seconds * 1000:.0f} ms" if abs(seconds) < 1 else f"{seconds:.2f} s"


def machine() -> str:
    """Read it with every table: other work on the machine makes all times longer."""
    load = " ".join(f"{number:.2f}" for number in os.getloadavg())
    return (
        f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}, "
        f"Python {platform.python_version()}, load 1/5/15 min: {load}"
    )


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    first, *others = cells
    figures = (cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True))
    return "  ".join([first.ljust(widths[0]), *figures]).rstrip()
