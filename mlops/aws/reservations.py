"""A plan's money in every scope: reserved once, extended for another attempt of a stage, given back."""

from datetime import datetime, timedelta
from typing import Any

from mlops.approvals import AGAIN, Approval
from mlops.aws.clients import Aws
from mlops.aws.jobs import if_settled
from mlops.aws.ledger import RESERVATION_CHANGED, Ledger
from mlops.aws.limits import Limits
from mlops.aws.plans import Plans, booked, still_open
from mlops.aws.tokens import tokens_spent
from mlops.budget import STOP_GRACE_SECONDS, clamp
from mlops.errors import Alternative, FaultError, RefusedError
from mlops.job import job_name
from mlops.ledger import Entry, EntryKind, person_scope, plan_scope, team_scope
from mlops.money import parse_usd, seconds_for, show_usd
from mlops.plan import Plan, Stage

LOOK_AGAIN = Alternative(kind="wait", message="Look at your jobs again in two minutes")


def scopes(plan: Plan, approval: Approval) -> tuple[str, ...]:
    """Where a run is booked: its own budget, and the month in which it was reserved, of the person
    and of the team when that had a limit."""
    month = approval.booked_at or approval.at
    team = (team_scope(approval.team, month),) if approval.team else ()
    return plan_scope(plan.plan_id), person_scope(plan.person, month), *team


def reserve(aws: Aws, plan: Plan, approval: Approval, now: datetime) -> Approval:
    """Takes the ladder's ceiling out of every scope, or RefusedError and nothing is taken.

    The approval says afterwards when that was; both are stored together, so that nothing can split
    a run between two months.
    """
    if approval.booked_at is not None:
        return approval
    ledger, limits = Ledger(aws), Limits(aws)
    ledger.open_scope(plan_scope(plan.plan_id), plan.budget_micro)
    limits.open_person(plan.person, now)
    if approval.team:
        limits.open_team(approval.team, now)
    # Tokens that were used until now are in the month already.
    tokens = parse_usd(plan.tokens_usd)
    amount = plan.ceiling_micro - min(tokens, tokens_spent(aws, plan, approval))
    taken = approval.model_copy(update={"booked_at": now})
    entries = [
        _taking(s, EntryKind.RESERVE, plan.plan_id, now, amount) for s in scopes(plan, taken)
    ]
    if ledger.book(entries, [booked(plan.plan_id, now)]):
        return taken
    return Plans(aws).approval(plan.plan_id) or approval


def release(aws: Aws, plan: Plan, approval: Approval, now: datetime) -> int:
    """Gives back whatever of a plan's reservation was not settled; micro-USD given back.

    FaultError RESERVATION_CHANGED when a job of it runs, or is settled at the same moment.
    """
    ledger = Ledger(aws)
    everywhere = scopes(plan, approval)
    totals = ledger.totals(everywhere[0])
    if totals is None or totals.reserved_micro <= 0:
        return 0
    back = -totals.reserved_micro
    entries = [_taking(s, EntryKind.RELEASE, plan.plan_id, now, back) for s in everywhere]
    if ledger.book(entries, _nothing_runs(aws, plan)):
        return totals.reserved_micro
    if ledger.find(everywhere[0], EntryKind.RELEASE, plan.plan_id) is None:
        raise FaultError(RESERVATION_CHANGED, f"A job of {plan.plan_id} is not settled yet.")
    return 0


def extend(
    aws: Aws, plan: Plan, approval: Approval, stage: Stage, name: str, now: datetime
) -> Stage:
    """Reserves another attempt of a stage out of what the earlier ones left of the approved sum,
    once per job name, and returns the stage as long as that buys.

    RefusedError when it buys no useful run, or when a month has too little left.
    """
    ledger, everywhere = Ledger(aws), scopes(plan, approval)
    earlier = ledger.find(everywhere[0], EntryKind.EXTEND, name)
    if earlier is not None:
        paid = seconds_for(earlier.reserved_micro, stage.running_micro)
        return stage.lasting(paid - STOP_GRACE_SECONDS, stage.bound_by)
    shorter = _shortened(aws, plan, approval, stage, now)
    amount = shorter.ceiling_micro
    entries = [_taking(s, EntryKind.EXTEND, name, now, amount) for s in everywhere]
    if not ledger.book(entries, [still_open(plan.plan_id)]):
        raise RefusedError(
            "plan_busy", "This plan has just ended, or is being launched.", (LOOK_AGAIN,)
        )
    return shorter


def cut_back(aws: Aws, plan: Plan, approval: Approval, name: str, now: datetime) -> None:
    """Gives back what was reserved for an attempt that AWS refused to start."""
    ledger, everywhere = Ledger(aws), scopes(plan, approval)
    taken = ledger.find(everywhere[0], EntryKind.EXTEND, name)
    if taken is not None:
        back = -taken.reserved_micro
        ledger.book([_taking(s, EntryKind.RELEASE, name, now, back) for s in everywhere])


def was_cut_back(aws: Aws, plan: Plan, name: str) -> bool:
    return Ledger(aws).find(plan_scope(plan.plan_id), EntryKind.RELEASE, name) is not None


def extended(aws: Aws, plan: Plan) -> list[str]:
    """Names of the jobs for which another attempt's money was reserved and not given back."""
    entries = Ledger(aws).entries(plan_scope(plan.plan_id))
    back = {entry.key for entry in entries if entry.kind is EntryKind.RELEASE}
    return [e.key for e in entries if e.kind is EntryKind.EXTEND and e.key not in back]


def _nothing_runs(aws: Aws, plan: Plan) -> list[dict[str, Any]]:
    """For a transaction: it fails while a recorded job of the plan is not settled."""
    names = [job_name(plan.plan_id, plan.dataset.name, s.number, 1) for s in plan.stages]
    return [if_settled(name) for name in (*names, *extended(aws, plan))]


def _shortened(aws: Aws, plan: Plan, approval: Approval, stage: Stage, now: datetime) -> Stage:
    own = plan_scope(plan.plan_id)
    totals = Ledger(aws).totals(own)
    first = Ledger(aws).find(own, EntryKind.RESERVE, plan.plan_id)
    left = 0
    if totals is not None and first is not None:
        left = first.reserved_micro - totals.spent_micro - totals.reserved_micro
    p90 = stage.estimate.p90_seconds
    clamped = clamp(left, _time_left(aws, plan, approval, now), stage.running_micro, p90)
    if clamped is None:
        raise RefusedError(
            "over_budget",
            f"Of the approved {show_usd(plan.ceiling_micro)} the earlier attempts left "
            f"{show_usd(max(0, left))}: money and time no longer buy the {p90} s that another run "
            f"of {stage.model} may take.",
            (AGAIN,),
        )
    seconds = min(clamped.max_runtime_seconds, stage.max_runtime_seconds)
    return stage.lasting(seconds, clamped.bound_by)


def _time_left(aws: Aws, plan: Plan, approval: Approval, now: datetime) -> int | None:
    """What the deadline leaves for running, after the wait for an instance and the stop grace."""
    minutes = plan.constraints.max_minutes
    if minutes is None:
        return None
    left = approval.at + timedelta(minutes=minutes) - now
    return int(left.total_seconds()) - aws.settings.startup_seconds - STOP_GRACE_SECONDS


def _taking(scope: str, kind: EntryKind, key: str, now: datetime, reserved_micro: int) -> Entry:
    return Entry(
        scope=scope, kind=kind, key=key, at=now, spent_micro=0, reserved_micro=reserved_micro
    )
