"""The watchdog's rounds: follow open jobs, stop overruns, finish or undo half-done launches, stop orphans."""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from botocore.exceptions import BotoCoreError, ClientError
from pydantic import BaseModel, ConfigDict

from mlops.approvals import Approval
from mlops.aws.clients import Aws
from mlops.aws.events import EventLog
from mlops.aws.follow import announce, follow, report_once
from mlops.aws.jobs import Jobs
from mlops.aws.launch import launch, release, scopes
from mlops.aws.ledger import Ledger
from mlops.aws.plans import Plans
from mlops.budget import STOP_GRACE_SECONDS
from mlops.errors import OpsError
from mlops.job import Job, job_name
from mlops.ledger import EntryKind

_log = logging.getLogger(__name__)

# A launch takes a second; one that is half done after this long has died.
HALF_DONE = timedelta(minutes=2)


class Repairs(BaseModel):
    """What one round did."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    followed: int
    stopped: tuple[str, ...]
    completed: tuple[str, ...]
    undone: tuple[str, ...]


def repair(aws: Aws, clock: Callable[[], datetime]) -> Repairs:
    """One round. A job or plan that fails is logged and does not hinder the others."""
    jobs = Jobs(aws)
    stopped: list[str] = []
    followed = 0
    for job in jobs.open():
        try:
            seen = follow(aws, job.job_name, clock)
            followed += 1
            if seen and _overran(seen, clock()):
                jobs.stop(seen)
                stopped.append(seen.job_name)
        except (OpsError, ClientError, BotoCoreError):
            _log.exception("could not follow %s", job.job_name)
    completed, undone = _half_done(aws, jobs, clock)
    return Repairs(
        followed=followed,
        stopped=tuple(stopped),
        completed=tuple(completed),
        undone=tuple(undone),
    )


def _overran(job: Job, now: datetime) -> bool:
    """The platform's own clamp should have ended it."""
    if job.state.is_final or job.started_at is None:
        return False
    allowed = timedelta(seconds=job.max_runtime_seconds + STOP_GRACE_SECONDS)
    return now - job.started_at > allowed


def _half_done(aws: Aws, jobs: Jobs, clock: Callable[[], datetime]) -> tuple[list[str], list[str]]:
    """Approved plans without a job record: the job exists, then it is recorded; else undone."""
    plans = Plans(aws)
    completed: list[str] = []
    undone: list[str] = []
    for approval in plans.open_approvals():
        if clock() - approval.at < HALF_DONE:
            continue
        try:
            if jobs.of_plan(approval.plan_id):
                report_once(aws, approval.plan_id, clock)
            else:
                finished = _finish_launch(aws, approval, jobs, clock)
                if finished is not None:
                    (completed if finished else undone).append(approval.plan_id)
        except (OpsError, ClientError, BotoCoreError):
            _log.exception("could not repair %s", approval.plan_id)
    return completed, undone


def _finish_launch(
    aws: Aws, approval: Approval, jobs: Jobs, clock: Callable[[], datetime]
) -> bool | None:
    """True when it was completed, False when it was undone, None while somebody is at it."""
    plans = Plans(aws)
    plan = plans.get(approval.plan_id)
    own = scopes(plan, approval)[0]
    reserved = Ledger(aws).find(own, EntryKind.RESERVE, plan.plan_id)
    if reserved is not None and clock() - reserved.at < HALF_DONE:
        return None
    name = job_name(plan.plan_id, plan.dataset.name, plan.stages[0].number, 1)
    if jobs.observe(name) is not None:
        announce(EventLog(aws, clock), launch(aws, plan.plan_id, 1, clock()).job)
        return True
    if reserved is not None:
        release(aws, plan, approval, clock())
    plans.close(plan.plan_id)
    return False
