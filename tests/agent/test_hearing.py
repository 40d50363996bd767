"""What code hears before any model: new terms close the old plan; an answer's numbers are checked after it."""

from datetime import timedelta

import pytest

from mlops.approvals import Queue
from mlops.aws.plans import Plans
from mlops.errors import FaultError, RefusedError
from tests.agent.fakes import PLAN, TRAIN, ScriptedModel, launch, launch_latest, says
from tests.agent.world import World, clock, errors, kinds, last, plan_id


def test_new_terms_close_the_waiting_plan(world: World):
    turns = world.turns(PLAN, launch_latest(), PLAN, launch_latest())
    old = plan_id(world.ask(turns, TRAIN))
    events = world.ask(turns, "make it $8")
    approvals = [(e.data["plan_id"], e.data["status"]) for e in events if e.kind == "approval"]
    assert approvals == [(old, "superseded"), (plan_id(events), "waiting")]
    assert last(events, "plan")["plan"]["budget_usd"] == "8.00"
    with pytest.raises(RefusedError, match=f"replaced by {plan_id(events)}"):
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


def test_a_no_in_words_declines_the_open_plan_also_after_other_talk(world: World):
    turns = world.turns(PLAN, launch_latest(), says("Nothing yet."))
    plan = plan_id(world.ask(turns, TRAIN))
    world.ask(turns, "what did I spend?")
    events = world.ask(turns, "cancel the plan")
    (decided,) = [e.data for e in events if e.kind == "approval"]
    assert (decided["plan_id"], decided["status"]) == (plan, "declined")
    assert plan in last(events, "answer")["text"]
    with pytest.raises(RefusedError, match="This plan was declined."):
        turns.approve(plan, "ada")
    assert "launch_sagemaker_training" not in world.gateway.names()


def test_a_yes_in_words_names_the_plan_and_starts_nothing(world: World):
    turns = world.turns(PLAN, launch_latest(), says("Nothing yet."))
    plan = plan_id(world.ask(turns, TRAIN))
    world.ask(turns, "what did I spend?")
    assert plan in last(world.ask(turns, "approve"), "answer")["text"]
    assert Plans(world.aws).approval(plan) is None


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


def queued(world: World) -> str:
    """A plan that a person approved, and that waits for free quota."""
    plan = plan_id(world.ask(world.turns(PLAN, launch_latest()), TRAIN))
    queue = Queue(until=clock() + timedelta(hours=1))
    plans = Plans(world.aws)
    plans.approve(plans.get(plan), "ada", clock(), queue)
    return plan


def test_new_terms_take_a_queued_plan_out_of_the_queue(world: World):
    old = queued(world)
    world.gateway.answers["stop_training_job"] = {"plan_id": old, "released_usd": "0.50"}
    events = world.ask(world.turns(PLAN, launch_latest()), "make it $8")
    stopped = [sent for name, sent in world.gateway.invoked if name == "stop_training_job"]
    person = world.aws.settings.person
    assert stopped == [{"plan_id": old, "queued_only": True, "person": person}]
    assert any(old in e.data["text"] for e in events if e.kind == "thinking")
    assert last(events, "plan")["plan"]["budget_usd"] == "8.00"
    assert last(events, "approval")["status"] == "waiting"


@pytest.mark.parametrize("waited", [True, False])
def test_new_terms_do_not_add_a_run_to_the_one_that_runs(world: World, waited: bool):
    if waited:
        old = queued(world)
        error = RefusedError("already_started", "This plan has started; stop its job instead.")
        world.gateway.answers["stop_training_job"] = error
    else:
        old = plan_id(world.ask(turns := world.turns(PLAN, launch_latest()), TRAIN))
        world.decide(turns, old)
    planned = world.gateway.names().count("plan_training")
    events = world.ask(world.turns(), "make it $8")
    text = last(events, "answer")["text"]
    assert old in text and "stop it" in text and "nothing new was planned" in text
    assert world.gateway.names().count("plan_training") == planned


def test_a_fault_does_not_say_that_a_queued_plan_runs(world: World):
    queued(world)
    world.gateway.answers["stop_training_job"] = FaultError("throttled", "Slow down.")
    events = world.ask(world.turns(), "make it $8")
    assert last(events, "error")["code"] == "throttled"
    assert "answer" not in kinds(events)


def test_a_dataset_with_broken_files_is_not_offered(world: World):
    statuses = {"broken": "INVALID", "cier": "PREPARED", "raw": "RAW"}
    row = {"title": "A corpus", "synthetic": True, "splits": {}}
    rows = [{"name": name, "status": status, **row} for name, status in statuses.items()]
    world.gateway.answers["list_s3_datasets"] = {"datasets": rows}
    error = last(world.ask(world.turns(), "Train a NER model, at most $10"), "error")
    assert "cier, raw" in error["message"] and "broken" not in error["message"]
    assert [a["changes"]["dataset"] for a in error["alternatives"]] == ["cier", "raw"]


def test_a_fault_does_not_say_that_there_are_no_datasets(world: World):
    world.gateway.answers["list_s3_datasets"] = FaultError("throttled", "Slow down.")
    events = world.ask(world.turns(), "Train a NER model, at most $10")
    assert last(events, "error")["code"] == "throttled"


def test_a_further_run_is_a_further_request(world: World):
    old = plan_id(world.ask(turns := world.turns(PLAN, launch_latest()), TRAIN))
    world.decide(turns, old)
    events = world.ask(
        world.turns(PLAN, launch_latest()), "Train NER on the cier dataset, at most $8, 1 hour"
    )
    assert last(events, "plan")["plan"]["budget_usd"] == "8.00"
    assert last(events, "approval")["status"] == "waiting"
