"""One answer's parts put together: whatever a model sends, what is kept of it is bounded."""

import json
from typing import Any

import pytest

from agent.replies import (
    MAX_ANSWER_CHARS,
    MAX_BLOCKS,
    MAX_MESSAGE_BYTES,
    MAX_STREAM_CHARS,
    Assembly,
    MalformedError,
)
from tests.agent.attempts import delta, start


def assembled(*events: dict[str, Any]) -> Assembly:
    assembly = Assembly(lambda text: None)
    for event in events:
        assembly.add(event)
    return assembly


def test_calls_without_end_are_counted_and_not_kept():
    many = [start(n, "n" * 5_000) for n in range(1_900)]
    more = [delta(n, toolUse={"input": "{}"}) for n in range(1_900)]
    assembly = assembled(*many, *more)
    content = assembly.reply().message["content"]
    assert len(content) == MAX_BLOCKS
    assert len(json.dumps(content)) < 20_000
    assert assembly.chars > 1_900 * 5_000
    with pytest.raises(MalformedError):
        assembled(*many, *many)


def test_text_is_bounded_over_all_blocks():
    assembly = assembled(*(delta(n, text="x" * 59_000) for n in range(12)))
    texts = [block["text"] for block in assembly.reply().message["content"]]
    assert MAX_ANSWER_CHARS <= len("".join(texts)) < MAX_ANSWER_CHARS + 50
    assert assembly.chars == 12 * 59_000


@pytest.mark.parametrize(
    "part",
    [
        {"redactedContent": b"x" * 10_000},
        {"text": "漢" * 3_000},
        {"signature": "s" * 10_000},
    ],
    ids=lambda part: next(iter(part)),
)
def test_reasoning_without_end_is_refused(part: dict[str, Any]):
    """It is kept verbatim or not at all: its signature covers it."""
    with pytest.raises(MalformedError):
        assembled(*(delta(n % 5, reasoningContent=part) for n in range(100)))


def test_inputs_are_bounded_together():
    calls = [start(n, "get_costs") for n in range(MAX_BLOCKS)]
    inputs = [delta(n, toolUse={"input": "x" * 15_000}) for n in range(MAX_BLOCKS)]
    assert MAX_BLOCKS * 15_000 > MAX_MESSAGE_BYTES
    with pytest.raises(MalformedError):
        assembled(*calls, *inputs)


def test_a_stream_without_end_is_ended():
    with pytest.raises(MalformedError):
        assembled(*[delta(0, text="x" * 1_000_000)] * (MAX_STREAM_CHARS // 1_000_000 + 1))
