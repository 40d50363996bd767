"""The graph's state in DynamoDB: one item per session, interrupts beside it, large states in S3."""

import random
from typing import Any

import pytest
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import empty_checkpoint
from langgraph.checkpoint.serde.types import INTERRUPT, RESUME

from agent.checkpoints import CheckpointSaver
from mlops.aws.clients import Aws
from mlops.aws.tables import CHECKPOINTS


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
    put(saver, thread, text=text)
    found = saver.get_tuple(thread)
    assert found is not None and found.checkpoint["channel_values"] == {"text": text}
    put(saver, thread, text="small again")
    found = saver.get_tuple(thread)
    assert found is not None and found.checkpoint["channel_values"] == {"text": "small again"}
    (item,) = _items(aws, thread)
    assert "s3_key" not in item


def test_threads_are_apart(saver: CheckpointSaver, thread: RunnableConfig):
    put(saver, thread, n=1)
    other: RunnableConfig = {"configurable": {"thread_id": f"{_name(thread)}-other"}}
    assert saver.get_tuple(other) is None


def _items(aws: Aws, config: RunnableConfig) -> list[Any]:
    answer = aws.dynamodb.query(
        TableName=CHECKPOINTS,
        KeyConditionExpression="PK = :t",
        ExpressionAttributeValues={":t": _name(config)},
    )
    return answer["Items"]


def _name(config: RunnableConfig) -> str:
    return str(config.get("configurable", {})["thread_id"])
