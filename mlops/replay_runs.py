"""Approved plans followed again from their stored jobs: each next stage, the report's verdicts, the bookings."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from pydantic import BaseModel, ConfigDict

from mlops.approvals import Approval
from mlops.differences import Findings
from mlops.events import Event, EventKind
from mlops.follow import next_move
from mlops.job import Job
from mlops.ledger import Entry, EntryKind, Totals, disagreements
from mlops.money import parse_usd, to_usd
from mlops.plan import Plan
from mlops.report import build


class PlanRecord(BaseModel):
    """What is stored of a plan apart from the log; `plan` is JSON, so that a broken one can be shown."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    plan: dict[str, Any] | None
    inputs: bytes | None
    approval: Approval | None
    totals: Totals | None
    entries: tuple[Entry, ...]


def recheck_run(plan: Plan, record: PlanRecord, events: Sequence[Event], found: Findings) -> None:
    """All that followed the approval of one plan."""
    jobs = _ended_jobs(plan.plan_id, events)
    ends = _ends(plan.plan_id, events)
    _recheck_moves(plan, jobs, ends, events, found)
    for event in ends:
        if event.kind is EventKind.REPORT:
            _recheck_report(plan, record.approval, jobs, event, found)
    _recheck_bookings(plan, record, jobs, ends, found)


def _ended_jobs(plan_id: str, events: Sequence[Event]) -> list[tuple[Event, Job]]:
    """As they were logged at their end, in order of stage and attempt."""
    found: dict[str, tuple[Event, Job]] = {}
    for event in events:
        if event.kind is not EventKind.JOB or event.data["job"]["plan_id"] != plan_id:
            continue
        job = Job.model_validate(event.data["job"])
        if job.state.is_final:
            found[job.job_name] = event, job
    return sorted(found.values(), key=lambda pair: (pair[1].stage, pair[1].attempt))


def _ends(plan_id: str, events: Sequence[Event]) -> list[Event]:
    kinds = (EventKind.REPORT, EventKind.ERROR)
    return [e for e in events if e.kind in kinds and e.data.get("plan_id") == plan_id]


def _recheck_moves(
    plan: Plan,
    jobs: list[tuple[Event, Job]],
    ends: list[Event],
    events: Sequence[Event],
    found: Findings,
) -> None:
    refused = {
        e.data.get("stage")
        for e in events
        if e.data.get("rule") == "refused_stage" and e.data.get("plan_id") == plan.plan_id
    }
    for place, (event, job) in enumerate(jobs):
        then = jobs[place + 1][1].stage if place + 1 < len(jobs) else None
        if then == job.stage or (then is None and not ends):
            continue
        move = next_move(plan, [earlier for _, earlier in jobs[: place + 1]]).stage
        if then is None and move in refused:
            continue
        found.compare("moves", event.seq, f"stage after {job.job_name}", then, move)


def _recheck_report(
    plan: Plan,
    approval: Approval | None,
    jobs: list[tuple[Event, Job]],
    event: Event,
    found: Findings,
) -> None:
    if approval is None or not jobs:
        return found.skip(f"report on {plan.plan_id}", "its approval or its jobs are gone")
    stored = cast(Mapping[str, Any], event.data)
    tokens = parse_usd(str(stored.get("tokens_usd", "0")))
    ended = event.at.fromisoformat(str(stored["finished_at"]))
    waits = approval.queue is not None
    again = build(plan, [job for _, job in jobs], approval.at, tokens, ended, waits)
    found.compare("reports", event.seq, "report", stored, again.model_dump(mode="json"))


def _recheck_bookings(
    plan: Plan,
    record: PlanRecord,
    jobs: list[tuple[Event, Job]],
    ends: list[Event],
    found: Findings,
) -> None:
    if record.totals is None:
        return
    wrong = disagreements(record.totals, record.entries)
    seq = ends[-1].seq if ends else 0
    found.compare("bookings", seq, f"ledger of {plan.plan_id}", list[str](), wrong)
    settled: dict[str, int] = {}
    for entry in record.entries:
        if entry.kind in (EntryKind.SETTLE, EntryKind.STORAGE):
            settled[entry.key] = settled.get(entry.key, 0) + entry.spent_micro
    for event, job in jobs:
        if job.job_name in settled:
            booked = to_usd(settled[job.job_name])
            what = f"cost of {job.job_name}"
            found.compare("bookings", event.seq, what, job.cost_usd or "0.00", booked)
