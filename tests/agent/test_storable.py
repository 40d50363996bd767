"""What models and servers say, made fit to be stored, shown and sent on."""

from typing import Any

import pytest
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from agent.storable import storable


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


def test_texts_are_clean_at_every_place():
    said = {"a\ud800": ["b\x00\x1b[31m", {"c\u202e": "d\ne"}]}
    assert storable(said) == {"a?": ["b[31m", {"c": "d\ne"}]}


@pytest.mark.parametrize(
    "value", [True, None, 2**63 - 1, -(2**63) + 1, 1e300, "x", nested(19)], ids=repr
)
def test_what_json_knows_stays_and_a_checkpoint_holds_it(value: Any):
    assert storable(value) == value
    serde = JsonPlusSerializer(allowed_msgpack_modules=None)
    assert serde.loads_typed(serde.dumps_typed(storable(value))) == value


@pytest.mark.parametrize(
    "value", [2**63, -(2**70), float("nan"), float("inf"), nested(20)], ids=repr
)
def test_what_cannot_be_kept_is_an_error(value: Any):
    with pytest.raises(ValueError, match="deep|range"):
        storable({"a": value})
