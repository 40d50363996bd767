"""Constraints, a prepared dataset and the market become a Plan: stages from cheap to strong under one ceiling.

Everything a person approves is in it: what runs where, the most it can cost, why, and what was left out.
"""

import hashlib
from collections.abc import Sequence
from datetime import datetime

from pydantic import BaseModel, ConfigDict

from mlops.candidates import Candidate, candidates, runnable, whole_grid
from mlops.constraints import Comparator, Constraints
from mlops.crowded import no_room
from mlops.errors import Alternative, RefusedError, RequestError
from mlops.estimate import Estimate
from mlops.expectations import Expectation, published
from mlops.grid import History, Sources, TrainingData
from mlops.money import parse_usd, show_usd, to_usd
from mlops.offers import Market
from mlops.options import Option, Rejection, alternatives, expectation_of, rejections
from mlops.refusals import nothing_fits
from mlops.stages import Elsewhere, Skipped, Stage, ceiling_of, cheaper_elsewhere, share_out
from mlops.waits import in_words

__all__ = ["Asker", "NextStep", "Plan", "Stage", "build"]

_NO_ENGINE = "This back end cannot run its engine."


class NextStep(BaseModel):
    """A stage that is not part of the plan, priced where a price exists, and why it is not.

    `ceiling_usd` is the least sum that would have to be reserved for it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str
    title: str
    engine: str
    instance_type: str | None
    estimate: Estimate | None
    ceiling_usd: str | None
    why: str

    def price_in_words(self) -> str:
        if self.ceiling_usd is None:
            return "no verified price"
        return f"from {show_usd(parse_usd(self.ceiling_usd))}"


class Asker(BaseModel):
    """Who asks, where and when: part of the plan's identity."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    session_id: str
    turn: str
    person: str
    now: datetime


class Plan(BaseModel):
    """What a person approves. `budget_usd` is None when the sentence had none: then approving
    `ceiling_usd` makes that sum the budget.

    `binds` is the clause that keeps the plan from more; `published` are figures of others for a
    dataset of this name; `waits` says per instance type how long our jobs waited for one.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    plan_id: str
    session_id: str
    turn: str
    person: str
    created_at: datetime
    constraints: Constraints
    dataset: TrainingData
    stages: tuple[Stage, ...]
    next_steps: tuple[NextStep, ...]
    reasons: tuple[str, ...]
    ceiling_usd: str
    tokens_usd: str
    budget_usd: str | None
    sandbox: bool
    alternatives: tuple[Option, ...] = ()
    rejections: tuple[Rejection, ...] = ()
    binds: str | None = None
    published: tuple[Expectation, ...] = ()
    waits: dict[str, str] = {}
    early_stop: bool = False
    elsewhere: tuple[Elsewhere, ...] = ()

    @property
    def ceiling_micro(self) -> int:
        return parse_usd(self.ceiling_usd)

    @property
    def budget_micro(self) -> int:
        """The limit of its run: what was stated, else what was approved."""
        return self.ceiling_micro if self.budget_usd is None else parse_usd(self.budget_usd)


def build(
    constraints: Constraints,
    dataset: TrainingData,
    market: Market,
    asker: Asker,
    history: History | None = None,
) -> Plan:
    """The cheapest ladder that fits; RefusedError with priced alternatives when nothing does."""
    _check_region(constraints, market)
    sources = Sources(dataset=dataset, market=market, now=asker.now, history=history or {})
    drawn = candidates(constraints, sources)
    able, left_micro = runnable(drawn, market), _money_left(constraints, market)
    stages, skipped = share_out(able, constraints, market, left_micro)
    if not stages:
        raise _refusal(able, constraints, sources, left_micro)
    left_out = [*skipped, *(Skipped(c, _NO_ENGINE) for c in drawn if c not in able)]
    grid, models = whole_grid(constraints, sources), [c.model for c in drawn]
    draft = Plan(
        plan_id="",
        session_id=asker.session_id,
        turn=asker.turn,
        person=asker.person,
        created_at=asker.now,
        constraints=constraints,
        dataset=dataset,
        stages=tuple(_expecting(stage, constraints, sources) for stage in stages),
        next_steps=tuple(_next_step(one) for one in left_out),
        reasons=tuple(c.reason for c in drawn),
        ceiling_usd=ceiling_of(stages, market),
        tokens_usd=to_usd(market.tokens_micro),
        budget_usd=constraints.budget_usd,
        sandbox=market.sandbox,
        alternatives=alternatives(grid, stages, constraints, sources, left_micro),
        rejections=rejections(grid, models, constraints, market, left_micro),
        binds=_binds(stages, skipped, constraints, market),
        published=published(dataset.name),
        waits={s.instance_type: in_words(market.waits, s.instance_type, s.spot) for s in stages},
        early_stop=market.early_stop and constraints.early_stop is not False,
        elsewhere=cheaper_elsewhere(stages, market),
    )
    digest = hashlib.sha256(draft.model_dump_json().encode()).hexdigest()
    return draft.model_copy(update={"plan_id": f"plan-{digest[:16]}"})


def _refusal(
    able: Sequence[Candidate], constraints: Constraints, sources: Sources, left_micro: int
) -> RefusedError:
    """Full quotas, when only they are in the way; else what would have to change."""
    full = None if any(c.points for c in able) else no_room(constraints, sources, left_micro)
    if full is not None:
        return full
    free = whole_grid(constraints, sources, named=False)
    return nothing_fits(able, free, constraints, sources.market, left_micro)


def _check_region(constraints: Constraints, market: Market) -> None:
    if constraints.region in (None, market.region):
        return
    raise RequestError(
        "other_region",
        f"This back end works in {market.region}, not in {constraints.region}.",
        (
            Alternative(
                kind="instance",
                message=f"Train in {market.region}",
                changes={"region": market.region},
            ),
        ),
    )


def _money_left(constraints: Constraints, market: Market) -> int:
    """Micro-USD for stages: the smaller of the stated budget and the month, without model tokens."""
    left = market.month_left_micro
    if constraints.budget_usd is not None:
        # "less than $10" is not "at most $10"
        strictly = constraints.budget_comparator is Comparator.LT
        left = min(left, parse_usd(constraints.budget_usd) - strictly)
    return left - market.tokens_micro


def _expecting(stage: Stage, constraints: Constraints, sources: Sources) -> Stage:
    score = expectation_of(stage.model, stage.work.epochs, constraints, sources)
    return stage.model_copy(update={"expected": score})


def _binds(
    stages: Sequence[Stage], skipped: Sequence[Skipped], constraints: Constraints, market: Market
) -> str | None:
    """The clause that kept a stage out or made one shorter; the month, when it is the tighter sum."""
    clauses = (*(s.bound_by for s in skipped), *(s.bound_by for s in stages))
    clause = next((c for c in clauses if c), None)
    stated = constraints.budget_usd
    if clause != "budget_usd" or (stated and parse_usd(stated) <= market.month_left_micro):
        return clause
    return "monthly_limit_usd"


def _next_step(skipped: Skipped) -> NextStep:
    candidate, best = skipped.candidate, skipped.candidate.best
    return NextStep(
        model=candidate.model.name,
        title=candidate.model.title,
        engine=candidate.model.engine,
        instance_type=best.instance_type if best else None,
        estimate=best.estimate if best else None,
        ceiling_usd=to_usd(best.least_micro) if best else None,
        why=skipped.why if best else candidate.reason,
    )
