"""Validation scores of a running stage are extrapolated: can the target still be reached, and how sure is that?

Several saturating curves are fitted and weighted by how well they explain the points. A stage is
given up only when they and a bound on what the latest improvements can still add agree.
"""

import math
from collections.abc import Iterator, Sequence
from statistics import NormalDist

from pydantic import BaseModel, ConfigDict

CONFIDENT = 0.97
FEWEST_POINTS = 3
# Scores jitter at least this much from one evaluation to the next.
LEAST_NOISE = 0.004
# Curves may bend otherwise than ours do: their predictions are this much less certain.
CAUTION = 2.0
# An improvement repeats itself with at most this ratio from one evaluation to the next.
DECAY = 0.9
# A latest rise below this share of the steepest one, over a quarter of the points.
BENT, WINDOWS = 0.35, 4
# A model that finds next to nothing yet may just be slow to start.
TAKEN_OFF = 0.1
POWERS = (0.3, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0)
RATES = (0.05, 0.1, 0.2, 0.35, 0.5, 0.8, 1.2, 2.0)


class StopVerdict(BaseModel):
    """`probability` that the target is missed; `bound` is the most that a further run should give."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    out_of_reach: bool
    probability: float
    bound: float
    why: str


class _Fit(BaseModel):
    """Squared error on the points, and what the curve says of the last evaluation."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    squares: float
    predicted: float
    leverage: float


def out_of_reach(points: Sequence[float], target: float, planned: int) -> StopVerdict:
    """From the target's own metric, one point per evaluation of `planned`; higher is better."""
    done, best = len(points), max(points, default=0.0)
    if best >= target:
        return StopVerdict(out_of_reach=False, probability=0.0, bound=1.0, why="It is reached.")
    if done < FEWEST_POINTS or done >= planned:
        why = f"{done} of {planned} evaluations say too little."
        return StopVerdict(out_of_reach=False, probability=0.0, bound=1.0, why=why)
    fits = [_fit(points, shape, planned) for shape in _shapes(planned)]
    noise = _noise(points, fits)
    bound = _bound(points, planned, noise)
    miss = _miss(fits, noise, target, planned - done)
    given_up = miss >= CONFIDENT and bound < target and _has_bent(points, noise)
    why = (
        f"After {done} of {planned} evaluations the best is {best:.4f}; {target:g} is missed "
        f"with a probability of {100 * miss:.1f} %, at most {bound:.4f} can be expected."
    )
    return StopVerdict(out_of_reach=given_up, probability=miss, bound=bound, why=why)


def _shapes(planned: int) -> Iterator[list[float]]:
    """What is left to learn after each evaluation, between 1 and 0."""
    steps = range(1, planned + 1)
    for power in POWERS:
        yield [step**-power for step in steps]
    for rate in RATES:
        yield [math.exp(-rate * (step - 1)) for step in steps]


def _fit(points: Sequence[float], shape: Sequence[float], planned: int) -> _Fit:
    """Least squares of score = limit - gain × shape, with a gain ≥ 0 and a limit ≤ 1."""
    seen = shape[: len(points)]
    mean_x, mean_y = sum(seen) / len(seen), sum(points) / len(points)
    spread = sum((x - mean_x) ** 2 for x in seen)
    gain = -sum((x - mean_x) * (y - mean_y) for x, y in zip(seen, points, strict=True)) / spread
    gain = max(0.0, gain)
    limit = mean_y + gain * mean_x
    if limit > 1:
        limit = 1.0
        gain = sum(x * (1 - y) for x, y in zip(seen, points, strict=True))
        gain /= sum(x * x for x in seen)
    squares = sum((y - limit + gain * x) ** 2 for x, y in zip(seen, points, strict=True))
    leverage = 1 / len(seen) + (shape[planned - 1] - mean_x) ** 2 / spread
    return _Fit(squares=squares, predicted=limit - gain * shape[planned - 1], leverage=leverage)


def _noise(points: Sequence[float], fits: Sequence[_Fit]) -> float:
    """Standard deviation of one evaluation around the best of the curves."""
    free = max(1, len(points) - 2)
    return max(LEAST_NOISE, math.sqrt(min(fit.squares for fit in fits) / free))


def _bound(points: Sequence[float], planned: int, noise: float) -> float:
    """The best so far, plus the larger of the two last improvements repeated with decay."""
    steps = [b - a for a, b in zip(points, points[1:], strict=False)][-2:]
    step = max(0.0, *steps) + noise
    left = planned - len(points)
    return max(points) + step * sum(DECAY**i for i in range(1, left + 1))


def _has_bent(points: Sequence[float], noise: float) -> bool:
    """The climb is behind it: the latest rise is small against the steepest one, which starts from
    the 0 of an untrained model. A late starter, still flat or rising faster, is not judged."""
    scores = (0.0, *points)
    width = max(1, len(points) // WINDOWS)
    rises = [b - a for a, b in zip(scores, scores[width:], strict=False)]
    return max(scores) >= TAKEN_OFF and rises[-1] + noise <= BENT * max(rises)


def _miss(fits: Sequence[_Fit], noise: float, target: float, left: int) -> float:
    """Probability that none of the evaluations that are left reaches the target."""
    least = min(fit.squares for fit in fits)
    weights = [math.exp(-(fit.squares - least) / (2 * noise**2)) for fit in fits]
    luck = noise * math.sqrt(2 * math.log(left + 1))
    misses = [
        NormalDist(fit.predicted + luck, CAUTION * noise * math.sqrt(1 + fit.leverage)).cdf(target)
        for fit in fits
    ]
    return sum(w * m for w, m in zip(weights, misses, strict=True)) / sum(weights)
