"""A session decided again from its record: equal when nothing changed, and every change is named."""

from typing import Any

import pytest

from mlops.constraints import Constraints
from mlops.events import CUT, EventKind
from mlops.follow import next_move
from mlops.replay.replay import plan_ids, replay
from mlops.snapshot import pack
from tests.factories import a_market
from tests.mlops.finished_run import (
    PLAN,
    SNAPSHOT,
    ended,
    log,
    places,
    record,
    run,
    story,
)


def test_nothing_changed_gives_no_difference():
    assert len(PLAN.stages) > 1
    found = run(story())
    assert found.differences == ()
    assert found.skipped == ()
    followed = {"approvals", "jobs", "moves", "reports", "bookings"}
    assert set(found.checked) == {"words", "calls", "plans", *followed}
    assert found.rules_then == ("0.0", SNAPSHOT.rules)


def test_plans_are_found_wherever_they_are_named():
    assert plan_ids(log(story())) == [PLAN.plan_id]


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


def test_a_plan_that_was_cut_to_fit_the_log_is_skipped():
    """What is stored of it is judged all the same."""
    told = story()
    told[6][1]["plan"]["reasons"] = []
    told[6][1][CUT] = "lists hold at most 2 of their elements"
    found = run(told)
    assert found.differences == ()
    assert [skipped for skipped in found.skipped if PLAN.plan_id in skipped]


def test_a_plan_that_was_logged_otherwise_than_the_rules_say():
    told = story()
    told[6][1]["plan"]["reasons"] = ["because"]
    assert PLAN.plan_id in {what for what, _ in places(run(told))}


def test_other_inputs_are_seen_by_their_digest():
    other = SNAPSHOT.model_copy(update={"market": a_market(month_left_micro=7_000_000)})
    found = run(story(), inputs=pack(other).body)
    assert any("digest of the inputs" in what for what, _ in places(found))


@pytest.mark.parametrize("inputs", [b"junk", None])
def test_sealed_inputs_that_are_gone_or_broken(inputs: bytes | None):
    [(what, _)] = places(run(story(), inputs=inputs))
    assert "inputs of" in what


def test_inputs_that_were_never_stored():
    told = story()
    told[6][1]["inputs_sha256"] = ""
    found = run(told, inputs=None)
    assert found.differences == () and len(found.skipped) == 1


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
    first, settled, *rest = record().entries
    cheap = settled.model_copy(update={"spent_micro": 1})
    found = run(story(), entries=(first, cheap, *rest))
    assert {what.split()[0] for what, _ in places(found)} == {"settle", "end"}


def test_a_launch_of_a_plan_that_was_approved_for_the_queue():
    told = story()
    told[7][1]["status"] = "queued"
    assert run(told).differences == ()


def test_a_launch_after_the_plan_left_the_queue_has_no_approval():
    told = story()
    told[7][1]["status"] = "queued"
    told.insert(8, (told[7][0], {**told[7][1], "status": "cancelled"}))
    assert "approval before launch_sagemaker_training" in {what for what, _ in places(run(told))}


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
