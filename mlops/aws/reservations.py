"""A plan's money in every scope: reserved once, extended for another attempt of a stage, given back."""

from datetime import datetime, timedelta

from mlops.approvals import Approval
from mlops.aws.clients import Aws
from mlops.aws.ledger import Ledger
from mlops.aws.limits import Limits
from mlops.aws.plans import still_open
from mlops.aws.tokens import tokens_spent
from mlops.budget import STOP_GRACE_SECONDS, clamp
from mlops.errors import Alternative, RefusedError
from mlops.ledger import Entry, EntryKind, person_scope, plan_scope, team_scope
from mlops.money import parse_usd, seconds_for, show_usd
from mlops.plan import Plan, Stage


def scopes(plan: Plan, approval: Approval) -> tuple[str, ...]:
    """Where a run is booked: its own budget, and the month in which it was approved, of the person
    and of the team when that had a limit."""
    team = (team_scope(approval.team, approval.at),) if approval.team else ()
    return plan_scope(plan.plan_id), person_scope(plan.person, approval.at), *team


def reserve(aws: Aws, plan: Plan, approval: Approval, now: datetime) -> None:
    """Takes the ladder's ceiling out of every scope, or RefusedError and nothing is taken."""
    ledger, limits = Ledger(aws), Limits(aws)
    ledger.open_scope(plan_scope(plan.plan_id), plan.budget_micro)
    limits.open_person(plan.person, approval.at)
    if approval.team:
        limits.open_team(approval.team, approval.at)
    # Tokens that were used until now are in the month already.
    tokens = parse_usd(plan.tokens_usd)
    amount = plan.ceiling_micro - min(tokens, tokens_spent(aws, plan, approval))
    booked = scopes(plan, approval)
    ledger.book([_taking(s, EntryKind.RESERVE, plan.plan_id, now, amount) for s in booked])


def release(aws: Aws, plan: Plan, approval: Approval, now: datetime) -> int:
    """Gives back whatever of a plan's reservation was not settled; micro-USD given back.

    FaultError RESERVATION_CHANGED when a job of it is settled at the same moment: repeat it.
    """
    ledger = Ledger(aws)
    booked = scopes(plan, approval)
    totals = ledger.totals(booked[0])
    if totals is None or totals.reserved_micro <= 0:
        return 0
    back = -totals.reserved_micro
    ledger.book([_taking(s, EntryKind.RELEASE, plan.plan_id, now, back) for s in booked])
    return totals.reserved_micro


def extend(
    aws: Aws, plan: Plan, approval: Approval, stage: Stage, job_name: str, now: datetime
) -> Stage:
    """Reserves another attempt of a stage out of what the earlier ones left of the approved sum,
    once per job name, and returns the stage as long as that buys.

    RefusedError when it buys no useful run, or when a month has too little left.
    """
    ledger, booked = Ledger(aws), scopes(plan, approval)
    earlier = ledger.find(booked[0], EntryKind.EXTEND, job_name)
    if earlier is not None:
        paid = seconds_for(earlier.reserved_micro, stage.running_micro)
        return stage.lasting(paid - STOP_GRACE_SECONDS, stage.bound_by)
    shorter = _shortened(aws, plan, approval, stage, now)
    amount = shorter.ceiling_micro
    entries = [_taking(s, EntryKind.EXTEND, job_name, now, amount) for s in booked]
    if not ledger.book(entries, [still_open(plan.plan_id)]):
        raise RefusedError("plan_busy", "This plan has just ended, or is being launched.", _WAIT)
    return shorter


def cut_back(aws: Aws, plan: Plan, approval: Approval, job_name: str, now: datetime) -> None:
    """Gives back what was reserved for an attempt that AWS refused to start."""
    ledger, booked = Ledger(aws), scopes(plan, approval)
    taken = ledger.find(booked[0], EntryKind.EXTEND, job_name)
    if taken is not None:
        back = -taken.reserved_micro
        ledger.book([_taking(s, EntryKind.RELEASE, job_name, now, back) for s in booked])


def was_cut_back(aws: Aws, plan: Plan, job_name: str) -> bool:
    return Ledger(aws).find(plan_scope(plan.plan_id), EntryKind.RELEASE, job_name) is not None


def extended(aws: Aws, plan: Plan) -> list[str]:
    """Names of the jobs for which another attempt's money was reserved and not given back."""
    entries = Ledger(aws).entries(plan_scope(plan.plan_id))
    back = {entry.key for entry in entries if entry.kind is EntryKind.RELEASE}
    return [e.key for e in entries if e.kind is EntryKind.EXTEND and e.key not in back]


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
            (Alternative(kind="retry", message="Ask again for a new plan"),),
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


_WAIT = (Alternative(kind="wait", message="Look at your jobs again in two minutes"),)
