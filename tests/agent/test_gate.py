"""The gate: whatever a model asks for, only what the rules allow is called, and launches wait for a person."""

import uuid
from typing import Any

import pytest

from mlops.aws.plans import Plans
from mlops.errors import RefusedError
from mlops.tools import TOOLS
from tests.agent.fakes import NOW, PLAN, TRAIN, calls, launch, launch_latest, make_plan, says
from tests.agent.world import World, errors, kinds, last, plan_id


def test_injected_fields_come_from_code_whatever_the_model_says(world: World):
    forged = {
        "dataset": "cier",
        "constraints": {"budget_usd": "1000000"},
        "person": "mallory",
        "turn": "x",
        "session_id": "y",
    }
    turns = world.turns(calls(("plan_training", forged)), says("ok"))
    world.ask(turns, TRAIN)
    _, sent = world.gateway.invoked[0]
    assert sent["constraints"]["budget_usd"] == "10.00"
    person = world.aws.settings.person
    assert (sent["person"], sent["session_id"]) == (person, world.session)
    assert sent["turn"] != "x"


@pytest.mark.parametrize(
    ("call", "code"),
    [
        (("rm_rf", {}), "unknown_tool"),
        (("prepare_dataset", {}), "bad_arguments"),
        (("prepare_dataset", {"dataset": 7}), "bad_arguments"),
        (("prepare_dataset", {"dataset": "cier", "sudo": True}), "bad_arguments"),
        (("prepare_dataset", ["cier"]), "bad_arguments"),
        (("prepare_dataset", {"dataset": "x" * 1_000_000}), "bad_arguments"),
        (("launch_sagemaker_training", {}), "bad_arguments"),
        (("launch_sagemaker_training", {"plan_id": "plan-forged"}), "unknown_plan"),
        (("launch_sagemaker_training", {"plan_id": {"$ne": 1}}), "bad_arguments"),
    ],
)
def test_what_cannot_be_called_is_an_error_that_the_model_sees(world: World, call: Any, code: str):
    turns = world.turns(calls(call), says("I could not."))
    events = world.ask(turns, "Is there anything new?")
    assert errors(events) == [code]
    assert world.gateway.invoked == []
    assert last(events, "error")["code"] == code
    assert last(events, "error")["text"] == "I could not."
    assert len(str(events)) < 20_000


def test_a_mended_call_is_forgotten(world: World):
    turns = world.turns(
        calls(("prepare_dataset", {"dataset": ""})),
        calls(("prepare_dataset", {})),
        calls(("prepare_dataset", {"dataset": "cier"})),
        says("Ready."),
    )
    events = world.ask(turns, "Prepare it please, the cier dataset")
    assert last(events, "answer") == {"text": "Ready."}


def test_three_bad_calls_end_the_turn(world: World):
    bad = [calls((f"nope{n}", {}), id=f"n{n}") for n in range(5)]
    events = world.ask(world.turns(*bad), "Is there anything new?")
    assert errors(events) == ["unknown_tool"] * 3
    assert last(events, "error")["code"] == "agent_stuck"


def test_the_same_call_is_made_at_most_twice(world: World):
    again = [calls(("get_costs", {}), id=f"c{n}") for n in range(6)]
    events = world.ask(world.turns(*again), "Is there anything new?")
    assert world.gateway.names() == ["get_costs"] * 2
    assert errors(events) == ["repeated_call"] * 3
    assert last(events, "error")["code"] == "agent_stuck"


def test_an_endless_loop_ends(world: World):
    loop = [calls(("stop_training_job", {"job_name": f"j{n}"}), id=f"c{n}") for n in range(99)]
    events = world.ask(world.turns(*loop), "Is there anything new?")
    assert len(world.gateway.invoked) == 12
    assert last(events, "error")["code"] == "agent_stuck"


def test_a_flood_of_calls_is_cut(world: World):
    flood = [("stop_training_job", {"job_name": f"j{n}"}) for n in range(100)]
    world.ask(world.turns(calls(*flood)), "Is there anything new?")
    assert len(world.gateway.invoked) == 30


def test_a_tool_that_goes_away_while_calls_are_judged_is_no_fault(
    world: World, monkeypatch: pytest.MonkeyPatch
):
    """What the model was offered is judged by one look at what there is."""
    looks = [list(TOOLS.values())] * 2
    rest = [TOOLS["list_s3_datasets"]]
    monkeypatch.setattr(world.gateway, "list_tools", lambda: looks.pop() if looks else rest)
    asked = calls(("get_costs", {}), ("list_s3_datasets", {}), ("list_s3_datasets", {}))
    events = world.ask(world.turns(asked, says("ok")), "Is there anything new?")
    assert kinds(events).count("tool_result") == 3
    assert last(events, "answer") == {"text": "ok"}


def test_independent_calls_are_answered_in_one_message(world: World):
    turns = world.turns(
        calls(("get_costs", {}), ("nope", {}), ("list_s3_datasets", {})), says("ok")
    )
    events = world.ask(turns, "Is there anything new?")
    ids = [e.data["call_id"] for e in events if e.kind == "tool_result"]
    assert sorted(ids) == ["c0", "c1", "c2"]
    assert kinds(events)[-2:] == ["error", "done"]


def test_a_launch_waits_for_a_person(world: World):
    events = world.ask(world.turns(PLAN, launch_latest()), TRAIN)
    plan = plan_id(events)
    waiting = {"plan_id": plan, "status": "waiting", "ceiling_usd": "0.50", "budget_usd": "10.00"}
    assert last(events, "approval") == waiting
    assert kinds(events)[-2:] == ["approval", "done"]
    assert "launch_sagemaker_training" not in world.gateway.names()


def test_the_ceiling_comes_from_the_stored_plan(world: World):
    turns = world.turns(PLAN, launch_latest(max_cost_cents=10**9), says("Started."))
    plan = plan_id(world.ask(turns, TRAIN))
    world.decide(turns, plan)
    sent = world.gateway.invoked[-1]
    assert sent[0] == "launch_sagemaker_training"
    assert (sent[1]["plan_id"], sent[1]["max_cost_cents"]) == (plan, 50)


@pytest.mark.parametrize("elsewhere", ["session", "person"])
def test_a_plan_of_somebody_else_cannot_be_launched(world: World, elsewhere: str):
    own = {"session": world.session, "person": world.aws.settings.person}
    made_by = own | {elsewhere: "another"}
    plan = make_plan(
        made_by["session"], person=made_by["person"], plan_id=f"plan-{uuid.uuid4().hex}"
    )
    Plans(world.aws).save(plan)
    Plans(world.aws).approve(plan, "them", NOW)
    events = world.ask(world.turns(launch(plan.plan_id), says("no")), "Start that plan.")
    assert errors(events) == ["other_session"]
    assert world.gateway.invoked == []


def test_an_estimate_launches_nothing(world: World):
    turns = world.turns(PLAN, launch_latest(), says("no"), launch_within_stated_budget=True)
    events = world.ask(turns, "How much would it cost to train NER on cier? Budget $10")
    assert errors(events) == ["not_asked"]
    assert world.gateway.names() == ["plan_training"]


def test_a_declined_plan_stays_declined(world: World):
    turns = world.turns(PLAN, launch_latest())
    plan = plan_id(world.ask(turns, TRAIN))
    events = world.decide(turns, plan, approve=False)
    assert kinds(events) == ["approval", "answer", "done"]
    again = world.ask(world.turns(launch(plan), says("no")), "Start it after all, the plan.")
    assert errors(again) == ["not_approved"]
    with pytest.raises(RefusedError):
        turns.approve(plan, "ada")
    assert world.gateway.names() == ["plan_training"]


def test_two_launches_at_once_are_one(world: World):
    turns = world.turns(PLAN, says("Shall I?"))
    plan = plan_id(world.ask(turns, TRAIN))
    both = calls(
        ("launch_sagemaker_training", {"plan_id": plan}),
        ("launch_sagemaker_training", {"plan_id": plan}),
    )
    turns = world.turns(both, says("Started."))
    events = world.ask(turns, "Start it, train on cier now")
    assert errors(events) == ["one_launch"]
    world.decide(turns, plan)
    assert world.gateway.names().count("launch_sagemaker_training") == 1


def test_the_standing_rule_launches_within_the_stated_budget(world: World):
    turns = world.turns(PLAN, launch_latest(), says("Started."), launch_within_stated_budget=True)
    events = world.ask(turns, TRAIN)
    assert last(events, "approval")["by"] == "standing rule"
    assert world.gateway.names() == ["plan_training", "launch_sagemaker_training"]
    assert last(events, "answer") == {"text": "Started."}


@pytest.mark.parametrize(
    "text",
    ["Train NER on the cier dataset", "Train NER on the cier dataset, at most $0.40"],
    ids=["no budget stated", "ceiling above it"],
)
def test_the_standing_rule_asks_otherwise(world: World, text: str):
    turns = world.turns(PLAN, launch_latest(), launch_within_stated_budget=True)
    events = world.ask(turns, text)
    assert last(events, "approval")["status"] == "waiting"


def test_the_rule_does_not_cover_a_plan_of_an_earlier_turn(world: World):
    turns = world.turns(PLAN, says("Shall I?"), launch_within_stated_budget=True)
    plan = plan_id(world.ask(turns, TRAIN))
    turns = world.turns(launch(plan), launch_within_stated_budget=True)
    events = world.ask(turns, "Train NER on the cier dataset, at most $50")
    assert last(events, "approval")["status"] == "waiting"


def again(number: int) -> dict[str, Any]:
    """Another plan for the same request."""
    more = {"instance_type": f"ml.c5.{number}xlarge"}
    return calls(("plan_training", {"dataset": "cier", **more}), id=f"again{number}")


def test_a_request_is_launched_once_however_often_it_is_planned(world: World):
    script = [PLAN, launch_latest(), again(2), again(4), says("Started.")]
    turns = world.turns(*script, launch_within_stated_budget=True)
    events = world.ask(turns, "Train NER on the cier dataset, at most $0.75")
    assert world.gateway.names() == ["plan_training", "launch_sagemaker_training"]
    assert errors(events) == ["already_launched"] * 2


def test_the_rule_covers_one_plan_of_a_turn_also_when_its_launch_failed(world: World):
    """Nobody knows what a failed launch left behind: another plan is a person's decision."""
    world.gateway.answers["launch_sagemaker_training"] = RefusedError("quota", "No room.")
    turns = world.turns(
        PLAN, launch_latest(), again(2), launch_latest(), launch_within_stated_budget=True
    )
    events = world.ask(turns, "Train NER on the cier dataset, at most $0.75")
    approvals = [e.data["status"] for e in events if e.kind == "approval"]
    assert approvals == ["approved", "waiting"]
    assert world.gateway.names().count("launch_sagemaker_training") == 1


def test_the_plan_that_the_rule_covers_is_the_same_for_every_process(world: World):
    first, second = (make_plan(world.session, plan_id=f"plan-{uuid.uuid4().hex}") for _ in "ab")
    later = make_plan(world.session, turn="turn-2", plan_id=f"plan-{uuid.uuid4().hex}")
    claims = [Plans(world.aws).claim_turn(plan) for plan in (first, second, first, later)]
    assert claims == [True, False, True, True]
