"""The end of a run, written while nobody was there, is put into words once: by whoever looks or asks next."""

from datetime import timedelta
from typing import Any

import pytest

from agent.turns import Turns
from mlops.aws.plans import Plans
from mlops.aws.sessions import LEASE, Session, Sessions
from mlops.errors import FaultError
from mlops.events import Event, EventKind
from mlops.job import JobState
from mlops.report import build
from tests.agent.fakes import NOW, PLAN, TRAIN, ScriptedModel, calls, launch_latest, says
from tests.agent.world import World, clock, kinds, last, plan_id
from tests.factories import a_job
from tests.patience import PATIENCE_SECONDS

TOLD = ["tool_call", "tool_result", "answer", "done"]


def launched(world: World) -> str:
    """A plan whose job runs."""
    turns = world.turns(PLAN, launch_latest(), says("It runs."))
    plan = plan_id(world.ask(turns, TRAIN))
    world.decide(turns, plan)
    return plan


def ended(world: World, f1: float = 0.79) -> str:
    """What the event handler writes at the end of a run."""
    plan_id = launched(world)
    plan = Plans(world.aws).get(plan_id)
    scores = {"eval_f1": f1, "test_f1": f1, "test_f1_low": f1 - 0.01, "test_f1_high": f1 + 0.01}
    done = {"state": JobState.COMPLETED, "billed_seconds": 16, "cost_usd": "0.000512"}
    report = build(plan, [a_job(plan, **done, metrics=scores)], NOW, 0, NOW)
    log(world, plan_id, EventKind.REPORT, report.model_dump(mode="json"))
    return plan_id


def log(world: World, plan_id: str, kind: EventKind, data: dict[str, Any]) -> None:
    turn = Plans(world.aws).get(plan_id).turn
    world.log.append(world.session, turn, kind, data, once=f"report#{plan_id}")


def tell(world: World, turns: Turns) -> list[Event]:
    after = len(world.events())
    turn = turns.tell(world.session)
    assert turn is not None and turns.wait(turn, PATIENCE_SECONDS)
    return world.events()[after:]


def session(world: World) -> Session:
    found = Sessions(world.aws).get(world.session)
    assert found is not None
    return found


def test_the_model_puts_a_stored_report_into_words(world: World):
    plan = ended(world)
    model = ScriptedModel(says("F1 is 0.79, that is a FAIL."))
    events = tell(world, world.turns_of(model))
    assert kinds(events) == TOLD
    assert events[0].data["tool"] == "get_training_report"
    assert last(events, "answer") == {"text": "F1 is 0.79, that is a FAIL.", "plan_id": plan}
    assert {event.turn for event in events} == {Plans(world.aws).get(plan).turn}
    shown = model.asked[0][-1]["content"][0]["toolResult"]
    assert shown["content"][0]["json"]["report"]["plan_id"] == plan
    assert session(world).untold == () and session(world).last_plan == plan


def test_without_a_model_the_policy_says_it(world: World):
    ended(world)
    events = tell(world, world.turns(RuntimeError("no model"), react=False))
    text = last(events, "answer")["text"]
    assert text.startswith("The run on cier has ended: 2 of 3 clauses PASS.\n- FAIL target")
    assert "test F1 0.7900 (95 %: 0.7800–0.8000)" in text


@pytest.mark.parametrize("fault", [FaultError("throttled", "Slow down."), KeyError("bug")])
def test_a_model_that_fails_leaves_it_to_the_policy(world: World, fault: Exception):
    ended(world)
    events = tell(world, world.turns(*[fault] * 5))
    assert "error" not in kinds(events)
    assert last(events, "answer")["text"].startswith("The run on cier has ended")
    assert session(world).untold == ()


def test_a_tool_that_fails_leaves_it_to_the_stored_report(world: World):
    ended(world)
    world.gateway.answers["get_training_report"] = FaultError("down", "The tool is down.")
    events = tell(world, world.turns(*[says("It failed.")] * 3))
    assert last(events, "answer")["text"].startswith("The run on cier has ended")


def test_a_failed_run_is_told_too(world: World):
    plan = launched(world)
    way = {"kind": "retry", "message": "Read the log", "cost_usd": None}
    error = {"code": "job_failed", "exit_code": 4, "message": "It failed: out of memory."}
    log(world, plan, EventKind.ERROR, {**error, "alternatives": [way], "plan_id": plan})
    events = tell(world, world.turns(react=False))
    assert last(events, "answer")["text"] == "It failed: out of memory.\nA. Read the log"


def test_once_however_many_look(world: World):
    ended(world)
    processes = [world.turns(says(f"Told by {n}.")) for n in range(4)]
    told = [(p, p.tell(world.session)) for _ in range(3) for p in processes]
    for process, turn in told:
        assert turn is None or process.wait(turn, PATIENCE_SECONDS)
    assert all(process.tell(world.session) is None for process in processes)
    assert sum("Told by" in str(e.data) for e in world.events() if e.kind == "answer") == 1


def test_an_end_that_cannot_be_read_does_not_stop_the_conversation(world: World):
    plan = launched(world)
    log(world, plan, EventKind.REPORT, {"altered": True})
    events = world.ask(world.turns(says("Not much.")), "Is there anything new?")
    assert kinds(events) == ["user", "answer", "done"]
    assert session(world).untold == (plan,)


def test_nothing_to_tell(world: World):
    turns = world.turns()
    assert turns.tell("nobody") is None
    world.ask(turns, "Hello!")
    assert turns.tell(world.session) is None


def test_somebody_else_does_not_tell(world: World):
    ended(world)
    assert world.turns(person="mallory").tell(world.session) is None
    assert session(world).untold


def test_a_plan_that_waits_is_decided_first(world: World):
    ended(world)
    turns = world.turns(PLAN, launch_latest(), says("It runs."), says("It ended."))
    waiting = plan_id(world.ask(turns, TRAIN))
    assert turns.tell(world.session) is None
    assert kinds(world.decide(turns, waiting))[:2] == ["approval", "tool_call"]


def test_a_crash_in_telling_is_made_up_for_by_the_next_process(world: World):
    plan = ended(world)
    past = clock() - LEASE - timedelta(seconds=1)
    turn = Plans(world.aws).get(plan).turn
    who = world.aws.settings.person
    sessions = Sessions(world.aws)
    assert sessions.claim(world.session, who, turn, f"\nreport: {plan}", "t", "dead/1", past)
    turns = world.turns(says("At last."))
    assert turns.tell(world.session) is None
    assert turns.resume_orphans() == 1
    assert turns.wait(turn, PATIENCE_SECONDS)
    assert last(world.events(), "answer")["text"] == "At last."
    assert turns.tell(world.session) is None


def test_who_asks_first_hears_it_first_and_the_model_knows_it(world: World):
    plan = ended(world)
    model = ScriptedModel(says("Because 0.79 is less than 0.85."))
    turns = world.turns_of(model)
    events = world.ask(turns, "Is there anything new?")
    assert kinds(events) == ["answer", "user", "answer", "done"]
    assert events[0].data["plan_id"] == plan
    assert plan in str(model.asked[0]) and "get_training_report" in str(model.asked[0])
    roles = [message["role"] for message in model.asked[0]]
    assert all(a != b for a, b in zip(roles, roles[1:], strict=False))
    assert turns.tell(world.session) is None


def test_a_report_can_be_asked_for_later(world: World):
    ended(world)
    tell(world, world.turns(says("It missed.")))
    turns = world.turns(calls(("get_training_report", {})), says("Its F1 was 0.79."))
    events = world.ask(turns, "Why did the target fail?")
    result = last(events, "tool_result")["result"]["report"]
    assert result["verdicts"][-1]["verdict"] == "FAIL"


def test_why_a_clause_failed_is_answered_from_the_report_without_a_model(world: World):
    ended(world)
    turns = world.turns(RuntimeError("no model"), react=False)
    tell(world, turns)
    events = world.ask(turns, "Why FAIL?")
    assert last(events, "tool_call")["tool"] == "get_training_report"
    assert "- FAIL target: wanted f1 > 0.85, measured f1 0.7900" in last(events, "answer")["text"]
