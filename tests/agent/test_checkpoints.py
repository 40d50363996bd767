"""The graph's state in DynamoDB: one item per session, interrupts beside it, large states in S3."""

import random
from typing import Any

import pytest
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import empty_checkpoint
from langgraph.checkpoint.serde.types import INTERRUPT, RESUME

from agent.checkpoints import CheckpointSaver
from agent.journal import LeaseLostError
from mlops.aws.clients import Aws
from mlops.aws.tables import CHECKPOINTS
from mlops.errors import FaultError
from tests.agent.fakes import PLAN, TRAIN, launch_latest, says
from tests.agent.world import World, plan_id
from tests.faults import Fault, on_the_wire


@pytest.fixture
def saver(aws: Aws) -> CheckpointSaver:
    return CheckpointSaver(aws)


@pytest.fixture
def thread(aws: Aws) -> RunnableConfig:
    return {"configurable": {"thread_id": f"t-{aws.settings.person}", "checkpoint_ns": ""}}


def put(saver: CheckpointSaver, config: RunnableConfig, **values: Any) -> RunnableConfig:
    checkpoint = {**empty_checkpoint(), "channel_values": values}
    return saver.put(config, checkpoint, {"source": "loop", "step": 1, "parents": {}}, {})  # type: ignore[arg-type]


def test_an_unknown_thread_has_no_state(saver: CheckpointSaver, thread: RunnableConfig):
    assert saver.get_tuple(thread) is None


def test_the_latest_state_is_read_back(saver: CheckpointSaver, thread: RunnableConfig):
    first = put(saver, thread, n=1)
    second = put(saver, first, n=2, text="ü", nested={"a": [1, None, True]})
    found = saver.get_tuple(thread)
    assert found is not None
    assert found.checkpoint["channel_values"] == {
        "n": 2,
        "text": "ü",
        "nested": {"a": [1, None, True]},
    }
    assert (found.config, found.parent_config) == (second, first)
    assert found.metadata.get("step") == 1
    assert saver.get_tuple(second) is not None
    assert saver.get_tuple(first) is None


def test_an_interrupt_lasts_until_the_next_state(saver: CheckpointSaver, thread: RunnableConfig):
    at = put(saver, thread, n=1)
    saver.put_writes(at, [(INTERRUPT, {"plan_id": "p"})], "task-2", "path")
    saver.put_writes(at, [(RESUME, "yes")], "task-1", "path")
    found = saver.get_tuple(thread)
    assert found is not None
    assert found.pending_writes == [
        ("task-1", RESUME, "yes"),
        ("task-2", INTERRUPT, {"plan_id": "p"}),
    ]
    put(saver, at, n=2)
    found = saver.get_tuple(thread)
    assert found is not None and found.pending_writes == []


def test_what_the_next_state_holds_anyway_costs_no_write(
    saver: CheckpointSaver, thread: RunnableConfig, aws: Aws
):
    at = put(saver, thread, n=1)
    saver.put_writes(at, [("n", 2), ("branch:to:act", None)], "task-1")
    assert len(_items(aws, thread)) == 1


@pytest.mark.parametrize("chars", [400_000, 3_000_000])
def test_a_large_state_is_kept_in_s3(
    saver: CheckpointSaver, thread: RunnableConfig, aws: Aws, chars: int
):
    text = random.Random(7).randbytes(chars // 2).hex()
    first = put(saver, thread, text=text)
    found = saver.get_tuple(thread)
    assert found is not None and found.checkpoint["channel_values"] == {"text": text}
    second = put(saver, first, text=text, n=2)
    assert [key.rpartition("/")[2] for key in _objects(aws, thread)] == [_id(second)]
    put(CheckpointSaver(aws), second, text="small again")
    found = saver.get_tuple(thread)
    assert found is not None and found.checkpoint["channel_values"] == {"text": "small again"}
    (item,) = _items(aws, thread)
    assert "s3_key" not in item


LARGE = random.Random(8).randbytes(200_000).hex()


@pytest.mark.parametrize("text", ["small", LARGE], ids=["item", "object"])
def test_a_state_takes_the_place_of_the_one_it_follows_alone(
    saver: CheckpointSaver, thread: RunnableConfig, aws: Aws, text: str
):
    """A process that slept puts what follows an old checkpoint, or none."""
    first = put(saver, thread, n=1, text=text)
    other = CheckpointSaver(aws)
    assert other.get_tuple(thread) is not None
    second = put(other, first, n=2, text=text)
    for before in (thread, first):
        with pytest.raises(LeaseLostError):
            put(saver, before, n=3, text=text)
    found = saver.get_tuple(thread)
    assert found is not None and found.config == second
    assert found.checkpoint["channel_values"] == {"n": 2, "text": text}
    assert len(_objects(aws, thread)) == (text == LARGE)


@pytest.mark.parametrize("fault", [Fault.LOST_ANSWER, Fault.SERVER_ERROR])
def test_a_state_that_was_put_without_an_answer_is_its_own_successor(
    saver: CheckpointSaver, thread: RunnableConfig, fault: Fault
):
    first = put(saver, thread, n=1)
    checkpoint = {**empty_checkpoint(), "channel_values": {"n": 2}}
    metadata: Any = {"source": "loop", "step": 1, "parents": {}}
    with on_the_wire() as wire:
        wire.arm("dynamodb.PutItem", 1, fault)
        with pytest.raises(FaultError):
            saver.put(first, checkpoint, metadata, {})  # type: ignore[arg-type]
        assert wire.met
    second = saver.put(first, checkpoint, metadata, {})  # type: ignore[arg-type]
    put(saver, second, n=3)
    found = saver.get_tuple(thread)
    assert found is not None and found.checkpoint["channel_values"] == {"n": 3}


def test_a_state_that_is_replaced_while_it_is_read_is_read_anew(
    saver: CheckpointSaver, thread: RunnableConfig, aws: Aws
):
    first = put(saver, thread, n=1, text=LARGE)
    reader, seen = CheckpointSaver(aws), [first]

    def replace(**_: Any) -> None:
        if len(seen) == 1:
            seen.append(put(saver, first, n=2, text=LARGE))

    aws.client("s3").meta.events.register("before-call.s3.GetObject", replace)
    found = reader.get_tuple(thread)
    assert found is not None and found.checkpoint["channel_values"]["n"] == 2


def test_past_interrupts_are_dropped(saver: CheckpointSaver, thread: RunnableConfig, aws: Aws):
    at = put(saver, thread, n=0)
    for number in range(1, 6):
        saver.put_writes(at, [(INTERRUPT, {"n": number})], f"task-{number}")
        found = saver.get_tuple(thread)
        assert found is not None and len(found.pending_writes or ()) == 1
        at = put(saver, found.config, n=number)
        assert len(_items(aws, thread)) == 1


def test_a_conversation_of_many_approvals_stays_small(world: World):
    """Through the graph, which carries the address of what was read to where it puts."""
    world.saver = CheckpointSaver(world.aws)
    turns = world.turns(*[PLAN, launch_latest(), says("It runs.")] * 4)
    sizes = []
    for _ in range(4):
        world.decide(turns, plan_id(world.ask(turns, TRAIN)))
        sizes.append(len(_items(world.aws, {"configurable": {"thread_id": world.session}})))
    assert max(sizes) <= 3


def test_threads_are_apart(saver: CheckpointSaver, thread: RunnableConfig):
    put(saver, thread, n=1)
    other: RunnableConfig = {"configurable": {"thread_id": f"{_name(thread)}-other"}}
    assert saver.get_tuple(other) is None


def _objects(aws: Aws, config: RunnableConfig) -> list[str]:
    prefix = f"checkpoints/agent/{_name(config)}/"
    answer = aws.client("s3").list_objects_v2(Bucket=aws.settings.models_bucket, Prefix=prefix)
    return [entry["Key"] for entry in answer.get("Contents", ())]


def _id(config: RunnableConfig) -> str:
    return str(config.get("configurable", {})["checkpoint_id"])


def _items(aws: Aws, config: RunnableConfig) -> list[Any]:
    answer = aws.dynamodb.query(
        TableName=CHECKPOINTS,
        KeyConditionExpression="PK = :t",
        ExpressionAttributeValues={":t": _name(config)},
    )
    return answer["Items"]


def _name(config: RunnableConfig) -> str:
    return str(config.get("configurable", {})["thread_id"])
