"""How long our own jobs waited for an instance, from launch to the start of training, by type."""

import math
from collections.abc import Iterable, Mapping
from statistics import median

from pydantic import BaseModel, ConfigDict

ENOUGH = 3


class Wait(BaseModel):
    """What was seen of one instance type; nothing seen is no Wait, not a wait of 0."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    median_seconds: int
    p90_seconds: int
    jobs: int

    @property
    def expected_seconds(self) -> int:
        """What a deadline has to allow for: p90 of a few jobs is no figure yet."""
        return self.p90_seconds if self.jobs >= ENOUGH else self.median_seconds


def key(instance_type: str, spot: bool) -> str:
    """Spot capacity is another queue."""
    return f"{instance_type} spot" if spot else instance_type


def seen(started: Iterable[tuple[str, float]]) -> dict[str, Wait]:
    """From (key, seconds from launch to start) of jobs that started."""
    by_key: dict[str, list[float]] = {}
    for name, seconds in started:
        by_key.setdefault(name, []).append(max(0.0, seconds))
    return {name: _wait(sorted(found)) for name, found in by_key.items()}


def in_words(waits: Mapping[str, Wait], instance_type: str, spot: bool = False) -> str:
    """For people: what was seen, or "unknown"."""
    wait = waits.get(key(instance_type, spot))
    if wait is None:
        return "unknown"
    jobs = f"{wait.jobs} job{'s' if wait.jobs > 1 else ''}"
    return f"median {wait.median_seconds} s, p90 {wait.p90_seconds} s ({jobs})"


def _wait(seconds: list[float]) -> Wait:
    """p90 by nearest rank."""
    return Wait(
        median_seconds=round(median(seconds)),
        p90_seconds=round(seconds[math.ceil(0.9 * len(seconds)) - 1]),
        jobs=len(seconds),
    )
