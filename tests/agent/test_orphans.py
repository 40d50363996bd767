"""What a dead or robbed process leaves: leases, orphans taken over, checkpoints read by another one."""

import itertools
import json
import threading
from datetime import timedelta
from typing import Any

from agent.checkpoints import CheckpointSaver
from agent.leases import Leases
from mlops.aws.sessions import LEASE, Sessions
from mlops.aws.tables import CHECKPOINTS
from tests.agent.fakes import NOW, PLAN, TRAIN, ScriptedModel, calls, launch_latest, says
from tests.agent.world import World, clock, kinds, last, plan_id
from tests.patience import PATIENCE_SECONDS, eventually


def test_a_turn_that_lost_its_lease_writes_no_more(world: World):
    def robbed(messages: Any) -> dict[str, Any]:
        turns._leases._held.clear()
        return says("Too late.")

    turns = world.turns(robbed)
    events = world.ask(turns, "Is there anything new?")
    assert kinds(events) == ["user"]


def test_the_heartbeat_renews_and_notices_a_loss(world: World):
    sessions = Sessions(world.aws)
    ticks = itertools.count()
    leases = Leases(
        sessions, "local", lambda: NOW + timedelta(seconds=next(ticks)), heartbeat_seconds=0.01
    )
    leases.claim(world.session, "turn-1", "text", "title", "me")
    first = sessions.get(world.session)
    eventually(lambda: _lease(world) > first.turn.lease_until)  # type: ignore[union-attr]
    assert sessions.claim(
        world.session, "local", "turn-1", "text", "title", "them", NOW + timedelta(days=1)
    )
    eventually(lambda: not leases.held(world.session, "turn-1"))
    leases.release(world.session, "turn-1")
    assert sessions.get(world.session).turn.owner == "them"  # type: ignore[union-attr]
    leases.close()


def test_a_heartbeat_that_failed_for_a_leases_time_leaves_the_turn_to_the_next(world: World):
    """The process may write no more; it says nothing, and does not free what it has not ended."""

    def silent(messages: Any) -> dict[str, Any]:
        first._leases._held[world.session].renewed_at -= LEASE.total_seconds()
        return says("Too late.")

    first = world.turns(silent)
    events = world.ask(first, "Is there anything new?")
    assert kinds(events) == ["user"]
    _expire(world)
    second = world.turns()
    assert second.resume_orphans() == 1
    assert second.wait(events[0].turn, PATIENCE_SECONDS)
    assert kinds(world.events()) == ["user", "answer", "done"]


def test_a_process_that_slept_through_a_takeover_changes_nothing(world: World):
    """It wakes with a node half done, and still believes that the lease is its own."""
    world.saver = CheckpointSaver(world.aws)
    seen: dict[str, Any] = {}

    def sleeps(messages: Any) -> dict[str, Any]:
        session = Sessions(world.aws).get(world.session)
        assert session is not None and session.turn is not None
        _expire(world)
        assert second.resume_orphans() == 1
        assert second.wait(session.turn.turn, PATIENCE_SECONDS)
        seen.update(state=second._threads.kept(world.session), events=world.events())
        return PLAN

    second = world.turns(PLAN, launch_latest())
    first = world.turns(calls(("prepare_dataset", {"dataset": "cier"})), sleeps)
    world.ask(first, TRAIN)
    assert seen["state"].waits
    assert second._threads.kept(world.session) == seen["state"]
    assert world.events() == seen["events"]
    assert world.gateway.names().count("plan_training") == 1
    events = world.decide(world.turns(says("It runs.")), plan_id(seen["events"]))
    assert last(events, "answer") == {"text": "It runs."}


def test_an_orphan_is_found_behind_any_number_of_newer_conversations(world: World):
    _die(world, "turn-dead", "Hello!")
    sessions, person = Sessions(world.aws), world.aws.settings.person
    for number in range(60):
        name = f"{world.session}-{number}"
        assert sessions.claim(name, person, f"turn-{number}", "Hi", "Hi", "me", clock())
        assert sessions.release(name, "me")
    turns = world.turns()
    assert turns.resume_orphans() == 1
    assert turns.wait("turn-dead", PATIENCE_SECONDS)
    assert kinds(world.events()) == ["user", "answer", "done"]


def test_a_look_for_orphans_that_finds_none_is_one_call(world: World):
    """Whatever has ended, and whatever runs."""
    asked: list[str] = []
    turns = world.turns()
    for _ in range(3):
        world.ask(turns, "Hello!")
    sessions, person = Sessions(world.aws), world.aws.settings.person
    assert sessions.claim(world.session, person, "turn-1", "Hi", "Hi", "me", clock())
    world.aws.dynamodb.meta.events.register(
        "before-call.dynamodb", lambda model, **_: asked.append(model.name)
    )
    assert sessions.interrupted(person, clock()) == []
    assert asked == ["Query"]


def test_an_orphan_without_checkpoint_runs_again_from_its_words(world: World):
    _die(world, "turn-dead", "Hello!")
    turns = world.turns()
    assert turns.resume_orphans() == 1
    assert turns.wait("turn-dead", PATIENCE_SECONDS)
    assert kinds(world.events()) == ["user", "answer", "done"]
    assert {e.turn for e in world.events()} == {"turn-dead"}
    assert turns.resume_orphans() == 0


def test_an_orphan_goes_on_from_its_checkpoint(world: World):
    """The first process dies in its second thought: nothing before it happens again."""
    died = threading.Event()

    def dies(messages: Any) -> dict[str, Any]:
        first._leases._held.clear()
        died.set()
        raise KeyboardInterrupt

    first = world.turns(calls(("prepare_dataset", {"dataset": "cier"})), dies)
    turn = first.submit(world.session, TRAIN)
    assert died.wait(PATIENCE_SECONDS)
    first.wait(turn, PATIENCE_SECONDS)
    _expire(world)
    model = ScriptedModel(PLAN, launch_latest())
    second = world.turns_of(model)
    assert second.resume_orphans() == 1
    assert second.wait(turn, PATIENCE_SECONDS)
    events = world.events()
    assert kinds(events).count("user") == 1
    assert world.gateway.names() == ["prepare_dataset", "plan_training"]
    assert kinds(events)[-2:] == ["approval", "done"]


def test_a_decision_is_carried_out_by_whoever_comes_next(world: World):
    """The process dies after the person's yes was stored, before the launch."""
    first = world.turns(PLAN, launch_latest())
    planned = world.ask(first, TRAIN)
    plan = first._plans.get(plan_id(planned))
    first._plans.approve(plan, "ada", clock())
    _die(world, plan.turn, f"\ndecision: {plan.plan_id}")
    second = world.turns(says("It runs."))
    assert second.resume_orphans() == 1
    assert second.wait(plan.turn, PATIENCE_SECONDS)
    assert world.gateway.names() == ["plan_training", "launch_sagemaker_training"]
    assert last(world.events(), "answer") == {"text": "It runs."}


def test_a_decision_without_a_waiting_graph_is_carried_out_too(world: World):
    """The plan was only shown; the process dies between the person's yes and the launch."""
    first = world.turns(PLAN, says("Shall I?"))
    planned = world.ask(first, TRAIN)
    plan = first._plans.get(plan_id(planned))
    first._plans.approve(plan, "ada", clock())
    _die(world, plan.turn, f"\ndecision: {plan.plan_id}")
    second = world.turns()
    assert second.resume_orphans() == 1
    assert second.wait(plan.turn, PATIENCE_SECONDS)
    assert kinds(world.events())[-4:] == ["tool_call", "tool_result", "answer", "done"]


def test_a_launch_that_was_answered_is_not_repeated(world: World):
    """The process dies after the launch, before it gave its lease back."""
    turns = world.turns(PLAN, launch_latest(), says("It runs."))
    planned = world.ask(turns, TRAIN)
    world.decide(turns, plan_id(planned))
    before = world.events()
    _die(world, planned[0].turn, f"\ndecision: {plan_id(planned)}")
    second = world.turns()
    assert second.resume_orphans() == 1
    assert second.wait(planned[0].turn, PATIENCE_SECONDS)
    assert world.events() == before
    assert world.gateway.names().count("launch_sagemaker_training") == 1


def test_a_waiting_approval_is_no_orphan_work(world: World):
    first = world.turns(PLAN, launch_latest())
    planned = world.ask(first, TRAIN)
    before = len(world.events())
    turn = planned[0].turn
    _die(world, turn, TRAIN)
    second = world.turns()
    assert second.resume_orphans() == 1
    assert second.wait(turn, PATIENCE_SECONDS)
    assert len(world.events()) == before
    assert Sessions(world.aws).get(world.session).turn is None  # type: ignore[union-attr]


def test_checkpoints_in_dynamodb_carry_an_approval_across_processes(world: World):
    """With large states in S3, and nothing but primitives read back."""
    world.saver = CheckpointSaver(world.aws)
    note = {"dataset": {"name": "cier", "note": "n" * 19_000}, "already_prepared": False}
    world.gateway.answers["prepare_dataset"] = note
    many = calls(*[("prepare_dataset", {"dataset": f"cier{n}"}) for n in range(20)])
    planned = world.ask(world.turns(many, PLAN, launch_latest()), TRAIN)
    bucket = world.aws.settings.models_bucket
    kept = world.aws.client("s3").list_objects_v2(Bucket=bucket, Prefix="checkpoints/agent/")
    assert kept["KeyCount"] > 0
    world.saver = CheckpointSaver(world.aws)
    events = world.decide(world.turns(says("It runs.")), plan_id(planned))
    assert last(events, "answer") == {"text": "It runs."}


def test_checkpoints_are_read_consistently(world: World):
    world.saver = CheckpointSaver(world.aws)
    asked: list[tuple[str, dict[str, Any]]] = []

    def hear(model: Any, params: Any, **_: Any) -> None:
        asked.append((model.name, json.loads(params["body"])))

    world.aws.dynamodb.meta.events.register("before-call.dynamodb", hear)
    turns = world.turns()
    world.ask(turns, "Hello!")
    world.ask(turns, "Hello!")
    reads = [b for name, b in asked if name == "Query" and b["TableName"] == CHECKPOINTS]
    assert reads
    assert all(body["ConsistentRead"] for body in reads)


def _die(world: World, turn: str, text: str) -> None:
    """What a process leaves that dies in a turn: a lease that has run out."""
    long_ago = clock() - LEASE - timedelta(seconds=1)
    person = world.aws.settings.person
    assert Sessions(world.aws).claim(world.session, person, turn, text, text, "dead/1", long_ago)


def _lease(world: World) -> Any:
    session = Sessions(world.aws).get(world.session)
    assert session is not None and session.turn is not None
    return session.turn.lease_until


def _expire(world: World) -> None:
    """As if the lease's time had passed."""
    world.now = lambda: clock() + LEASE + timedelta(seconds=1)
