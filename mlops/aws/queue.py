"""Approved plans that wait for free quota: started by the event that frees it, with the watchdog as
the safety net, and given up with a clear word when their time is over."""

import logging
import uuid
from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple

from botocore.exceptions import BotoCoreError, ClientError

from mlops.approvals import Approval, ApprovalStatus, Queue, queue_of, require
from mlops.aws.clients import Aws
from mlops.aws.crowd import FULL
from mlops.aws.events import EventLog
from mlops.aws.follow import announce
from mlops.aws.jobs import Jobs
from mlops.aws.launch import Launched, launch, take_move
from mlops.aws.plans import Plans
from mlops.aws.reservations import release
from mlops.aws.waiting import waiting_words
from mlops.errors import Alternative, OpsError, RefusedError
from mlops.events import EventKind
from mlops.job import job_name
from mlops.plan import Plan

Clock = Callable[[], datetime]
_log = logging.getLogger(__name__)

# Somebody else decides on the plan, or has decided: what is reserved is not ours to give back.
_OTHERS_AT_IT = ("plan_busy", "not_approved", "approval_used")
_OPEN = ApprovalStatus.APPROVED


class Waits(NamedTuple):
    """A plan in the queue; `words` say until when, to a person."""

    queue: Queue
    words: str


def queue_plan(
    aws: Aws, plan: Plan, clock: Clock, not_before: datetime | None, until: datetime | None
) -> Approval:
    """A person's yes to a plan that waits for quota; a repeated yes returns the first one.

    RequestError when the queue would end before it begins, or lies too far ahead; RefusedError for
    another's plan.
    """
    now, by = clock(), aws.settings.person
    if plan.person != by:
        raise RefusedError("not_yours", "This plan was made for somebody else.")
    approval = Plans(aws).approve(plan, by, now, queue_of(not_before, until, now))
    if approval.queue is not None:
        _tell(aws, plan, approval, clock, "queued", approval.queue)
    return approval


def launch_or_wait(aws: Aws, plan: Plan, clock: Clock) -> Launched | Waits:
    """Starts an approved plan; one that may wait is queued when it is not yet its time, or when
    there is no room for it. Every other refusal is raised, with nothing left reserved."""
    owner = take_move(aws, plan, plan.stages[0].number, clock())
    if isinstance(owner, Launched):
        return owner
    try:
        return _launch_or_queue(aws, plan, clock, owner)
    finally:
        Plans(aws).unclaim(plan.plan_id, owner)


def cancel(aws: Aws, plan: Plan, clock: Clock) -> int:
    """Takes a plan that waits out of the queue; micro-USD given back.

    RefusedError when it does not wait, or when it is being started at this moment.
    """
    plans, owner = Plans(aws), uuid.uuid4().hex
    approval, queue = _waiting(aws, plan)
    if not plans.claim(plan.plan_id, owner, clock()):
        again = Alternative(kind="wait", message="Look at your jobs again in a minute")
        raise RefusedError("plan_busy", "This plan is being started right now.", (again,))
    try:
        approval, queue = _waiting(aws, plan)
        if _has_started(aws, plan):
            raise RefusedError("already_started", "This plan has started; stop its job instead.")
        given_back = release(aws, plan, approval, clock())
        plans.withdraw(plan.plan_id)
    finally:
        plans.unclaim(plan.plan_id, owner)
    _tell(aws, plan, approval, clock, "cancelled", queue)
    return given_back


def start_queued(aws: Aws, clock: Clock) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Plan ids that were started, and those that were given up; the oldest approval goes first."""
    started: list[str] = []
    given_up: list[str] = []
    full: set[str] = set()
    for approval in Plans(aws).open_approvals():
        if approval.queue is None or Jobs(aws).of_plan(approval.plan_id):
            continue
        try:
            outcome = _advance(aws, approval, clock, full)
        except (OpsError, ClientError, BotoCoreError):
            _log.exception("could not start the queued %s", approval.plan_id)
            continue
        if outcome is not None:
            (started if outcome else given_up).append(approval.plan_id)
    return tuple(started), tuple(given_up)


def _launch_or_queue(aws: Aws, plan: Plan, clock: Clock, owner: str) -> Launched | Waits:
    """Decides on a plan, for whoever has claimed its move."""
    plans, stage = Plans(aws), plan.stages[0].number
    approval = require(plans.approval(plan.plan_id), plan.plan_id, plan.ceiling_micro)
    queue = approval.queue
    if queue is None:
        return launch(aws, plan, stage, clock(), owner=owner)
    if _is_over(aws, plan, queue, clock()):
        raise _give_up(aws, plan, approval, clock, _waited(queue))
    if queue.not_before is not None and clock() < queue.not_before:
        return Waits(queue, _tell(aws, plan, approval, clock, "queued", queue))
    try:
        return launch(aws, plan, stage, clock(), owner=owner)
    except RefusedError as error:
        # It says by now that its money is reserved.
        approval = plans.approval(plan.plan_id) or approval
        if error.code in FULL:
            return Waits(queue, _tell(aws, plan, approval, clock, "queued", queue))
        if error.code not in _OTHERS_AT_IT and not _has_started(aws, plan):
            release(aws, plan, approval, clock())
            plans.close(plan.plan_id)
        raise


def _waiting(aws: Aws, plan: Plan) -> tuple[Approval, Queue]:
    approval = Plans(aws).approval(plan.plan_id)
    if approval is None or approval.queue is None or approval.status is not _OPEN:
        raise RefusedError("not_queued", "This plan does not wait in the queue.")
    return approval, approval.queue


def _advance(aws: Aws, approval: Approval, clock: Clock, full: set[str]) -> bool | None:
    """True when it was started, False when it was given up, None while it waits."""
    plans, owner = Plans(aws), uuid.uuid4().hex
    if not plans.claim(approval.plan_id, owner, clock()):
        return None
    try:
        plan, current = plans.get(approval.plan_id), plans.approval(approval.plan_id)
        if current is None or current.queue is None or current.status is not _OPEN:
            return None
        if _is_over(aws, plan, current.queue, clock()):
            _give_up(aws, plan, current, clock, _waited(current.queue))
            return False
        if current.queue.not_before is not None and clock() < current.queue.not_before:
            return None
        return _try_launch(aws, plan, current, clock, full, owner)
    finally:
        plans.unclaim(approval.plan_id, owner)


def _is_over(aws: Aws, plan: Plan, queue: Queue, now: datetime) -> bool:
    """What was created in time is carried on."""
    return now > queue.until and not _was_created(aws, plan)


def _waited(queue: Queue) -> str:
    return f"It waited until {queue.until:%Y-%m-%d %H:%M} UTC and no quota became free."


def _has_started(aws: Aws, plan: Plan) -> bool:
    """A job is recorded, or was created."""
    return Jobs(aws).find(_first_name(plan)) is not None or _was_created(aws, plan)


def _was_created(aws: Aws, plan: Plan) -> bool:
    """An earlier attempt got no answer, or died before it could record the job."""
    return Jobs(aws).observe(_first_name(plan)) is not None


def _first_name(plan: Plan) -> str:
    return job_name(plan.plan_id, plan.dataset.name, plan.stages[0].number, 1)


def _try_launch(
    aws: Aws, plan: Plan, approval: Approval, clock: Clock, full: set[str], owner: str
) -> bool | None:
    """Types that were found full are not asked for again in the same round."""
    wanted = f"{plan.stages[0].instance_type} {plan.stages[0].spot}"
    if wanted in full:
        return None
    try:
        job = launch(aws, plan, plan.stages[0].number, clock(), owner=owner).job
    except RefusedError as error:
        if error.code in FULL:
            full.add(wanted)
            return None
        if _has_started(aws, plan):
            raise
        _give_up(aws, plan, approval, clock, error.message)
        return False
    announce(EventLog(aws, clock), job)
    return True


def _give_up(aws: Aws, plan: Plan, approval: Approval, clock: Clock, why: str) -> RefusedError:
    """Gives the money back and says in the log why nothing was started."""
    release(aws, plan, approval, clock())
    error = RefusedError(
        "queue_ended",
        f"The queued launch was given up: {why}",
        (
            Alternative(
                kind="schedule",
                message="Ask again and queue it for longer",
                cost_usd=plan.ceiling_usd,
            ),
            Alternative(kind="instance", message="Ask for another instance type"),
            Alternative(kind="quota", message="Ask AWS for a higher quota"),
        ),
    )
    data = {**error.as_data(), "plan_id": plan.plan_id}
    once = f"queue-ended#{plan.plan_id}"
    log = EventLog(aws, clock)
    log.append(plan.session_id, plan.turn, EventKind.ERROR, data, once, plan.person)
    Plans(aws).close(plan.plan_id)
    return error


def _tell(
    aws: Aws, plan: Plan, approval: Approval, clock: Clock, status: str, queue: Queue
) -> str:
    """Once per plan and status; the words for a person as of now."""
    words = waiting_words(aws, plan, approval, queue, clock())
    data = {
        "plan_id": plan.plan_id,
        "status": status,
        "ceiling_usd": plan.ceiling_usd,
        "budget_usd": plan.budget_usd,
        **approval.sealed(),
        "queued": queue.model_dump(mode="json"),
        "words": words,
    }
    once = f"{status}#{plan.plan_id}"
    EventLog(aws, clock).append(plan.session_id, plan.turn, EventKind.APPROVAL, data, once)
    return words
