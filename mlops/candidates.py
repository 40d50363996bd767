"""Each model of the ladder with the ways it could run, best first: what a plan is made of, before money is shared out."""

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict

from mlops import offers
from mlops.constraints import Constraints
from mlops.errors import Alternative, RefusedError
from mlops.grid import Grid, Point, Sources, draw, usual_epochs
from mlops.models import NER, Model, all_models, ladder_for
from mlops.models import find as find_model
from mlops.offers import Market, Obstacle


class Candidate(BaseModel):
    """A model and the points it may be run at, the least expected cost first; none: nowhere."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: Model
    points: tuple[Point, ...]
    reason: str

    @property
    def best(self) -> Point | None:
        return self.points[0] if self.points else None


def candidates(constraints: Constraints, sources: Sources) -> tuple[Candidate, ...]:
    """Cheap to strong; a named model stands alone, and is refused when it cannot run here."""
    chosen = models(constraints, sources.market)
    if constraints.instance_type:
        offers.require_named(constraints.instance_type, sources.market, sources.now)
    grid = draw(chosen, constraints, sources)
    return tuple(_candidate(model, grid, constraints) for model in chosen)


def runnable(drawn: Sequence[Candidate], market: Market) -> list[Candidate]:
    """Those whose engine this back end has."""
    return [candidate for candidate in drawn if candidate.model.engine in market.engines]


def models(constraints: Constraints, market: Market) -> tuple[Model, ...]:
    """The ladder of the task, or the one model that was named (RefusedError without its engine)."""
    ladder = ladder_for(constraints.task or NER)
    if constraints.model is None:
        return ladder
    model = find_model(constraints.model)
    if model.engine in market.engines:
        return (model,)
    runnable = [m for m in ladder if m.engine in market.engines]
    raise RefusedError(
        "engine_missing",
        f"{model.name} needs the engine {model.engine}, which this back end cannot run.",
        tuple(
            Alternative(
                kind="model", message=f"Use {m.name} ({m.title})", changes={"model": m.name}
            )
            for m in runnable
        ),
    )


def whole_grid(constraints: Constraints, sources: Sources, named: bool = True) -> Grid:
    """Every model of the task; `named` False: as if no model, type, spot or epochs were said."""
    free = {"model": None, "instance_type": None, "spot": None, "epochs": None}
    said = constraints if named else constraints.model_copy(update=free)
    task = all_models(said.task or NER)
    return draw(models(said, sources.market) if said.model else task, said, sources)


def as_said(point: Point, constraints: Constraints) -> bool:
    """Run in the usual way, as far as nothing else was said: on demand, the usual passes."""
    epochs = constraints.epochs or usual_epochs(point.model)
    return point.spot == bool(constraints.spot) and point.work.epochs == epochs


def _must_wait(point: Point, constraints: Constraints) -> bool:
    """What is free goes first, unless nothing is to start now anyway."""
    return constraints.start_at is None and point.offer.available(point.spot) == 0


def _candidate(model: Model, grid: Grid, constraints: Constraints) -> Candidate:
    mine = [p for p in grid.points if p.model == model and as_said(p, constraints)]
    points = tuple(sorted(mine, key=lambda p: (_must_wait(p, constraints), p.by_cost)))
    return Candidate(model=model, points=points, reason=_reason(model, points, grid, constraints))


def _reason(model: Model, points: Sequence[Point], grid: Grid, constraints: Constraints) -> str:
    named = constraints.instance_type
    if named and points:
        return f"{model.name}: {named}, because you named it{_waiting(points[0], constraints)}."
    if named and any(b.obstacle is Obstacle.QUOTA for b in grid.blocked if b.model == model):
        return f"{model.name}: no {named} is free."
    if named:
        need = f"needs a GPU with {model.gpu_memory_gib} GiB"
        return f"{model.name}: {need}, which {named} does not have."
    if not points:
        return f"{model.name}: no instance type with a verified price and free quota."
    best = points[0]
    busy = _cheaper_but_busy(best, grid, bool(constraints.spot))
    also = f"; cheaper {', '.join(busy)} have no free quota" if busy else ""
    of = f" of {len(points)} types that fit" if len(points) > 1 else ""
    return (
        f"{model.name}: {best.instance_type} at ${best.offer.usd_per_hour}/h is expected to "
        f"cost least{of} (${best.estimate.p50_usd}){also}{_waiting(best, constraints)}."
    )


def _waiting(best: Point, constraints: Constraints) -> str:
    return "; it is in use now, so this waits" if _must_wait(best, constraints) else ""


def _cheaper_but_busy(best: Point, grid: Grid, spot: bool) -> list[str]:
    return [
        blocked.instance_type
        for blocked in grid.blocked
        if blocked.model == best.model
        and blocked.spot == spot
        and blocked.obstacle is Obstacle.QUOTA
        and blocked.usd_per_hour_micro < best.price_micro
    ]
