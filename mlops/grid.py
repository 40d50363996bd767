"""Every model × instance × on-demand or spot × epochs that could run, estimated; and what could not, and why."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from pydantic import BaseModel, ConfigDict

from mlops import budget
from mlops.constraints import Constraints
from mlops.estimate import Estimate, PastRun, Work, estimate
from mlops.models import Engine, Model
from mlops.money import parse_usd, to_usd
from mlops.offers import Market, Obstacle, Offer, obstacle
from mlops.prices import SPOT_SHARE

# The first is the usual number of passes, the second is for those in need of money or time.
EPOCHS: Mapping[Engine, tuple[int, ...]] = {Engine.CRF: (60, 30), Engine.LORA: (5, 3)}
# A stage that only AWS can run is estimated with AWS's own overhead: image, packages, weights.
AWS_OVERHEAD_SECONDS = 300
# Of the on-demand price, for p90: public job logs saved 54 to 79 %.
SPOT_P90_SHARE = 0.5

History = Mapping[tuple[str, str], Sequence[PastRun]]


class TrainingData(BaseModel):
    """What a plan keeps of its dataset; the fingerprint ties it to the very bytes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    synthetic: bool
    fingerprint: str
    prepared_uri: str
    train_tokens: int
    total_tokens: int


@dataclass(frozen=True, slots=True)
class Point:
    """One way to run one stage. Whatever it may cost is counted at the on-demand price."""

    model: Model
    offer: Offer
    spot: bool
    work: Work
    estimate: Estimate
    runnable: bool

    @property
    def instance_type(self) -> str:
        return self.offer.instance.name

    @property
    def price_micro(self) -> int:
        return self.offer.sort_key

    @property
    def least_micro(self) -> int:
        """Least money with which it is worth starting: the p90 estimate and the stop grace."""
        return budget.ceiling(self.estimate.p90_seconds, self.price_micro)

    @property
    def by_cost(self) -> tuple[int, int, int]:
        """Order of preference: what it will cost, then the price that a longer run would have."""
        return parse_usd(self.estimate.p50_usd), self.price_micro, self.estimate.p90_seconds

    @property
    def quality(self) -> tuple[int, int]:
        """Rank, not a score: more parameters and more passes are expected to do better."""
        return self.model.parameters, self.work.epochs


@dataclass(frozen=True, slots=True)
class Blocked:
    """A model that may not run on a type."""

    model: Model
    instance_type: str
    usd_per_hour_micro: int
    spot: bool
    obstacle: Obstacle


@dataclass(frozen=True, slots=True)
class Grid:
    points: tuple[Point, ...]
    blocked: tuple[Blocked, ...]


class Sources(BaseModel):
    """What a grid is drawn from."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    dataset: TrainingData
    market: Market
    now: datetime
    history: History


def draw(models: Sequence[Model], constraints: Constraints, sources: Sources) -> Grid:
    """All points of these models; a named instance, spot or number of epochs leaves no others. Who may
    wait can have what is in use now."""
    points: list[Point] = []
    blocked: list[Blocked] = []
    spots = (False, True) if constraints.spot is None else (constraints.spot,)
    named = constraints.instance_type
    waits = bool(constraints.queue) or constraints.start_at is not None
    offers = [o for o in sources.market.offers if named in (None, o.instance.name)]
    for model in models:
        for offer in offers:
            for spot in spots:
                reason = obstacle(
                    model, offer, spot, sources.market, sources.now, named is not None, waits
                )
                if reason is None:
                    points += _points(model, offer, spot, constraints.epochs, sources)
                else:
                    name, rate = offer.instance.name, offer.sort_key
                    blocked.append(Blocked(model, name, rate, spot, reason))
    return Grid(tuple(points), tuple(blocked))


def usual_epochs(model: Model) -> int:
    return EPOCHS[model.engine][0]


def _points(
    model: Model, offer: Offer, spot: bool, epochs: int | None, sources: Sources
) -> Iterator[Point]:
    market, data = sources.market, sources.dataset
    runnable = model.engine in market.engines
    overhead = market.overhead_seconds if runnable else AWS_OVERHEAD_SECONDS
    for passes in (epochs,) if epochs else EPOCHS[model.engine]:
        work = Work(train_tokens=data.train_tokens, total_tokens=data.total_tokens, epochs=passes)
        guess = estimate(
            model,
            offer.instance,
            offer.sort_key,
            work,
            overhead,
            sources.history.get((model.name, offer.instance.name), ()),
            market.crf_pace,
        )
        yield Point(
            model, offer, spot, work, _on_spot(guess, overhead) if spot else guess, runnable
        )


def _on_spot(guess: Estimate, overhead_seconds: int) -> Estimate:
    """Cheaper by what spot saved others; p90 allows for one interruption and a new start."""
    p50, p90 = parse_usd(guess.p50_usd), parse_usd(guess.p90_usd)
    return guess.model_copy(
        update={
            "p90_seconds": guess.p90_seconds + overhead_seconds,
            "p50_usd": to_usd(round(p50 * SPOT_SHARE)),
            "p90_usd": to_usd(round(p90 * SPOT_P90_SHARE)),
            "basis": f"{guess.basis}; public job logs saved 54–79 % on spot, 60 % is assumed",
        }
    )
