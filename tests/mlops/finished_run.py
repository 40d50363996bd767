"""A run from the words to the report, as its log tells it and as the tables hold it."""

from datetime import timedelta
from typing import Any

from mlops.approvals import Approval, ApprovalStatus
from mlops.constraints import parse
from mlops.events import Event, EventKind, Head, chain
from mlops.job import Job, JobState
from mlops.ledger import Entry, EntryKind, Totals, book, bookings
from mlops.money import parse_usd, to_cents
from mlops.plan import Plan
from mlops.replay.records import PlanRecord
from mlops.replay.replay import Replay, replay
from mlops.report import build
from mlops.snapshot import pack, take
from tests.factories import NOW, a_job, a_market, an_asker, training_data

Told = list[tuple[EventKind, dict[str, Any]]]
TEXT = "Train NER on the cier dataset, at most $10, 1 hour, F1 above 85%"
PARSED = parse(TEXT)
SNAPSHOT = take(PARSED.constraints, training_data(), a_market(), an_asker(), {})
PLAN = SNAPSHOT.plan()
PACKED = pack(SNAPSHOT)
APPROVED = NOW + timedelta(minutes=1)
ENDED = NOW + timedelta(minutes=9)


def ended(stage: int, f1: float) -> Job:
    cost = {"cost_usd": "0.001", "billed_seconds": 30, "state": JobState.COMPLETED}
    job = a_job(PLAN, stage, **cost, metrics={"eval_f1": f1, "test_f1": f1})
    return job.model_copy(update={"ceiling_usd": PLAN.stages[stage - 1].ceiling_usd})


JOBS = [ended(1, 0.5), ended(2, 0.9)]


def story(jobs: list[Job] = JOBS) -> Told:
    """A run through every part of a replay, as the agent and the Lambdas log it."""
    plan = PLAN.model_dump(mode="json")
    constraints = PARSED.constraints.model_dump(mode="json")
    asked = {"dataset": "cier", "constraints": constraints, "session_id": "s1", "turn": "t1"}
    launch = {"plan_id": PLAN.plan_id, "max_cost_cents": to_cents(PLAN.ceiling_micro)}
    approval = {"plan_id": PLAN.plan_id, "status": "approved", "ceiling_usd": PLAN.ceiling_usd}
    unknown = {"call_id": "c0", "tool": "rm", "ok": False, "error": {"code": "unknown_tool"}}
    report = build(PLAN, jobs, APPROVED, 0, ENDED).model_dump(mode="json")
    return [
        (EventKind.USER, {"text": TEXT}),
        (
            EventKind.STEP,
            {"step": "PARSING", "parsed": PARSED.model_dump(mode="json"), "rules": "0.0"},
        ),
        (EventKind.TOOL_CALL, {"call_id": "c0", "tool": "rm", "arguments": {}}),
        (EventKind.TOOL_RESULT, unknown),
        (EventKind.TOOL_CALL, {"call_id": "c1", "tool": "plan_training", "arguments": asked}),
        (EventKind.TOOL_RESULT, {"call_id": "c1", "tool": "plan_training", "ok": True}),
        (EventKind.PLAN, {"plan": plan, "inputs_sha256": PACKED.sha256}),
        (EventKind.APPROVAL, {**approval, "by": "ada"}),
        (
            EventKind.TOOL_CALL,
            {"call_id": "c2", "tool": "launch_sagemaker_training", "arguments": launch},
        ),
        (
            EventKind.TOOL_RESULT,
            {"call_id": "c2", "tool": "launch_sagemaker_training", "ok": True},
        ),
        *((EventKind.JOB, {"job": job.model_dump(mode="json")}) for job in jobs),
        (EventKind.REPORT, report),
    ]


def log(told: Told) -> list[Event]:
    head, events = Head(), []
    for kind, data in told:
        draft = Event(session="s1", seq=0, turn="t1", kind=kind, at=NOW, data=data)
        events.append(chain(head, draft))
        head = Head(seq=events[-1].seq, hash=events[-1].hash)
    return events


def moved(kind: EntryKind, key: str, reserved: int, spent: int = 0) -> Entry:
    facts = {"scope": "plan#x", "kind": kind, "key": key, "at": NOW}
    return Entry.model_validate({**facts, "spent_micro": spent, "reserved_micro": reserved})


def booked(plan: Plan, jobs: list[Job]) -> tuple[Entry, ...]:
    """As the ledger has it after the end: reserved, settled, the rest given back."""
    first = moved(EntryKind.RESERVE, plan.plan_id, plan.ceiling_micro)
    more = [
        moved(EntryKind.EXTEND, job.job_name, parse_usd(job.ceiling_usd))
        for job in jobs
        if job.attempt > 1
    ]
    bills = [entry for job in jobs for entry in bookings(job, "plan#x", NOW)]
    rest = sum(entry.reserved_micro for entry in (first, *more, *bills))
    return first, *more, *bills, moved(EntryKind.RELEASE, plan.plan_id, -rest)


def record(plan: Plan = PLAN, jobs: list[Job] = JOBS, **changes: Any) -> PlanRecord:
    entries = booked(plan, jobs)
    facts: dict[str, Any] = {
        "plan": plan.model_dump(mode="json"),
        "inputs": PACKED.body,
        "approval": Approval(
            plan_id=plan.plan_id,
            by="ada",
            at=APPROVED,
            ceiling_usd=plan.ceiling_usd,
            status=ApprovalStatus.USED,
        ),
        "jobs": tuple(job.model_copy(update={"settled": True}) for job in jobs),
        "entries": entries,
    }
    facts |= changes
    totals = Totals(scope="plan#x", limit_micro=plan.budget_micro)
    for entry in facts["entries"]:
        totals = book(totals, entry)
    return PlanRecord(**({"totals": totals, "admits_micro": totals.left_micro} | facts))


def run(told: Told, **changes: Any) -> Replay:
    return replay("s1", log(told), {PLAN.plan_id: record(**changes)})


def places(found: Replay) -> list[tuple[str, str]]:
    return [(d.what, d.path) for d in found.differences]
