"""Constraints, a prepared dataset and the market become a Plan: stages from cheap to strong under one ceiling.

Everything a person approves is in it: what runs where, the most it can cost, why, and what was left out.
"""

import hashlib
from collections.abc import Sequence
from datetime import datetime

from pydantic import BaseModel, ConfigDict

from mlops import budget
from mlops.candidates import Candidate, History, TrainingData, candidates
from mlops.constraints import Comparator, Constraints
from mlops.errors import Alternative, RequestError
from mlops.estimate import Estimate, Work
from mlops.money import parse_usd, to_usd
from mlops.offers import Market
from mlops.refusals import nothing_fits


class Stage(BaseModel):
    """One training job to be: `max_runtime_seconds` is what the reservation buys."""

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

    @property
    def ceiling_micro(self) -> int:
        return parse_usd(self.ceiling_usd)


class NextStep(BaseModel):
    """A stage that is not part of the plan, priced where a price exists, and why it is not."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str
    title: str
    engine: str
    instance_type: str | None
    estimate: Estimate | None
    ceiling_usd: str | None
    why: str


class Asker(BaseModel):
    """Who asks, where and when: part of the plan's identity."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    session_id: str
    turn: str
    person: str
    now: datetime


class Plan(BaseModel):
    """What a person approves. `budget_usd` is None when the sentence had none: then approving
    `ceiling_usd` makes that sum the budget."""

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
    drawn = candidates(constraints, dataset, market, asker.now, history or {})
    runnable = [c for c in drawn if c.model.engine in market.engines]
    left_micro = _money_left(constraints, market)
    stages, skipped = _share_out(runnable, constraints, market, left_micro)
    if not stages:
        raise nothing_fits(runnable, constraints, market, left_micro)
    elsewhere = [c for c in drawn if c.model.engine not in market.engines]
    draft = Plan(
        plan_id="",
        session_id=asker.session_id,
        turn=asker.turn,
        person=asker.person,
        created_at=asker.now,
        constraints=constraints,
        dataset=dataset,
        stages=tuple(stages),
        next_steps=(
            *(_next_step(c, why) for c, why in skipped),
            *(_next_step(c, "This back end cannot run its engine.") for c in elsewhere),
        ),
        reasons=tuple(c.reason for c in drawn),
        ceiling_usd=to_usd(sum(s.ceiling_micro for s in stages) + market.tokens_micro),
        tokens_usd=to_usd(market.tokens_micro),
        budget_usd=constraints.budget_usd,
        sandbox=market.sandbox,
    )
    digest = hashlib.sha256(draft.model_dump_json().encode()).hexdigest()
    return draft.model_copy(update={"plan_id": f"plan-{digest[:16]}"})


def _check_region(constraints: Constraints, market: Market) -> None:
    if constraints.region in (None, market.region):
        return
    raise RequestError(
        "other_region",
        f"This back end works in {market.region}, not in {constraints.region}.",
        (Alternative(kind="instance", message=f"Train in {market.region}"),),
    )


def _money_left(constraints: Constraints, market: Market) -> int:
    """Micro-USD for stages: the smaller of the stated budget and the month, without model tokens."""
    left = market.month_left_micro
    if constraints.budget_usd is not None:
        # "less than $10" is not "at most $10"
        strictly = constraints.budget_comparator is Comparator.LT
        left = min(left, parse_usd(constraints.budget_usd) - strictly)
    return left - market.tokens_micro


def _share_out(
    runnable: Sequence[Candidate], constraints: Constraints, market: Market, left_micro: int
) -> tuple[list[Stage], list[tuple[Candidate, str]]]:
    """Money and time go to the cheap stages first; what no longer fits is skipped, with the reason.

    Without a target there is nothing to climb for: the first stage that fits is the plan.
    """
    minutes = constraints.max_minutes
    left_seconds = None if minutes is None else int(minutes * 60)
    stages: list[Stage] = []
    skipped: list[tuple[Candidate, str]] = []
    for candidate in runnable:
        if stages and constraints.target is None:
            skipped.append((candidate, "Without a target the first stage is enough."))
            continue
        started = None if left_seconds is None else left_seconds - market.startup_seconds
        stage = _stage(candidate, len(stages) + 1, constraints, left_micro, started)
        if stage is None:
            skipped.append((candidate, "It does not fit into what is left."))
            continue
        stages.append(stage)
        left_micro -= stage.ceiling_micro
        left_seconds = None if started is None else started - stage.max_runtime_seconds
    return stages, skipped


def _stage(
    candidate: Candidate,
    number: int,
    constraints: Constraints,
    left_micro: int,
    left_seconds: int | None,
) -> Stage | None:
    offer, guess = candidate.offer, candidate.estimate
    if offer is None or guess is None or offer.price is None:
        return None
    rate = offer.price.usd_per_hour_micro
    clamped = budget.clamp(left_micro, left_seconds, rate, guess.p90_seconds)
    if clamped is None:
        return None
    engine = candidate.model.engine
    return Stage(
        number=number,
        model=candidate.model.name,
        engine=engine,
        instance_type=offer.instance.name,
        spot=bool(constraints.spot),
        hyperparameters={"engine": engine, "epochs": str(candidate.work.epochs)},
        work=candidate.work,
        estimate=guess,
        usd_per_hour=offer.price.usd_per_hour,
        price_source=offer.price.source,
        price_as_of=str(offer.price.as_of),
        max_runtime_seconds=clamped.max_runtime_seconds,
        bound_by=clamped.bound_by,
        ceiling_usd=to_usd(budget.ceiling(clamped.max_runtime_seconds, rate)),
        reason=candidate.reason,
    )


def _next_step(candidate: Candidate, why: str) -> NextStep:
    placed = candidate.estimate is not None
    return NextStep(
        model=candidate.model.name,
        title=candidate.model.title,
        engine=candidate.model.engine,
        instance_type=candidate.offer.instance.name if candidate.offer else None,
        estimate=candidate.estimate,
        ceiling_usd=to_usd(candidate.least_micro) if placed else None,
        why=why if placed else candidate.reason,
    )
