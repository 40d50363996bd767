"""The watchdog's rounds: follow open jobs, stop overruns, finish or undo half-done launches, start
queued ones, stop orphans, book model calls that died. Each repair is told in the log."""

import logging
import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TypeVar

from botocore.exceptions import BotoCoreError, ClientError
from pydantic import BaseModel, ConfigDict

from mlops.approvals import Approval, ApprovalStatus
from mlops.aws.clients import Aws
from mlops.aws.events import EventLog
from mlops.aws.follow import announce, follow, report_once
from mlops.aws.jobs import Jobs
from mlops.aws.launch import launch
from mlops.aws.ledger import Ledger
from mlops.aws.orphans import settle_orphans, stop_orphans
from mlops.aws.plans import Plans
from mlops.aws.queue import start_queued
from mlops.aws.reservations import release, scopes
from mlops.aws.tokens import settle_stale_tokens
from mlops.budget import STOP_GRACE_SECONDS
from mlops.errors import Alternative, FaultError, OpsError
from mlops.events import EventKind
from mlops.job import Job, job_name
from mlops.ledger import EntryKind
from mlops.plan import Plan

_log = logging.getLogger(__name__)
Found = TypeVar("Found")

# A launch takes a second; one that is half done after this long has died.
HALF_DONE = timedelta(minutes=2)


class Repairs(BaseModel):
    """What one round did."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    followed: int
    stopped: tuple[str, ...]
    completed: tuple[str, ...]
    undone: tuple[str, ...]
    started: tuple[str, ...] = ()
    given_up: tuple[str, ...] = ()
    orphans: tuple[str, ...] = ()
    orphans_booked: tuple[str, ...] = ()
    words_booked: tuple[str, ...] = ()


def repair(aws: Aws, clock: Callable[[], datetime]) -> Repairs:
    """One round. What fails, be it a job, a plan or a kind of repair, is logged and does not hinder
    the others."""
    followed, stopped = _or_nothing(lambda: _follow_all(aws, clock), (0, ()))
    completed, undone = _or_nothing(lambda: _half_done(aws, clock), ((), ()))
    started, given_up = _or_nothing(lambda: start_queued(aws, clock), ((), ()))
    return Repairs(
        followed=followed,
        stopped=stopped,
        completed=completed,
        undone=undone,
        started=started,
        given_up=given_up,
        orphans=_or_nothing(lambda: stop_orphans(aws, clock), ()),
        orphans_booked=_or_nothing(lambda: settle_orphans(aws, clock), ()),
        words_booked=_or_nothing(lambda: _book_words(aws, clock), ()),
    )


def _or_nothing(work: Callable[[], Found], nothing: Found) -> Found:
    try:
        return work()
    except (OpsError, ClientError, BotoCoreError):
        _log.exception("a kind of repair failed")
        return nothing


def _follow_all(aws: Aws, clock: Callable[[], datetime]) -> tuple[int, tuple[str, ...]]:
    """How many open jobs were followed, and the names of those that were stopped."""
    jobs = Jobs(aws)
    followed = 0
    stopped: list[str] = []
    for job in jobs.open():
        try:
            seen = follow(aws, job.job_name, clock)
            followed += 1
            if seen and _overran(seen, clock()):
                jobs.stop(seen)
                stopped.append(seen.job_name)
                _tell_stop(aws, seen, clock)
        except (OpsError, ClientError, BotoCoreError):
            _log.exception("could not follow %s", job.job_name)
    return followed, tuple(stopped)


def _book_words(aws: Aws, clock: Callable[[], datetime]) -> tuple[str, ...]:
    keys = settle_stale_tokens(aws, clock())
    for key in keys:
        session, turn = key.split("#")[:2]
        text = "A model call died; it may be billed, so the most that it can cost was booked."
        _tell(EventLog(aws, clock), (session, turn), "words_booked", text, key)
    return keys


def _tell_stop(aws: Aws, job: Job, clock: Callable[[], datetime]) -> None:
    text = f"{job.job_name} ran longer than its limit of {job.max_runtime_seconds} s: stopped."
    place = (job.session_id, job.turn)
    _tell(EventLog(aws, clock), place, "overrun_stopped", text, job.job_name)


def _tell(log: EventLog, place: tuple[str, str], repair: str, text: str, key: str) -> None:
    data = {"text": text, "repair": repair}
    log.append(*place, EventKind.THINKING, data, once=f"{repair}#{key}")


def _overran(job: Job, now: datetime) -> bool:
    """The platform's own clamp should have ended it."""
    if job.state.is_final or job.started_at is None:
        return False
    allowed = timedelta(seconds=job.max_runtime_seconds + STOP_GRACE_SECONDS)
    return now - job.started_at > allowed


def _half_done(aws: Aws, clock: Callable[[], datetime]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Plan ids of the launches that were completed, and of those that were undone."""
    completed: list[str] = []
    undone: list[str] = []
    for approval in Plans(aws).open_approvals():
        if clock() - approval.at < HALF_DONE:
            continue
        try:
            finished = _mend(aws, approval, clock)
        except (OpsError, ClientError, BotoCoreError):
            _log.exception("could not repair %s", approval.plan_id)
            continue
        if finished is not None:
            (completed if finished else undone).append(approval.plan_id)
    return tuple(completed), tuple(undone)


def _mend(aws: Aws, approval: Approval, clock: Callable[[], datetime]) -> bool | None:
    """An approved plan without a job record: the job exists, then it is recorded; else undone."""
    jobs = Jobs(aws).of_plan(approval.plan_id)
    if not jobs:
        return _finish_launch(aws, approval, clock) if approval.queue is None else None
    if all(job.settled for job in jobs):
        report_once(aws, approval.plan_id, clock)
    return None


def _finish_launch(aws: Aws, approval: Approval, clock: Callable[[], datetime]) -> bool | None:
    """True when it was completed, False when it was undone, None while somebody is at it."""
    plans, owner = Plans(aws), uuid.uuid4().hex
    if not plans.claim(approval.plan_id, owner, clock()):
        return None
    try:
        return _complete_or_undo(aws, plans.get(approval.plan_id), approval, clock, owner)
    finally:
        plans.unclaim(approval.plan_id, owner)


def _complete_or_undo(
    aws: Aws, plan: Plan, approval: Approval, clock: Callable[[], datetime], owner: str
) -> bool | None:
    current = Plans(aws).approval(plan.plan_id)
    if current is None or current.status is not ApprovalStatus.APPROVED:
        return None
    reserved = Ledger(aws).find(scopes(plan, approval)[0], EntryKind.RESERVE, plan.plan_id)
    if reserved is not None and clock() - reserved.at < HALF_DONE:
        return None
    log, place = EventLog(aws, clock), (plan.session_id, plan.turn)
    name = job_name(plan.plan_id, plan.dataset.name, plan.stages[0].number, 1)
    if Jobs(aws).observe(name) is not None:
        announce(log, launch(aws, plan, 1, clock(), owner=owner).job)
        text = f"The launch of {name} had died before it was recorded: it was completed."
        _tell(log, place, "launch_completed", text, plan.plan_id)
        return True
    if reserved is not None:
        release(aws, plan, current, clock())
    undone = FaultError(
        "launch_undone",
        "The launch died before it created a job: nothing ran, and its reservation was given back.",
        (Alternative(kind="retry", message="Ask for a new plan"),),
    )
    data = {**undone.as_data(), "plan_id": plan.plan_id}
    once = f"report#{plan.plan_id}"
    log.append(*place, EventKind.ERROR, data, once=once, person=plan.person)
    Plans(aws).close(plan.plan_id)
    return False
