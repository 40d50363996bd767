"""Each model of the ladder on its instance with its estimate: what a plan is made of, before money is shared out."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from pydantic import BaseModel, ConfigDict

from mlops import budget
from mlops.constraints import Constraints
from mlops.errors import Alternative, RefusedError
from mlops.estimate import Estimate, PastRun, Work, estimate
from mlops.models import Engine, Model, ladder_for
from mlops.models import find as find_model
from mlops.offers import Market, Offer, choose

CRF_EPOCHS = 60
LORA_EPOCHS = 5
# A stage that only AWS can run is estimated with AWS's own overhead: image, packages, weights.
AWS_OVERHEAD_SECONDS = 300

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


class Candidate(BaseModel):
    """A model, the offer it would run on (None: nowhere), and how long that would take."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: Model
    work: Work
    offer: Offer | None
    estimate: Estimate | None
    reason: str

    @property
    def price_micro(self) -> int:
        return self.offer.sort_key if self.offer else 0

    @property
    def p90_seconds(self) -> int:
        return self.estimate.p90_seconds if self.estimate else 0

    @property
    def least_micro(self) -> int:
        """Least money with which it is worth starting: the p90 estimate and the stop grace."""
        return budget.ceiling(self.p90_seconds, self.price_micro)


def candidates(
    constraints: Constraints,
    dataset: TrainingData,
    market: Market,
    now: datetime,
    history: History,
) -> tuple[Candidate, ...]:
    """Cheap to strong; a named model stands alone, and is refused when it cannot run here."""
    models = _models(constraints, market)
    return tuple(_candidate(m, constraints, dataset, market, now, history) for m in models)


def _models(constraints: Constraints, market: Market) -> tuple[Model, ...]:
    ladder = ladder_for(constraints.task or "token-classification")
    if constraints.model is None:
        return ladder
    model = find_model(constraints.model)
    if model.engine in market.engines:
        return (model,)
    runnable = [m for m in ladder if m.engine in market.engines]
    raise RefusedError(
        "engine_missing",
        f"{model.name} needs the engine {model.engine}, which this back end cannot run.",
        tuple(Alternative(kind="model", message=f"Use {m.name} ({m.title})") for m in runnable),
    )


def _candidate(
    model: Model,
    constraints: Constraints,
    dataset: TrainingData,
    market: Market,
    now: datetime,
    history: History,
) -> Candidate:
    work = Work(
        train_tokens=dataset.train_tokens,
        total_tokens=dataset.total_tokens,
        epochs=CRF_EPOCHS if model.engine is Engine.CRF else LORA_EPOCHS,
    )
    choice = choose(model, constraints, market, now)
    guess = None
    here = model.engine in market.engines
    if choice.offer and choice.offer.price:
        guess = estimate(
            model,
            choice.offer.instance,
            choice.offer.price.usd_per_hour_micro,
            work,
            market.overhead_seconds if here else AWS_OVERHEAD_SECONDS,
            history.get((model.name, choice.offer.instance.name), ()),
        )
    return Candidate(
        model=model, work=work, offer=choice.offer, estimate=guess, reason=choice.reason
    )
