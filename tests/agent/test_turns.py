"""Turns from words to the last event: short ways, refusals, approvals, faults."""

import threading
from typing import Any

import pytest

from mlops.errors import Alternative, FaultError, RefusedError, RequestError
from tests.agent.fakes import PLAN, TRAIN, ScriptedModel, calls, launch_latest, says
from tests.agent.world import World, kinds, last, plan_id
from tests.patience import PATIENCE_SECONDS


def test_a_greeting_needs_no_model(world: World):
    events = world.ask(world.turns(RuntimeError("no model")), "Hello!")
    assert kinds(events) == ["user", "answer", "done"]
    assert {event.turn for event in events} == {events[0].turn}


def test_a_dataset_question_looks_before_it_thinks(world: World):
    model = ScriptedModel(says("There is cier."))
    events = world.ask(world.turns_of(model), "What datasets do we have?")
    assert kinds(events) == ["user", "tool_call", "tool_result", "answer", "done"]
    assert model.asked[0][-1]["content"][0]["toolResult"]["status"] == "success"


def test_the_parsed_sentence_is_a_step(world: World):
    events = world.ask(world.turns(says("ok")), TRAIN)
    step = next(e.data for e in events if e.kind == "step")
    assert step["step"] == "PARSING"
    assert step["parsed"]["constraints"]["target"] == 0.85


def test_steps_follow_from_what_happens(world: World):
    turns = world.turns(
        calls(("list_s3_datasets", {}), ("check_sagemaker_quotas", {})), PLAN, launch_latest()
    )
    events = world.ask(turns, TRAIN)
    steps = [e.data["step"] for e in events if e.kind == "step"]
    assert steps == ["PARSING", "SEARCHING", "ESTIMATING", "SELECTING", "AWAITING_APPROVAL"]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Train NER on cier with a budget of -$5", "bad_clause"),
        ("Train a model, at most $10", "missing_dataset"),
    ],
)
def test_what_code_can_see_is_said_before_a_model_is_asked(world: World, text: str, code: str):
    events = world.ask(world.turns(RuntimeError("no model")), text)
    assert last(events, "error")["code"] == code
    assert kinds(events)[-2:] == ["error", "done"]


def test_a_missing_dataset_lists_those_there_are(world: World):
    events = world.ask(world.turns(), "Train a model, at most $10")
    assert [a["kind"] for a in last(events, "error")["alternatives"]] == ["dataset"]
    assert "cier" in last(events, "error")["message"]


def test_the_policy_works_without_a_model(world: World):
    turns = world.turns(RuntimeError("no model"), react=False)
    events = world.ask(turns, TRAIN)
    assert last(events, "approval")["status"] == "waiting"
    events = world.decide(turns, plan_id(events))
    assert kinds(events) == ["approval", "tool_call", "tool_result", "answer", "done"]
    assert "llmops-job-1" in last(events, "answer")["text"]


def test_a_refusal_ends_as_error_with_its_ways_out(world: World):
    refusal = RefusedError("over_budget", "Too dear.", (Alternative(kind="wait", message="Wait"),))
    world.gateway.answers["plan_training"] = refusal
    turns = world.turns(PLAN, calls(("get_costs", {})), says("It is too dear."))
    error = last(world.ask(turns, TRAIN), "error")
    assert (error["code"], error["exit_code"]) == ("over_budget", 3)
    assert error["alternatives"][0]["kind"] == "wait"
    assert error["text"] == "It is too dear."


def test_thoughts_and_text_are_kept(world: World):
    thought = {"reasoningContent": {"reasoningText": {"text": "Costs?", "signature": "s"}}}
    asked = calls(("get_costs", {}), text="Let me look.")
    asked["content"].insert(0, thought)
    model = ScriptedModel(asked, says("Nothing spent. " * 20))
    events = world.ask(world.turns_of(model), "How much did I spend?")
    assert last(events, "thinking") == {"text": "Costs?\nLet me look."}
    assert thought in model.asked[1][-2]["content"]
    streamed = "".join(e.data["text"] for e in world.log.tail_tokens(world.session))
    assert streamed == "Let me look." + "Nothing spent. " * 20


def test_large_results_reach_the_model_cut(world: World):
    rows = [{"name": f"d{n}", "title": "t" * 500} for n in range(2000)]
    world.gateway.answers["list_s3_datasets"] = {"datasets": rows}
    model = ScriptedModel(says("Many."))
    events = world.ask(world.turns_of(model), "What datasets do we have?")
    assert len(str(model.asked[0])) < 25_000
    assert len(last(events, "tool_result")["result"]["datasets"]) >= 200


def test_an_approved_launch_goes_on_in_the_same_turn(world: World):
    turns = world.turns(PLAN, launch_latest(), says("It runs."))
    planned = world.ask(turns, TRAIN)
    events = world.decide(turns, plan_id(planned))
    assert kinds(events) == ["approval", "tool_call", "tool_result", "answer", "done"]
    assert last(events, "approval")["by"] == "ada"
    assert {e.turn for e in events} == {planned[0].turn}


def test_an_approval_after_other_questions_launches_too(world: World):
    turns = world.turns(PLAN, launch_latest(), says("Nothing."), says("Still nothing."))
    planned = world.ask(turns, TRAIN)
    world.ask(turns, "Is there anything new?")
    events = world.decide(turns, plan_id(planned))
    assert kinds(events) == ["approval", "tool_call", "tool_result", "answer", "done"]
    assert {e.turn for e in events} == {planned[0].turn}
    assert [e.data["step"] for e in events if e.kind == "step"] == ["TRAINING"]
    answered = world.ask(turns, "Is there anything new?")
    assert last(answered, "answer") == {"text": "Still nothing."}


def test_an_abandoned_approval_is_repaired_for_the_model(world: World):
    model = ScriptedModel(PLAN, launch_latest(), says("Hm."))
    turns = world.turns_of(model)
    world.ask(turns, TRAIN)
    world.ask(turns, "Is there anything new?")
    roles = [message["role"] for message in model.asked[-1]]
    assert all(a != b for a, b in zip(roles, roles[1:], strict=False))
    open_calls = {
        c["toolUse"]["toolUseId"] for m in model.asked[-1] for c in m["content"] if "toolUse" in c
    }
    answered = {
        c["toolResult"]["toolUseId"]
        for m in model.asked[-1]
        for c in m["content"]
        if "toolResult" in c
    }
    assert open_calls == answered


def test_yes_in_the_chat_approves_nothing(world: World):
    turns = world.turns(PLAN, launch_latest(), says("Yes!"))
    plan = plan_id(world.ask(turns, TRAIN))
    events = world.ask(turns, "yes, go ahead")
    assert plan in last(events, "answer")["text"]
    assert "launch_sagemaker_training" not in world.gateway.names()


def test_approving_twice_launches_once(world: World):
    turns = world.turns(PLAN, launch_latest(), says("It runs."))
    plan = plan_id(world.ask(turns, TRAIN))
    world.decide(turns, plan)
    events = world.decide(turns, plan)
    assert "approval" not in kinds(events)
    assert kinds(events)[-2:] == ["answer", "done"]


def test_an_unknown_plan_cannot_be_approved(world: World):
    with pytest.raises(RequestError):
        world.turns().approve("plan-nope", "ada")


@pytest.mark.parametrize("text", ["", "  \n ", "x" * 20_001])
def test_no_words_or_too_many_are_refused(world: World, text: str):
    with pytest.raises(RequestError):
        world.turns().submit(world.session, text)


@pytest.mark.parametrize("session", ["operations", "health", "inbox", "..", "a b", ""])
def test_a_name_that_is_kept_for_the_system_is_no_conversation(world: World, session: str):
    turns = world.turns()
    with pytest.raises(RequestError) as caught:
        turns.submit(session, "Hello!")
    assert caught.value.code == "bad_session"
    assert turns.tell(session or "nothing") is None


def test_one_turn_at_a_time(world: World):
    goes_on = threading.Event()

    def slow(messages: Any) -> dict[str, Any]:
        assert goes_on.wait(PATIENCE_SECONDS)
        return says("At last.")

    turns = world.turns(slow)
    running = turns.submit(world.session, "Is there anything new?")
    with pytest.raises(RefusedError) as caught:
        world.turns().submit(world.session, "And now?")
    assert caught.value.code == "turn_running"
    goes_on.set()
    assert turns.wait(running, PATIENCE_SECONDS)
    assert kinds(world.events()) == ["user", "answer", "done"]


@pytest.mark.parametrize(
    ("fault", "code"),
    [(FaultError("throttled", "Slow down."), "throttled"), (KeyError("secret"), "internal")],
)
def test_a_fault_ends_the_turn_and_the_next_one_works(world: World, fault: Exception, code: str):
    model = ScriptedModel(fault, says("Better."))
    turns = world.turns_of(model)
    events = world.ask(turns, "Is there anything new?")
    assert kinds(events) == ["user", "error", "done"]
    assert last(events, "error")["code"] == code
    assert "secret" not in str(events)
    assert last(world.ask(turns, "Is there anything new?"), "answer") == {"text": "Better."}
    assert model.asked[-1][-1]["content"][0] == {"text": "Is there anything new?"}
    roles = [message["role"] for message in model.asked[-1]]
    assert all(a != b for a, b in zip(roles, roles[1:], strict=False))
