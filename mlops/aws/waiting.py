"""Plans in the queue as people see them: which they are, when they start, and whether the month is
enough for all of them. A yes promises money; only a plan's turn reserves it."""

from datetime import datetime

from mlops.approvals import Approval, Queue, queue_words
from mlops.aws.clients import Aws
from mlops.aws.jobs import Jobs
from mlops.aws.limits import Limits
from mlops.aws.plans import Plans
from mlops.money import parse_usd, show_usd
from mlops.plan import Plan
from mlops.tools import WaitingPlan


def waiting(aws: Aws, person: str) -> tuple[WaitingPlan, ...]:
    """A person's plans in the queue, oldest approval first."""
    found: list[WaitingPlan] = []
    for approval in Plans(aws).open_approvals():
        if approval.queue is None:
            continue
        plan = Plans(aws).get(approval.plan_id)
        if plan.person != person or Jobs(aws).of_plan(plan.plan_id):
            continue
        stage, zone = plan.stages[0], plan.constraints.timezone
        found.append(
            WaitingPlan(
                plan_id=plan.plan_id,
                dataset=plan.dataset.name,
                instance_type=stage.instance_type,
                ceiling_usd=plan.ceiling_usd,
                queue=approval.queue,
                message=queue_words(approval.queue, stage.instance_type, zone),
            )
        )
    return tuple(found)


def waiting_words(aws: Aws, plan: Plan, approval: Approval, queue: Queue, now: datetime) -> str:
    """When it starts, until when it waits, and a warning when the month of its turn has less left
    than what waits can cost. Nothing is refused: a run may end below its ceiling."""
    words = queue_words(queue, plan.stages[0].instance_type, plan.constraints.timezone)
    turn = _turn(queue, now)
    left = _left(aws, plan, approval, turn)
    promised = _promised(aws, plan, approval, turn, now)
    if promised <= left:
        return words
    return (
        f"{words} Of its month {show_usd(left)} are left, and what waits can cost "
        f"{show_usd(promised)} together: whatever comes last may be refused."
    )


def _left(aws: Aws, plan: Plan, approval: Approval, turn: datetime) -> int:
    """Micro-USD that a month has left: the person's, or the team's where that is less."""
    left = Limits(aws).month_of_person(plan.person, turn).left_micro
    if approval.team is None:
        return left
    return min(left, Limits(aws).month_of_team(approval.team, turn).left_micro)


def _promised(aws: Aws, plan: Plan, approval: Approval, turn: datetime, now: datetime) -> int:
    """Micro-USD of this plan and of the person's others of that month that are not reserved yet."""
    total = 0 if approval.booked_at is not None else plan.ceiling_micro
    for other in Plans(aws).open_approvals():
        if other.plan_id == plan.plan_id or other.queue is None or other.booked_at is not None:
            continue
        is_same_month = f"{_turn(other.queue, now):%Y-%m}" == f"{turn:%Y-%m}"
        if is_same_month and Plans(aws).get(other.plan_id).person == plan.person:
            total += parse_usd(other.ceiling_usd)
    return total


def _turn(queue: Queue, now: datetime) -> datetime:
    return max(now, queue.not_before or now)
