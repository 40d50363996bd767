"""Who allowed a plan to spend: stored by a person's action, checked by the launch tool itself."""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict

from mlops.constraints import LONGEST_AHEAD, Constraints
from mlops.errors import Alternative, RefusedError, RequestError
from mlops.money import parse_usd, show_usd
from mlops.reading.clock import shown


class ApprovalStatus(StrEnum):
    """APPROVED while its plan may run, USED when the run has ended."""

    APPROVED = "approved"
    DECLINED = "declined"
    USED = "used"


class Queue(BaseModel):
    """A launch that waits for free quota: not before `not_before`, given up after `until`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    not_before: datetime | None = None
    until: datetime


class Approval(BaseModel):
    """A person's word for one plan and one sum; `team` is booked as well.

    `booked_at` is when its money was reserved: that month pays for the whole run. `replaced_by` is
    the plan with the new terms for which this one was declined, empty until it is made.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    plan_id: str
    by: str
    at: datetime
    ceiling_usd: str
    status: ApprovalStatus
    team: str | None = None
    queue: Queue | None = None
    booked_at: datetime | None = None
    replaced_by: str | None = None

    def sealed(self) -> dict[str, Any]:
        """What an APPROVAL event keeps of it."""
        return self.model_dump(mode="json", include={"by", "at", "team", "queue"})


QUEUE_LASTS = timedelta(days=1)
# Who will not wait for quota gets what the watchdog needs to start it on time.
_ON_TIME = timedelta(minutes=5)
AGAIN = Alternative(kind="retry", message="Ask again for a new plan")


def wish(constraints: Constraints, now: datetime) -> Queue | None:
    """The queue that a sentence asks for; `start_at` is a moment in UTC by then."""
    start = datetime.fromisoformat(constraints.start_at) if constraints.start_at else None
    if start is None and not constraints.queue:
        return None
    lasts = _ON_TIME if constraints.queue is False else QUEUE_LASTS
    if constraints.max_wait_minutes is not None:
        lasts = timedelta(minutes=constraints.max_wait_minutes)
    until = max(now, start or now) + lasts
    return queue_of(start, min(until, now + LONGEST_AHEAD), now)


def queue_of(not_before: datetime | None, until: datetime | None, now: datetime) -> Queue:
    """A day long unless said otherwise; RequestError when it would end before it begins, or lies
    too far ahead for a price to be promised."""
    begins, farthest = max(now, not_before or now), now + LONGEST_AHEAD
    ends = until or min(begins + QUEUE_LASTS, farthest)
    if max(begins, ends) > farthest:
        message = f"A plan waits {LONGEST_AHEAD.days} days at most, until {shown(farthest, None)}."
        raise RequestError("bad_time", message)
    if ends <= begins:
        raise RequestError("bad_time", "The queue would end before it begins.")
    return Queue(not_before=not_before, until=ends)


def queue_words(queue: Queue, instance_type: str, timezone: str | None) -> str:
    """When it starts and until when it waits, for people."""
    until = shown(queue.until, timezone)
    if queue.not_before is None:
        return f"It starts when quota for {instance_type} is free, and waits until {until}."
    begins = shown(queue.not_before, timezone)
    return f"It starts at {begins}, or as soon after it as quota is free, until {until}."


def why_declined(approval: Approval | None) -> str:
    """By a person's no, or because its terms were changed."""
    if approval is None or approval.replaced_by is None:
        return "This plan was declined."
    if not approval.replaced_by:
        return "The terms of this plan were changed; it runs no more."
    return f"This plan was replaced by {approval.replaced_by}, which has the new terms."


def require(approval: Approval | None, plan_id: str, ceiling_micro: int) -> Approval:
    """RefusedError unless this very plan is approved for at least this ceiling."""
    approve = Alternative(kind="approve", message=f"Approve it: llmops approve {plan_id}")
    if approval is None or approval.plan_id != plan_id:
        raise RefusedError("not_approved", "This plan was not approved by a person.", (approve,))
    if approval.status is ApprovalStatus.DECLINED:
        raise RefusedError("not_approved", why_declined(approval), (approve,))
    if approval.status is ApprovalStatus.USED:
        raise RefusedError(
            "approval_used",
            "The approval of this plan is used up by its run; ask again for a new plan.",
            (AGAIN,),
        )
    if ceiling_micro > parse_usd(approval.ceiling_usd):
        raise RefusedError(
            "not_approved",
            f"Approved were ${approval.ceiling_usd}, the plan can cost {show_usd(ceiling_micro)}.",
            (approve,),
        )
    return approval
