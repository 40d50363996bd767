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

    `storage_usd_per_hour` is the training volume's part, not in `usd_per_hour` but in every sum.
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
    storage_usd_per_hour: str = "0.00"
    storage_source: str = ""
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

    @property
    def running_micro(self) -> int:
        """Micro-USD of an hour, volume included."""
        return parse_usd(self.usd_per_hour) + parse_usd(self.storage_usd_per_hour)

    def lasting(self, max_runtime_seconds: int, bound_by: str | None) -> "Stage":
        """The same stage with another clamp: its ceiling and the trainer's time follow from it."""
        seconds = budget.training_seconds(
            max_runtime_seconds, self.estimate.overhead_seconds, self.estimate.after_seconds
        )
        ceiling = budget.ceiling(max_runtime_seconds, self.running_micro)
        return self.model_copy(
            update={
                "hyperparameters": {**self.hyperparameters, "max_training_seconds": str(seconds)},
                "max_runtime_seconds": max_runtime_seconds,
                "bound_by": bound_by,
                "ceiling_usd": to_usd(ceiling),
            }
        )


class Elsewhere(BaseModel):
    """A stage at the price of another region, where it would cost less, and why it is not run there."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    stage: int
    region: str
    instance_type: str
    usd_per_hour: str
    price_as_of: str
    ceiling_usd: str
    why: str


def cheaper_elsewhere(stages: Sequence[Stage], market: Market) -> tuple[Elsewhere, ...]:
    """The cheapest other region of each stage, if one is cheaper."""
    found: list[Elsewhere] = []
    for stage in stages:
        prices = [p for p in market.elsewhere if p.instance_type == stage.instance_type]
        best = min(prices, key=lambda p: p.running_micro, default=None)
        if best is None or best.running_micro >= stage.running_micro:
            continue
        found.append(
            Elsewhere(
                stage=stage.number,
                region=best.region,
                instance_type=best.instance_type,
                usd_per_hour=best.usd_per_hour,
                price_as_of=best.price_as_of,
                ceiling_usd=to_usd(budget.ceiling(stage.max_runtime_seconds, best.running_micro)),
                why=f"Not run there: data and jobs of this back end are in {market.region}.",
            )
        )
    return tuple(found)


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


def ceiling_of(stages: Sequence[Stage], market: Market) -> str:
    """The most that all of them can cost, model tokens included, in USD."""
    return to_usd(sum(stage.ceiling_micro for stage in stages) + market.tokens_micro)


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
    stage = Stage(
        number=number,
        model=point.model.name,
        engine=engine,
        instance_type=point.instance_type,
        spot=point.spot,
        hyperparameters={"engine": engine, "epochs": str(point.work.epochs), **named},
        work=point.work,
        estimate=point.estimate,
        usd_per_hour=price.usd_per_hour,
        storage_usd_per_hour=to_usd(price.volume_micro),
        storage_source=price.volume_source,
        price_source=price.source,
        price_as_of=str(price.as_of),
        max_runtime_seconds=0,
        bound_by=None,
        ceiling_usd="0.00",
        reason=reason,
    )
    return stage.lasting(clamped.max_runtime_seconds, clamped.bound_by)
