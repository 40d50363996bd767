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
from mlops.aws.launch import UNCERTAIN, launch, release, scopes
from mlops.aws.ledger import Ledger
from mlops.aws.plans import Plans
from mlops.aws.tokens import tokens_spent
from mlops.errors import Alternative, JobFailedError, OpsError
from mlops.events import EventKind
from mlops.follow import next_move
from mlops.job import Job, JobState
from mlops.ledger import Entry, EntryKind
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
        return stop_when_out_of_reach(aws, job, clock)
    ended = f"ended#{job.job_name}"
    log.append(job.session_id, job.turn, EventKind.JOB, _job_data(job), once=ended)
    plans = Plans(aws)
    plan = plans.get(job.plan_id)
    approval = plans.approval(plan.plan_id)
    if approval is None:
        return job
    job = settle(aws, plan, approval, job, clock())
    if _move_on(aws, plan, approval, log, clock):
        jobs.close(job.job_name)
    return job


def announce(log: EventLog, job: Job) -> None:
    """Says in the log, once, that a job was launched."""
    once = f"launched#{job.job_name}"
    log.append(job.session_id, job.turn, EventKind.JOB, _job_data(job), once)


def report_once(aws: Aws, plan_id: str, clock: Clock) -> None:
    """Moves a plan on whose jobs have all ended, when a crash came between settling and reporting."""
    plans = Plans(aws)
    approval = plans.approval(plan_id)
    jobs = Jobs(aws).of_plan(plan_id)
    if approval and jobs and all(job.settled for job in jobs):
        _move_on(aws, plans.get(plan_id), approval, EventLog(aws, clock), clock)


def settle(aws: Aws, plan: Plan, approval: Approval, job: Job, now: datetime) -> Job:
    """Books what a final job really cost in place of its share of the reservation."""
    if job.settled:
        return job
    cost = parse_usd(job.cost_usd or "0")
    ceiling = parse_usd(job.ceiling_usd)
    entries = [
        Entry(
            scope=scope,
            kind=EntryKind.SETTLE,
            key=job.job_name,
            at=now,
            spent_micro=cost,
            reserved_micro=-ceiling,
            note=f"{job.billed_seconds or 0} s on {job.instance_type}",
        )
        for scope in scopes(plan, approval)
    ]
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
    jobs = Jobs(aws).of_plan(plan.plan_id)
    settled = [job for job in jobs if job.state.is_final]
    if len(settled) < len(jobs):
        return
    move = next_move(plan, settled)
    if move.stage is not None:
        try:
            started = launch(aws, plan.plan_id, move.stage, clock(), owner=owner).job
        except OpsError as error:
            if error.code == UNCERTAIN:
                raise
            note, once = {"text": error.message}, f"refused#{plan.plan_id}#{move.stage}"
            log.append(plan.session_id, plan.turn, EventKind.THINKING, note, once)
        else:
            announce(log, started)
            return
    _finish(aws, plan, approval, settled, log, clock())


def _finish(
    aws: Aws, plan: Plan, approval: Approval, jobs: list[Job], log: EventLog, now: datetime
) -> None:
    """Gives the rest back, then writes the report, or the error when no stage gave a model."""
    release(aws, plan, approval, now)
    tokens = _book_words(aws, plan, approval, now)
    report = build(plan, jobs, approval.at, tokens, now)
    log.append(
        plan.session_id,
        plan.turn,
        EventKind.COST,
        {"plan_id": plan.plan_id, "spent_usd": report.total_cost_usd, "reserved_usd": "0.00"},
        once=f"cost#{plan.plan_id}",
    )
    kind, data = EventKind.REPORT, report.model_dump(mode="json")
    if all(job.state is JobState.FAILED for job in jobs):
        kind, data = EventKind.ERROR, _failure(jobs[-1], report.total_cost_usd)
    log.append(plan.session_id, plan.turn, kind, data, once=f"report#{plan.plan_id}")
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
