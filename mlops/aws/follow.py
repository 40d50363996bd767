"""Carries a plan on after its jobs: observe, settle, next stage or report, exactly once each.

`on_training_event` calls it when SageMaker says that a job changed, the watchdog when nobody did.
Every step may be repeated: bookings and the report have keys, and a job stays open until the end.
"""

import uuid
from collections.abc import Callable
from datetime import datetime

from mlops.approvals import Approval
from mlops.aws.clients import Aws
from mlops.aws.early_stop import stop_when_out_of_reach
from mlops.aws.events import EventLog
from mlops.aws.jobs import Jobs
from mlops.aws.launch import PASSING, launch
from mlops.aws.ledger import Ledger
from mlops.aws.notify import warn_of_budget
from mlops.aws.plans import Plans
from mlops.aws.reservations import extended, release, scopes
from mlops.aws.stops import is_stopped_before, stop_latecomer
from mlops.aws.tokens import tokens_spent
from mlops.errors import Alternative, JobFailedError, OpsError, RefusedError
from mlops.events import EventKind
from mlops.follow import next_move
from mlops.job import Job, JobState, numbers_of
from mlops.ledger import Entry, EntryKind, bookings, plan_scope
from mlops.money import parse_usd, to_usd
from mlops.plan import Plan
from mlops.report import build

Clock = Callable[[], datetime]


def follow(aws: Aws, job_name: str, clock: Clock) -> Job | None:
    """Brings one job and its plan as far as they can be brought now; None for a stranger's job."""
    jobs, log = Jobs(aws), EventLog(aws, clock)
    before = jobs.find(job_name)
    if before is None:
        return None
    job = jobs.refresh(before)
    if not job.state.is_final:
        if job != before:
            log.append(job.session_id, job.turn, EventKind.JOB, _job_data(job))
        return stop_latecomer(aws, stop_when_out_of_reach(aws, job, clock))
    ended = f"ended#{job.job_name}"
    log.append(job.session_id, job.turn, EventKind.JOB, _job_data(job), once=ended)
    plans = Plans(aws)
    plan = plans.get(job.plan_id)
    approval = plans.approval(plan.plan_id)
    if approval is None:
        return job
    job = settle(aws, plan, approval, job, clock())
    _tell_booking(log, job, "settle", job.cost_usd or "0.00", f"settled#{job.job_name}")
    warn_of_budget(aws, scopes(plan, approval), clock())
    if _move_on(aws, plan, approval, log, clock):
        jobs.close(job.job_name)
    return job


def announce(log: EventLog, job: Job) -> None:
    """Says in the log, once, what was reserved for a plan, and that a job was launched."""
    once = f"launched#{job.job_name}"
    if job.attempt > 1:
        _tell_booking(log, job, "extend", job.ceiling_usd, f"extended#{job.job_name}")
    elif job.stage == 1:
        _tell_booking(log, job, "reserve", None, f"reserved#{job.plan_id}")
    log.append(job.session_id, job.turn, EventKind.JOB, _job_data(job), once)


def report_once(aws: Aws, plan_id: str, clock: Clock) -> None:
    """Moves a plan on whose jobs have all ended, when a crash came between settling and reporting."""
    plans = Plans(aws)
    approval = plans.approval(plan_id)
    if approval is not None:
        _move_on(aws, plans.get(plan_id), approval, EventLog(aws, clock), clock)


def settle(aws: Aws, plan: Plan, approval: Approval, job: Job, now: datetime) -> Job:
    """Books what a final job really cost in place of its share of the reservation."""
    if job.settled:
        return job
    cost = parse_usd(job.cost_usd or "0")
    entries = [e for scope in scopes(plan, approval) for e in bookings(job, scope, now)]
    Ledger(aws).book(entries)
    settled = job.model_copy(update={"settled": True, "cost_usd": to_usd(cost)})
    Jobs(aws).save(job, settled)
    return settled


def _move_on(aws: Aws, plan: Plan, approval: Approval, log: EventLog, clock: Clock) -> bool:
    """One process at a time decides what follows; False when another one is at it."""
    plans, owner = Plans(aws), uuid.uuid4().hex
    if not plans.claim(plan.plan_id, owner, clock()):
        return False
    try:
        _carry_on(aws, plan, approval, log, clock, owner)
    finally:
        plans.unclaim(plan.plan_id, owner)
    return True


def _carry_on(
    aws: Aws, plan: Plan, approval: Approval, log: EventLog, clock: Clock, owner: str
) -> None:
    jobs = _attempts(aws, plan, log, clock, owner)
    if jobs is None or not all(job.settled for job in jobs):
        return
    move = next_move(plan, jobs)
    if move.stage is not None:
        try:
            _require_wanted(aws, plan, move.stage)
            started = launch(aws, plan, move.stage, clock(), owner=owner).job
        except OpsError as error:
            if error.code in PASSING:
                raise
            _tell_refusal(log, plan, move.stage, error)
        else:
            announce(log, started)
            stop_latecomer(aws, started)
            return
    _finish(aws, plan, approval, jobs, log, clock())


def _require_wanted(aws: Aws, plan: Plan, stage: int) -> None:
    if is_stopped_before(aws, plan, stage):
        message = f"You stopped the run: stage {stage} was not started."
        raise RefusedError("run_stopped", message)


def _attempts(aws: Aws, plan: Plan, log: EventLog, clock: Clock, owner: str) -> list[Job] | None:
    """All jobs of a plan as they are now, in order; None when one had to be completed first: money
    was reserved for another attempt, and whoever wanted it died before the job was recorded."""
    jobs, listed = Jobs(aws), {job.job_name: job for job in Jobs(aws).of_plan(plan.plan_id)}
    found = [jobs.get(name) for name in listed]
    for name in extended(aws, plan):
        if name in listed:
            continue
        recorded = jobs.find(name)
        if recorded is None:
            stage, attempt = numbers_of(name)
            try:
                job = launch(aws, plan, stage, clock(), attempt, owner).job
            except RefusedError as error:
                _tell_refusal(log, plan, stage, error)
                continue
            announce(log, job)
            return None
        found.append(recorded)
    return sorted(found, key=lambda job: (job.stage, job.attempt))


def _finish(
    aws: Aws, plan: Plan, approval: Approval, jobs: list[Job], log: EventLog, now: datetime
) -> None:
    """Gives the rest back, then writes the report, or the error when no stage gave a model."""
    release(aws, plan, approval, now)
    tokens = _book_words(aws, plan, approval, now)
    waits = approval.queue is not None
    report = build(plan, jobs, approval.at, tokens, now, waits)
    log.append(
        plan.session_id,
        plan.turn,
        EventKind.COST,
        {
            "plan_id": plan.plan_id,
            "entry": "close",
            "spent_usd": report.total_cost_usd,
            "reserved_usd": "0.00",
        },
        once=f"cost#{plan.plan_id}",
    )
    kind, data = EventKind.REPORT, report.model_dump(mode="json")
    if all(job.state is JobState.FAILED for job in jobs):
        kind, data = EventKind.ERROR, _failure(jobs[-1], report.total_cost_usd)
    once = f"report#{plan.plan_id}"
    log.append(plan.session_id, plan.turn, kind, data, once=once, person=plan.person)
    Plans(aws).close(plan.plan_id)


def _book_words(aws: Aws, plan: Plan, approval: Approval, now: datetime) -> int:
    """The tokens of the plan's turn are in the month already; up to what the plan kept aside for
    them they are in its own bill too."""
    tokens = tokens_spent(aws, plan, approval)
    if own := min(tokens, parse_usd(plan.tokens_usd)):
        words = Entry(
            scope=scopes(plan, approval)[0],
            kind=EntryKind.ADJUST,
            key=plan.plan_id,
            at=now,
            spent_micro=own,
            reserved_micro=0,
            note="model tokens, booked in the month by call",
        )
        Ledger(aws).book([words])
    return tokens


def _tell_refusal(log: EventLog, plan: Plan, stage: int, error: OpsError) -> None:
    data = {
        "text": error.message,
        "rule": "refused_stage",
        "plan_id": plan.plan_id,
        "stage": stage,
        "code": error.code,
    }
    once = f"refused#{plan.plan_id}#{stage}"
    log.append(plan.session_id, plan.turn, EventKind.THINKING, data, once)


def _tell_booking(log: EventLog, job: Job, entry: str, amount_usd: str | None, once: str) -> None:
    """What a booking did to the plan's money; without an amount, what is reserved of it now."""
    totals = Ledger(log.aws).totals(plan_scope(job.plan_id))
    if totals is None:
        return
    data = {
        "plan_id": job.plan_id,
        "job_name": job.job_name,
        "entry": entry,
        "amount_usd": amount_usd or to_usd(totals.reserved_micro),
        "spent_usd": to_usd(totals.spent_micro),
        "reserved_usd": to_usd(totals.reserved_micro),
    }
    log.append(job.session_id, job.turn, EventKind.COST, data, once)


def _failure(job: Job, cost_usd: str) -> dict[str, object]:
    error = JobFailedError(
        "job_failed",
        f"{job.job_name} failed: {job.failure_reason or 'no reason was given'}. "
        f"It cost ${cost_usd}.",
        (
            Alternative(kind="retry", message="Read the log, then ask for a new plan"),
            Alternative(kind="dataset", message="Check the dataset with llmops datasets show"),
        ),
    )
    return {**error.as_data(), "plan_id": job.plan_id, "job_name": job.job_name}


def _job_data(job: Job) -> dict[str, object]:
    return {"job": job.model_dump(mode="json")}
