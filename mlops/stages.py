"""Money and time are shared out to candidates, cheap to strong: those that fit become stages."""

from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict

from mlops import budget
from mlops.candidates import Candidate
from mlops.constraints import Constraints
from mlops.estimate import Estimate, Work
from mlops.expectations import Expectation
from mlops.grid import Point
from mlops.models import Engine
from mlops.money import parse_usd, to_usd
from mlops.offers import Market

NOT_NEEDED = "Without a target the first stage is enough."
_LEFT = {"budget_usd": "money", "max_minutes": "time"}


class Stage(BaseModel):
    """One training job to be: `max_runtime_seconds` is what the reservation buys.

    `expected` None means that nobody measured this model on this data: its score is unknown.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    number: int
    model: str
    engine: str
    instance_type: str
    spot: bool
    hyperparameters: dict[str, str]
    work: Work
    estimate: Estimate
    usd_per_hour: str
    price_source: str
    price_as_of: str
    max_runtime_seconds: int
    bound_by: str | None
    ceiling_usd: str
    reason: str
    expected: Expectation | None = None

    @property
    def ceiling_micro(self) -> int:
        return parse_usd(self.ceiling_usd)


@dataclass(frozen=True, slots=True)
class Skipped:
    """A candidate that is no stage, why, and the clause that kept it out."""

    candidate: Candidate
    why: str
    bound_by: str | None = None


def share_out(
    runnable: Sequence[Candidate], constraints: Constraints, market: Market, left_micro: int
) -> tuple[list[Stage], list[Skipped]]:
    """What no longer fits is skipped, with the reason. Without a target there is nothing to climb
    for: the first stage that fits is the plan."""
    left_seconds = seconds_allowed(constraints)
    stages: list[Stage] = []
    skipped: list[Skipped] = []
    for candidate in runnable:
        if stages and constraints.target is None:
            skipped.append(Skipped(candidate, NOT_NEEDED))
            continue
        found = _first_that_fits(candidate, market, left_micro, left_seconds)
        if found is None:
            skipped.append(_skip(candidate, market, left_micro, left_seconds))
            continue
        point, clamped = found
        stages.append(_stage(point, clamped, len(stages) + 1, candidate.reason))
        left_micro -= stages[-1].ceiling_micro
        if left_seconds is not None:
            start = market.startup_of(point.instance_type, point.spot)
            left_seconds -= start + clamped.max_runtime_seconds + budget.STOP_GRACE_SECONDS
    return stages, skipped


def seconds_allowed(constraints: Constraints) -> int | None:
    minutes = constraints.max_minutes
    return None if minutes is None else int(minutes * 60)


def seconds_needed(point: Point, market: Market) -> int:
    """From approval to report."""
    return point.estimate.p90_seconds + market.startup_of(point.instance_type, point.spot)


def fits(point: Point, market: Market, left_micro: int, left_seconds: int | None) -> bool:
    """Worth starting with what is left."""
    if point.least_micro > left_micro:
        return False
    return left_seconds is None or seconds_needed(point, market) <= left_seconds


def _first_that_fits(
    candidate: Candidate, market: Market, left_micro: int, left_seconds: int | None
) -> tuple[Point, budget.Clamp] | None:
    """The point with the least expected cost of those that fit."""
    for point in candidate.points:
        seconds = _time_for(point, market, left_seconds)
        p90 = point.estimate.p90_seconds
        clamped = budget.clamp(left_micro, seconds, point.price_micro, p90)
        if clamped is not None:
            return point, clamped
    return None


def _time_for(point: Point, market: Market, left_seconds: int | None) -> int | None:
    """What a deadline leaves for MaxRuntimeInSeconds. The stop grace comes after it, so it is kept
    free as well, unless that would leave less than the p90 estimate: a run that ends by itself
    needs no grace."""
    if left_seconds is None:
        return None
    seconds = left_seconds - market.startup_of(point.instance_type, point.spot)
    safe = seconds - budget.STOP_GRACE_SECONDS
    return safe if safe >= point.estimate.p90_seconds else seconds


def _skip(
    candidate: Candidate, market: Market, left_micro: int, left_seconds: int | None
) -> Skipped:
    if not candidate.points:
        return Skipped(candidate, candidate.reason)
    affordable = any(p.least_micro <= left_micro for p in candidate.points)
    timely = any(fits(p, market, p.least_micro, left_seconds) for p in candidate.points)
    bound_by = "budget_usd" if timely or not affordable else "max_minutes"
    return Skipped(
        candidate, f"It does not fit into the {_LEFT[bound_by]} that is left.", bound_by
    )


def _stage(point: Point, clamped: budget.Clamp, number: int, reason: str) -> Stage:
    price, engine = point.offer.price, point.model.engine
    assert price is not None
    named = {"model_name": point.model.name} if engine is not Engine.CRF else {}
    ceiling = budget.ceiling(clamped.max_runtime_seconds, price.usd_per_hour_micro)
    return Stage(
        number=number,
        model=point.model.name,
        engine=engine,
        instance_type=point.instance_type,
        spot=point.spot,
        hyperparameters={"engine": engine, "epochs": str(point.work.epochs), **named},
        work=point.work,
        estimate=point.estimate,
        usd_per_hour=price.usd_per_hour,
        price_source=price.source,
        price_as_of=str(price.as_of),
        max_runtime_seconds=clamped.max_runtime_seconds,
        bound_by=clamped.bound_by,
        ceiling_usd=to_usd(ceiling),
        reason=reason,
    )
