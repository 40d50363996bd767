"""What a plan did not choose: the best other ways with their prices, and what was rejected and why."""

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict

from mlops.constraints import Constraints
from mlops.estimate import Estimate
from mlops.expectations import Expectation, expected
from mlops.grid import Blocked, Grid, Point, Sources
from mlops.models import Model
from mlops.money import parse_usd, to_usd
from mlops.offers import Market, Obstacle
from mlops.pareto import front
from mlops.stages import Stage, fits, seconds_allowed, seconds_needed

MOST_OPTIONS = 4
_NAMES_SHOWN = 3


class Option(BaseModel):
    """Another way that fits what was said, and that nothing beats in cost, time and quality at once.

    `ceiling_usd` is the least sum that would have to be reserved for it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str
    title: str
    engine: str
    instance_type: str
    spot: bool
    epochs: int
    estimate: Estimate
    ceiling_usd: str
    expected: Expectation | None
    why: str


class Rejection(BaseModel):
    """What was looked at and left out; `code` is the clause or fact that rules it out."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    what: str
    code: str
    why: str


def alternatives(
    grid: Grid, stages: Sequence[Stage], constraints: Constraints, sources: Sources, left: int
) -> tuple[Option, ...]:
    """The Pareto set of expected cost (p90), time (p90) and quality, without what was chosen."""
    market = sources.market
    allowed = seconds_allowed(constraints)
    fitting = [p for p in grid.points if p.runnable and fits(p, market, left, allowed)]
    best = front(fitting, lambda p: _measures(p, market))
    chosen = {(s.model, s.instance_type, s.spot, s.work.epochs) for s in stages}
    others = [p for p in best if _identity(p) not in chosen]
    return tuple(
        _option(point, why, constraints, sources) for point, why in _picked(others, market)
    )


def rejections(
    grid: Grid, models: Sequence[Model], constraints: Constraints, market: Market, left: int
) -> tuple[Rejection, ...]:
    """Grouped by model and reason, so that a person can read them."""
    found: list[Rejection] = []
    for model in models:
        points = [p for p in grid.points if p.model == model]
        if model.engine not in market.engines:
            why = f"This back end cannot run the engine {model.engine}."
            found.append(Rejection(what=model.name, code="engine", why=why))
        found += _blocked(model, [b for b in grid.blocked if b.model == model])
        found += _unfit(model, points, constraints, market, left)
    return tuple(found)


def _measures(point: Point, market: Market) -> tuple[float, ...]:
    parameters, epochs = point.quality
    cost = parse_usd(point.estimate.p90_usd)
    return cost, seconds_needed(point, market), -parameters, -epochs


def _identity(point: Point) -> tuple[str, str, bool, int]:
    return point.model.name, point.instance_type, point.spot, point.work.epochs


def _picked(others: Sequence[Point], market: Market) -> list[tuple[Point, str]]:
    """The cheapest, the quickest and the strongest of them first, then by cost."""
    if not others:
        return []
    quickest = min(others, key=lambda p: seconds_needed(p, market))
    strongest = max(others, key=lambda p: p.quality)
    named = [
        (others[0], "Costs least of the other ways."),
        (quickest, "Takes the least time of the other ways."),
        (strongest, "The strongest model that fits."),
        *((p, "Neither cheaper nor quicker nor stronger than all others.") for p in others),
    ]
    picked: dict[tuple[str, str, bool, int], tuple[Point, str]] = {}
    for point, why in named:
        picked.setdefault(_identity(point), (point, why))
    return list(picked.values())[:MOST_OPTIONS]


def _option(point: Point, why: str, constraints: Constraints, sources: Sources) -> Option:
    return Option(
        model=point.model.name,
        title=point.model.title,
        engine=point.model.engine,
        instance_type=point.instance_type,
        spot=point.spot,
        epochs=point.work.epochs,
        estimate=point.estimate,
        ceiling_usd=to_usd(point.least_micro),
        expected=expectation_of(point.model.name, point.work.epochs, constraints, sources),
        why=why,
    )


def expectation_of(
    model: str, epochs: int, constraints: Constraints, sources: Sources
) -> Expectation | None:
    """A score does not depend on where the model was trained: runs on any type count."""
    runs = [run for (name, _), found in sources.history.items() if name == model for run in found]
    data = sources.dataset
    return expected(model, constraints.scored_by, epochs, data.name, data.fingerprint, runs)


def _blocked(model: Model, blocked: Sequence[Blocked]) -> list[Rejection]:
    found: list[Rejection] = []
    for spot in (False, True):
        for obstacle in Obstacle:
            names = [b.instance_type for b in blocked if (b.obstacle, b.spot) == (obstacle, spot)]
            if not names or (spot and obstacle is not Obstacle.QUOTA):
                continue
            what = f"{model.name} on {_some(names)}{' (spot)' if spot else ''}"
            found.append(Rejection(what=what, code=_CODES[obstacle], why=_why(model, obstacle)))
    return found


def _unfit(
    model: Model, points: Sequence[Point], constraints: Constraints, market: Market, left: int
) -> list[Rejection]:
    allowed = seconds_allowed(constraints)
    dear = [p for p in points if p.least_micro > left]
    late = [p for p in points if p not in dear and not fits(p, market, left, allowed)]
    found: list[Rejection] = []
    for unfit, code, why in (
        (dear, "budget_usd", "Even its p90 estimate costs more than there is."),
        (late, "max_minutes", "Its p90 estimate takes longer than was allowed."),
    ):
        if names := list(dict.fromkeys(p.instance_type for p in unfit)):
            found.append(Rejection(what=f"{model.name} on {_some(names)}", code=code, why=why))
    return found


def _some(names: Sequence[str]) -> str:
    more = len(names) - _NAMES_SHOWN
    return ", ".join(names[:_NAMES_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _why(model: Model, obstacle: Obstacle) -> str:
    if obstacle is Obstacle.MEMORY:
        if model.needs_gpu:
            return f"It needs a GPU with {model.gpu_memory_gib} GiB."
        return "It runs on CPU types unless you name another."
    if obstacle is Obstacle.PRICE:
        return "Its price is not known, derived only, or too old to be spent on."
    return "No free quota."


_CODES = {Obstacle.MEMORY: "memory", Obstacle.PRICE: "price", Obstacle.QUOTA: "quota"}
