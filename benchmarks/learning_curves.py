"""`python -m benchmarks curves`: seeded learning curves, stopped or not: false stops and what is saved.

The curves are simulated, of shapes that the extrapolation does not fit (Hill, Gompertz, late
starters, plateaus with a jump), with noise. What counts is what each would have reached.
"""

import math
import random
from collections.abc import Callable, Iterator

from benchmarks.tables import Table
from mlops.curve import out_of_reach

CURVES = 200
SEED = 41
MOST_FALSE_STOPS = 0.02
PLANNED = (5, 8, 12, 20, 30)
Shape = Callable[[random.Random, int], Callable[[float], float]]


def run() -> Iterator[Table]:
    results = [_judged(number) for number in range(CURVES)]
    rows = [_row(name, [r for r in results if r[0] == name]) for name in SHAPES]
    rows.append(_row("all", results))
    yield Table(
        title="Learning-curve stop (simulated curves, one point per epoch)",
        columns=("shape", "curves", "reach", "false stops", "missed", "stopped", "epochs saved"),
        rows=tuple(rows),
        notes=(
            f"A false stop gives up a curve that would have reached its target; at most "
            f"{MOST_FALSE_STOPS:.0%} of all curves may be: {_verdict(results)}.",
            "Epochs saved: of all epochs that curves which miss their target would have run.",
        ),
    )


def simulate(number: int) -> tuple[str, list[float], float]:
    """Name of the shape, a score per epoch, and the target, near what the curve reaches."""
    draw = random.Random(SEED * 1000 + number)
    name = list(SHAPES)[number % len(SHAPES)]
    planned = draw.choice(PLANNED)
    shape = SHAPES[name](draw, planned)
    noise = draw.uniform(0.001, 0.012)
    scores = [min(1.0, max(0.0, shape(x) + draw.gauss(0, noise))) for x in range(1, planned + 1)]
    target = min(0.99, max(0.05, max(scores) + draw.uniform(-0.12, 0.2)))
    return name, scores, target


def stopped_after(scores: list[float], target: float) -> int | None:
    """The number of epochs after which the stage is given up, looked at after each."""
    for done in range(1, len(scores)):
        if out_of_reach(scores[:done], target, len(scores)).out_of_reach:
            return done
    return None


def _judged(number: int) -> tuple[str, bool, int | None, int]:
    name, scores, target = simulate(number)
    return name, max(scores) >= target, stopped_after(scores, target), len(scores)


def _row(name: str, results: list[tuple[str, bool, int | None, int]]) -> tuple[str, ...]:
    reach = [r for r in results if r[1]]
    missed = [r for r in results if not r[1]]
    given_up = [r for r in missed if r[2] is not None]
    saved = sum(r[3] - (r[2] or r[3]) for r in missed)
    share = saved / max(1, sum(r[3] for r in missed))
    return (
        name,
        str(len(results)),
        str(len(reach)),
        str(sum(r[2] is not None for r in reach)),
        str(len(missed)),
        str(len(given_up)),
        f"{share:.0%}",
    )


def _verdict(results: list[tuple[str, bool, int | None, int]]) -> str:
    wrong = sum(reached and stop is not None for _, reached, stop, _ in results)
    share = wrong / len(results)
    return f"{share:.1%}, {'PASS' if share <= MOST_FALSE_STOPS else 'over'}"


def _hill(draw: random.Random, planned: int) -> Callable[[float], float]:
    top, half, slope = (
        draw.uniform(0.4, 0.97),
        planned * draw.uniform(0.05, 0.5),
        draw.uniform(1, 3),
    )
    return lambda x: top * x**slope / (half**slope + x**slope)


def _gompertz(draw: random.Random, planned: int) -> Callable[[float], float]:
    top, delay, rate = draw.uniform(0.4, 0.97), draw.uniform(0.5, 4), draw.uniform(2, 10) / planned
    return lambda x: top * math.exp(-delay * math.exp(-rate * x))


def _late(draw: random.Random, planned: int) -> Callable[[float], float]:
    top, middle = draw.uniform(0.5, 0.95), planned * draw.uniform(0.2, 0.6)
    width = planned * draw.uniform(0.04, 0.15)
    return lambda x: top / (1 + math.exp(-(x - middle) / width))


def _quick(draw: random.Random, planned: int) -> Callable[[float], float]:
    top, rate = draw.uniform(0.4, 0.97), draw.uniform(0.6, 2.5)
    return lambda x: top * (1 - math.exp(-rate * x))


def _jump(draw: random.Random, planned: int) -> Callable[[float], float]:
    """A learning rate that drops late: the score jumps once."""
    first, gain = draw.uniform(0.4, 0.85), draw.uniform(0.0, 0.06)
    at = planned * draw.uniform(0.4, 0.8)
    return lambda x: first * (1 - math.exp(-x)) + (gain if x > at else 0.0)


SHAPES: dict[str, Shape] = {
    "Hill": _hill,
    "Gompertz": _gompertz,
    "late start": _late,
    "quick": _quick,
    "jump": _jump,
}
