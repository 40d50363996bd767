"""How long this job may still train: the given limit, without what earlier starts of it used.

A job that was interrupted starts this script again with its checkpoints; its clock goes on.
"""

import json
import os
import time
from collections.abc import Callable
from pathlib import Path

_FILE = "training_time.json"
# How often the used time is written down; at most this much is forgotten by a kill.
_KEEP_SECONDS = 1.0


class TrainingTime:
    """Counts from when it is made; `limit_seconds` None means that nothing limits training."""

    def __init__(
        self,
        limit_seconds: int | None,
        folder: Path,
        clock: Callable[[], float] = time.monotonic,
    ):
        self._limit_seconds = limit_seconds
        self._path = folder / _FILE
        self._clock = clock
        self._started = clock()
        self._used_before = _used(self._path)
        self._kept_at = self._started

    def left(self) -> float:
        """Seconds, infinite without a limit, negative when it is over."""
        if self._limit_seconds is None:
            return float("inf")
        now = self._clock()
        if now - self._kept_at >= _KEEP_SECONDS:
            self._kept_at = now
            self._keep(now)
        return self._limit_seconds - self._used_before - (now - self._started)

    def _keep(self, now: float) -> None:
        partial = self._path.with_suffix(".partial")
        partial.write_text(json.dumps({"used_seconds": self._used_before + now - self._started}))
        os.replace(partial, self._path)


def _used(path: Path) -> float:
    try:
        return max(0.0, float(json.loads(path.read_text())["used_seconds"]))
    except (OSError, ValueError, KeyError, TypeError):
        return 0.0
