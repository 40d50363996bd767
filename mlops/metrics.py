"""Lines that a training job prints become named numbers, on SageMaker and in the embedded runner.

One table of regular expressions serves both: `definitions()` goes into CreateTrainingJob,
`scan` applies the same table to one line.
"""

import math
import re
from collections.abc import Sequence
from datetime import datetime

from pydantic import BaseModel, ConfigDict

METRIC_NAMESPACE = "/aws/sagemaker/TrainingJobs"
"""CloudWatch namespace of a job's own metrics; their dimension is TrainingJobName."""

METRIC_NAMES = (
    "train_loss",
    "progress",
    "eval_token_f1",
    "eval_f1",
    "eval_precision",
    "eval_recall",
    "eval_accuracy",
    "test_f1",
    "test_precision",
    "test_recall",
    "test_f1_low",
    "test_f1_high",
    "test_accuracy",
)
"""Also the order of charts. `eval_token_f1` is live and per token, `eval_f1` final, per entity."""

_NUMBER = r"([-+]?[0-9]+(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?)"


class MetricPoint(BaseModel):
    """One value of one metric; `at` is aware UTC."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    value: float
    at: datetime


def definitions() -> list[dict[str, str]]:
    """The MetricDefinitions of CreateTrainingJob (at most 40, a regex of at most 500 characters)."""
    return [{"Name": name, "Regex": _regex(name)} for name in METRIC_NAMES]


def scan(line: str) -> tuple[tuple[str, float], ...]:
    """Every metric found in one line, in the order of METRIC_NAMES."""
    found = ((name, pattern.search(line)) for name, pattern in _PATTERNS)
    values = ((name, float(match[1])) for name, match in found if match)
    return tuple((name, value) for name, value in values if math.isfinite(value))


def downsample(points: Sequence[MetricPoint], limit: int) -> tuple[MetricPoint, ...]:
    """At most `limit` points (two or more), evenly picked over the sequence, both ends among them."""
    if len(points) <= limit:
        return tuple(points)
    last = len(points) - 1
    return tuple(points[step * last // (limit - 1)] for step in range(limit))


def _regex(name: str) -> str:
    """Only a whole name counts: `test_f1=` is neither `test_f1_low=` nor `best_test_f1=`."""
    return rf"(?:^|\s){name}={_NUMBER}"


_PATTERNS = tuple((name, re.compile(_regex(name))) for name in METRIC_NAMES)
