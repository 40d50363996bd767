"""A session decided again from its record: equal when nothing changed, and every change is named."""

from datetime import timedelta
from typing import Any

import pytest

from mlops.approvals import Approval, ApprovalStatus
from mlops.constraints import Constraints, parse
from mlops.events import Event, EventKind, Head, chain
from mlops.follow import next_move
from mlops.job import Job, JobState
from mlops.ledger import Entry, EntryKind, Totals
from mlops.money import parse_usd, to_cents
from mlops.plan import Plan
from mlops.replay import Replay, plan_ids, replay
from mlops.replay_runs import PlanRecord
from mlops.report import build
from mlops.snapshot import pack, take
from tests.factories import NOW, a_job, a_market, an_asker, training_data

TEXT = "Train NER on the cier dataset, at most $10, 1 hour, F1 above 85%"
PARSED = parse(TEXT)
SNAPSHOT = take(PARSED.constraints, training_data(), a_market(), an_asker(), {})
PLAN = SNAPSHOT.plan()
PACKED = pack(SNAPSHOT)
APPROVED = NOW + timedelta(minutes=1)
ENDED = NOW + timedelta(minutes=9)


def ended(stage: int, f1: float) -> Job:
    cost = {"cost_usd": "0.001", "billed_seconds": 30, "state": JobState.COMPLETED}
    return a_job(PLAN, stage, **cost, metrics={"eval_f1": f1, "test_f1": f1})


JOBS = [ended(1, 0.5), ended(2, 0.9)]


def story(jobs: list[Job] = JOBS) -> list[tuple[EventKind, dict[str, Any]]]:
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


def log(told: list[tuple[EventKind, dict[str, Any]]]) -> list[Event]:
    head, events = Head(), []
    for kind, data in told:
        draft = Event(session="s1", seq=0, turn="t1", kind=kind, at=NOW, data=data)
        events.append(chain(head, draft))
        head = Head(seq=events[-1].seq, hash=events[-1].hash)
    return events


def record(plan: Plan = PLAN, jobs: list[Job] = JOBS, **changes: Any) -> PlanRecord:
    entries = tuple(
        Entry(
            scope="plan#x",
            kind=EntryKind.SETTLE,
            key=job.job_name,
            at=NOW,
            spent_micro=parse_usd(job.cost_usd or "0"),
            reserved_micro=0,
        )
        for job in jobs
    )
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
        "totals": Totals(
            scope="plan#x",
            limit_micro=10_000_000,
            spent_micro=sum(entry.spent_micro for entry in entries),
        ),
        "entries": entries,
    }
    return PlanRecord(**(facts | changes))


def run(told: list[tuple[EventKind, dict[str, Any]]], **changes: Any) -> Replay:
    return replay("s1", log(told), {PLAN.plan_id: record(**changes)})


def test_nothing_changed_gives_no_difference():
    assert len(PLAN.stages) > 1
    found = run(story())
    assert found.differences == ()
    assert found.skipped == ()
    assert set(found.checked) == {"words", "calls", "plans", "moves", "reports", "bookings"}
    assert found.rules_then == ("0.0", SNAPSHOT.rules)


def test_plans_are_found_wherever_they_are_named():
    assert plan_ids(log(story())) == [PLAN.plan_id]


def places(found: Replay) -> list[tuple[str, str]]:
    return [(d.what, d.path) for d in found.differences]


@pytest.mark.parametrize(
    ("changes", "path"),
    [({"ceiling_usd": "9.99"}, "ceiling_usd"), ({"budget_usd": "99.00"}, "budget_usd")],
)
def test_a_tampered_plan_is_named(changes: dict[str, Any], path: str):
    stored = PLAN.model_copy(update=changes).model_dump(mode="json")
    found = replay(
        "s1", log(story()), {PLAN.plan_id: record().model_copy(update={"plan": stored})}
    )
    assert places(found) == [(f"stored {PLAN.plan_id}", path)]
    [difference] = found.differences
    assert difference.replayed == str(changes[path])


def test_a_plan_that_was_logged_otherwise_than_the_rules_say():
    told = story()
    told[6][1]["plan"]["reasons"] = ["because"]
    assert PLAN.plan_id in {what for what, _ in places(run(told))}


def test_other_inputs_are_seen_by_their_digest():
    other = SNAPSHOT.model_copy(update={"market": a_market(month_left_micro=7_000_000)})
    found = run(story(), inputs=pack(other).body)
    assert any("digest of the inputs" in what for what, _ in places(found))


@pytest.mark.parametrize("inputs", [b"junk", None])
def test_inputs_that_are_gone_or_broken(inputs: bytes | None):
    found = run(story(), inputs=inputs)
    assert bool(found.skipped) == (inputs is None)
    assert bool(found.differences) == (inputs is not None)


def test_a_plan_that_was_never_stored():
    gone = record().model_copy(update={"plan": None})
    found = replay("s1", log(story()), {PLAN.plan_id: gone})
    assert places(found) == [(f"stored {PLAN.plan_id}", "")]


def test_words_that_were_read_otherwise():
    told = story()
    told[1][1]["parsed"]["constraints"]["budget_usd"] = "1000.00"
    found = places(run(told))
    assert ("reading of the words", "constraints.budget_usd") in found


def test_a_stage_too_many_is_named():
    """The first stage met the target, and yet the second one ran."""
    jobs = [ended(1, 0.99), ended(2, 0.9)]
    assert next_move(PLAN, jobs[:1]).stage is None
    found = run(story(jobs), jobs=jobs)
    assert places(found) == [(f"stage after {jobs[0].job_name}", "")]


def test_a_refused_stage_explains_an_early_report():
    jobs = [ended(1, 0.5)]
    told = story(jobs)
    assert len(run(told, jobs=jobs).differences) == 1
    refused = {"text": "No.", "rule": "refused_stage", "plan_id": PLAN.plan_id, "stage": 2}
    told.insert(-1, (EventKind.THINKING, refused))
    assert run(told, jobs=jobs).differences == ()


def test_a_verdict_that_was_changed():
    told = story()
    told[-1][1]["verdicts"][2]["verdict"] = "FAIL"
    assert places(run(told)) == [("report", "verdicts[2].verdict")]


def test_a_booking_that_was_changed():
    entries = record().entries
    cheap = entries[0].model_copy(update={"spent_micro": 1})
    found = run(story(), entries=(cheap, *entries[1:]))
    assert {what.split()[0] for what, _ in places(found)} == {"ledger", "cost"}


@pytest.mark.parametrize(
    ("argument", "value"), [("max_cost_cents", 99_999), ("plan_id", "plan-of-another")]
)
def test_a_launch_beyond_what_was_approved(argument: str, value: Any):
    told = story()
    told[8][1]["arguments"][argument] = value
    stranger = record().model_copy(update={"plan": None, "inputs": None})
    records = {PLAN.plan_id: record(), "plan-of-another": stranger}
    found = replay("s1", log(told), records)
    assert any("launch_sagemaker_training" in what for what, _ in places(found))


def test_a_launch_without_a_word_of_a_person():
    told = story()
    del told[7]
    assert ("approval before launch_sagemaker_training", "") in places(run(told))


def test_constraints_that_a_model_made_up():
    told = story()
    told[4][1]["arguments"]["constraints"] = Constraints(budget_usd="99.00").model_dump(
        mode="json"
    )
    assert any(what == "constraints of plan_training" for what, _ in places(run(told)))


@pytest.mark.parametrize(
    ("tool", "arguments", "code", "same"),
    [
        ("get_costs", {"person": 1}, "bad_arguments", True),
        ("get_costs", {"unreadable": "no JSON"}, "bad_arguments", True),
        ("get_costs", {}, "bad_arguments", False),
        ("get_costs", {}, "unknown_tool", False),
        ("get_costs", {}, "repeated_call", True),
    ],
)
def test_refusals_by_form_are_judged_again(
    tool: str, arguments: dict[str, Any], code: str, same: bool
):
    call = {"call_id": "c", "tool": tool, "arguments": arguments}
    result = {"call_id": "c", "tool": tool, "ok": False, "error": {"code": code}}
    events = log([(EventKind.TOOL_CALL, call), (EventKind.TOOL_RESULT, result)])
    found = replay("s1", events, {})
    assert (found.differences == ()) == same
    assert bool(found.skipped) == (code == "repeated_call")
