"""The end of a plan: what ran, what it cost, and PASS, FAIL or UNKNOWN for every clause of the sentence."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from mlops.constraints import Comparator
from mlops.expectations import interval
from mlops.follow import compare
from mlops.job import Job, JobState
from mlops.money import parse_usd, show_usd, to_usd
from mlops.plan import NextStep, Plan

SANDBOX = "Sandbox: metered at list price, not billed."
SYNTHETIC = "The data is synthetic."
_CLAUSES = {
    "budget_usd": "budget",
    "max_minutes": "time",
    "monthly_limit_usd": "monthly limit",
}


class Outcome(StrEnum):
    """UNKNOWN only when the thing was not measured."""

    PASS = "PASS"
    FAIL = "FAIL"
    UNKNOWN = "UNKNOWN"


class Verdict(BaseModel):
    """One clause: what was wanted, what was measured; `clause` is budget_usd, max_minutes or target."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    clause: str
    wanted: str
    measured: str
    verdict: Outcome


class StageResult(BaseModel):
    """One stage that ran; metrics are those of the test split, with the 95 % interval of F1.

    `storage_usd` is the training volume's part of `cost_usd`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    stage: int
    model: str
    engine: str
    instance_type: str
    job_name: str
    state: JobState
    billed_seconds: int
    estimated_seconds: int
    cost_usd: str
    storage_usd: str = "0.00"
    metrics: dict[str, float]
    validation: dict[str, float]
    failure_reason: str | None = None


class Report(BaseModel):
    """The answer to the sentence. Money of a sandbox is metered at list price, not billed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    plan_id: str
    dataset: str
    synthetic: bool
    sandbox: bool
    stages: tuple[StageResult, ...]
    reported_stage: int | None
    minutes: float
    total_cost_usd: str
    tokens_usd: str
    ceiling_usd: str
    budget_usd: str
    verdicts: tuple[Verdict, ...]
    model_uri: str | None
    next_steps: tuple[NextStep, ...]
    finished_at: datetime


def build(
    plan: Plan,
    jobs: Sequence[Job],
    approved_at: datetime,
    tokens_micro: int,
    now: datetime,
    waits: bool = False,
) -> Report:
    """From settled jobs alone; the reported stage is the best on validation."""
    best = _best(plan, jobs)
    spent = sum(parse_usd(job.cost_usd or "0") for job in jobs) + tokens_micro
    waited = (jobs[0].created_at - approved_at).total_seconds() / 60 if waits else 0.0
    minutes = (now - approved_at).total_seconds() / 60 - waited
    missed = best is None or not _target_met(plan, best)
    return Report(
        plan_id=plan.plan_id,
        dataset=plan.dataset.name,
        synthetic=plan.dataset.synthetic,
        sandbox=plan.sandbox,
        stages=tuple(_stage_result(job) for job in jobs),
        reported_stage=best.stage if best else None,
        minutes=round(minutes, 2),
        total_cost_usd=to_usd(spent),
        tokens_usd=to_usd(tokens_micro),
        ceiling_usd=plan.ceiling_usd,
        budget_usd=to_usd(plan.budget_micro),
        verdicts=(
            _budget_verdict(plan, spent),
            *_time_verdict(plan, minutes, waited),
            *_target_verdict(plan, best),
        ),
        model_uri=best.model_uri if best else None,
        next_steps=plan.next_steps if missed else (),
        finished_at=now,
    )


def clause_name(clause: str) -> str:
    """As people call it; a plan's `binds` is one as well."""
    return _CLAUSES.get(clause, clause)


def f1_in_words(stage: StageResult) -> str | None:
    """ "0.9046 (95 %: 0.8890–0.9200)"; None when it was not measured."""
    f1, low, high = (stage.metrics.get(name) for name in ("f1", "f1_low", "f1_high"))
    return None if f1 is None else f"{f1:.4f}{interval(low, high)}"


def labels(sandbox: bool, synthetic: bool) -> list[str]:
    """What a person has to know of every figure."""
    return [text for text, holds in ((SANDBOX, sandbox), (SYNTHETIC, synthetic)) if holds]


def _best(plan: Plan, jobs: Sequence[Job]) -> Job | None:
    metric = f"eval_{plan.constraints.scored_by}"
    done = [job for job in jobs if job.state is JobState.COMPLETED]
    return max(done, key=lambda job: job.metrics.get(metric, -1.0), default=None)


def _stage_result(job: Job) -> StageResult:
    return StageResult(
        stage=job.stage,
        model=job.model,
        engine=job.engine,
        instance_type=job.instance_type,
        job_name=job.job_name,
        state=job.state,
        billed_seconds=job.billed_seconds or 0,
        estimated_seconds=job.estimate.p50_seconds,
        cost_usd=job.cost_usd or "0.00",
        storage_usd=job.storage_usd or "0.00",
        metrics=job.scores("test"),
        validation=job.scores("eval"),
        failure_reason=job.failure_reason,
    )


def _budget_verdict(plan: Plan, spent: int) -> Verdict:
    comparator = plan.constraints.budget_comparator or Comparator.LE
    return Verdict(
        clause="budget_usd",
        wanted=f"{comparator} {show_usd(plan.budget_micro)}",
        measured=show_usd(spent),
        verdict=_judge(compare(spent, comparator, plan.budget_micro)),
    )


def _time_verdict(plan: Plan, minutes: float, waited: float) -> tuple[Verdict, ...]:
    wanted = plan.constraints.max_minutes
    if wanted is None:
        return ()
    comparator = plan.constraints.time_comparator or Comparator.LE
    before = f", after {waited:.0f} min of waiting as asked" if waited >= 1 else ""
    return (
        Verdict(
            clause="max_minutes",
            wanted=f"{comparator} {wanted:g} min",
            measured=f"{minutes:.2f} min{before}",
            verdict=_judge(compare(minutes, comparator, wanted)),
        ),
    )


def _target_verdict(plan: Plan, best: Job | None) -> tuple[Verdict, ...]:
    wanted = plan.constraints.target
    if wanted is None:
        return ()
    metric = plan.constraints.scored_by
    comparator = plan.constraints.target_comparator or Comparator.GE
    score = best.metrics.get(f"test_{metric}") if best else None
    return (
        Verdict(
            clause="target",
            wanted=f"{metric} {comparator} {wanted:g}",
            measured="not measured" if score is None or best is None else _measured(best, metric),
            verdict=Outcome.UNKNOWN
            if score is None
            else _judge(compare(score, comparator, wanted)),
        ),
    )


def _measured(job: Job, metric: str) -> str:
    low, high = (job.metrics.get(f"test_{metric}_{end}") for end in ("low", "high"))
    return f"{metric} {job.metrics[f'test_{metric}']:.4f}{interval(low, high)}"


def _target_met(plan: Plan, job: Job) -> bool:
    verdicts = _target_verdict(plan, job)
    return all(v.verdict is Outcome.PASS for v in verdicts)


def _judge(holds: bool) -> Outcome:
    return Outcome.PASS if holds else Outcome.FAIL
