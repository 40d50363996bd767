"""What code hears before any model: new terms close the old plan; an answer's numbers are checked after it."""

import pytest

from mlops.aws.plans import Plans
from mlops.errors import RefusedError
from tests.agent.fakes import PLAN, TRAIN, ScriptedModel, launch, launch_latest, says
from tests.agent.world import World, errors, last, plan_id


def test_new_terms_close_the_waiting_plan(world: World):
    turns = world.turns(PLAN, launch_latest(), PLAN, launch_latest())
    old = plan_id(world.ask(turns, TRAIN))
    events = world.ask(turns, "make it $8")
    approvals = [(e.data["plan_id"], e.data["status"]) for e in events if e.kind == "approval"]
    assert approvals == [(old, "superseded"), (plan_id(events), "waiting")]
    assert last(events, "plan")["plan"]["budget_usd"] == "8.00"
    with pytest.raises(RefusedError):
        turns.approve(old, "ada")
    world.decide(turns, plan_id(events))
    assert world.gateway.names().count("launch_sagemaker_training") == 1


def test_a_model_cannot_launch_the_old_terms(world: World):
    old = plan_id(world.ask(world.turns(PLAN, launch_latest()), TRAIN))
    events = world.ask(world.turns(launch(old), says("Hm.")), "make it $8")
    assert errors(events) == ["not_approved"]
    assert "launch_sagemaker_training" not in world.gateway.names()


def test_a_question_leaves_the_waiting_plan_alone(world: World):
    turns = world.turns(PLAN, launch_latest(), says("Nothing yet."))
    plan = plan_id(world.ask(turns, TRAIN))
    world.ask(turns, "what did I spend?")
    assert Plans(world.aws).approval(plan) is None
    world.decide(turns, plan)
    assert world.gateway.names()[-1] == "launch_sagemaker_training"


def test_the_model_is_told_how_code_understood(world: World):
    model = ScriptedModel(says("Hm."))
    world.ask(world.turns_of(model), "how much would it cost to train on cier for $3?")
    said, note = model.asked[0][-1]["content"]
    assert said["text"].startswith("how much")
    assert '"budget_usd":"3.00"' in note["text"]


def test_an_invented_number_is_asked_for_again(world: World):
    turns = world.turns(says("It costs $3.33."), says("I do not know what it costs."))
    events = world.ask(turns, "Is there anything new?")
    assert last(events, "answer") == {"text": "I do not know what it costs."}
    assert "$3.33" in last(events, "thinking")["text"]


def test_what_stays_unconfirmed_is_said(world: World):
    turns = world.turns(says("It costs $3.33."), says("Really, $3.33."))
    data = last(world.ask(turns, "Is there anything new?"), "answer")
    assert data["unconfirmed"] == ["$3.33"]
    assert data["text"].endswith(
        "Unconfirmed numbers: $3.33. No result of this conversation contains them."
    )
