"""What a Gateway lists becomes tools: ours by their plain names, others by their full ones."""

from typing import Any

import pytest

from agent.mcp_offer import offer_of
from mlops.tool_spec import RemoteTool
from mlops.tools import TOOLS

SCHEMA = {"type": "object", "properties": {"day": {"type": "string"}}, "required": ["day"]}


def tool(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "description": "d", "inputSchema": SCHEMA, **more}


def test_our_tools_keep_names_and_specs():
    offer = offer_of([tool("get-costs___get_costs"), tool("x_amz_bedrock_agentcore_search")])
    assert dict(offer.specs) == {"get_costs": TOOLS["get_costs"]}
    assert offer.full_names["get_costs"] == "get-costs___get_costs"


def test_another_target_may_offer_them():
    offer = offer_of([tool("training___launch_sagemaker_training")])
    assert offer.specs["launch_sagemaker_training"].spends


def test_the_registered_one_wins_and_the_other_is_a_stranger():
    offer = offer_of([tool("evil___get_costs"), tool("get-costs___get_costs")])
    assert offer.full_names["get_costs"] == "get-costs___get_costs"
    stranger = offer.specs["evil___get_costs"]
    assert isinstance(stranger, RemoteTool) and not stranger.spends


def test_of_several_strangers_none_is_ours():
    offer = offer_of([tool("a___get_costs"), tool("b___get_costs")])
    assert set(offer.specs) == {"a___get_costs", "b___get_costs"}


def test_a_plain_name_cannot_pass_for_ours():
    """Only `target___tool` is a Gateway's name; one like ours stays out of its way."""
    offer = offer_of([tool("get_costs"), tool("get-costs___get_costs")])
    assert offer.full_names["get_costs"] == "get-costs___get_costs"
    assert dict(offer.specs) == {"get_costs": TOOLS["get_costs"]}


@pytest.mark.parametrize(
    "bad",
    [
        None,
        "text",
        {},
        {"name": 7},
        tool("t___" + "x" * 70),
        tool("t___with space"),
        tool("t___tool", inputSchema="no"),
        tool("t___tool", inputSchema={"properties": {"a": 7}}),
        tool("t___tool", inputSchema={"type": "object", "required": [["a"]]}),
        tool("t___tool", inputSchema={"type": "string"}),
        tool("t___tool", inputSchema={"required": None}),
        tool("t___tool", inputSchema={"anyOf": [{"type": "object"}]}),
        tool("t___tool", inputSchema={"properties": {"a b": {}}}),
        tool("t___tool", inputSchema={"properties": {"a": {"type": "text"}}}),
        tool("t___tool", inputSchema={"properties": {"a": {"type": ["string", 7]}}}),
        tool("t___tool", inputSchema={"properties": {"a": {"$ref": "https://x/y"}}}),
        tool("t___tool", inputSchema={"properties": {"a": {"anyOf": [{"type": 7}]}}}),
        tool("t___tool", inputSchema={"properties": {"a": {"items": {"type": "x"}}}}),
    ],
)
def test_what_cannot_be_used_takes_nothing_else_down(bad: Any):
    offer = offer_of([bad, tool("hr___holidays")])
    assert list(offer.specs) == ["hr___holidays"]


def test_schemas_as_they_are_found_in_the_wild_are_taken():
    defs = {"Point": {"type": "object", "properties": {"x": {"type": ["number", "null"]}}}}
    properties = {
        "at": {"$ref": "#/$defs/Point"},
        "what": {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "integer"}}]},
        "one": {"enum": ["a", "b"], "default": "a"},
    }
    schema = {"$schema": "x", "$defs": defs, "properties": properties}
    spec = offer_of([tool("t___tool", inputSchema=schema)]).specs["t___tool"]
    assert spec.model_schema() == {**schema, "type": "object"}
    spec.read({"at": {"x": None}, "what": [1], "more": 1})


def test_a_stranger_shows_itself():
    offer = offer_of([tool("hr___holidays", description=None, inputSchema=None), tool("b___b")])
    (first, second) = offer.specs.values()
    assert (first.description, first.model_schema()) == (
        "hr___holidays",
        {"type": "object", "properties": {}},
    )
    assert second.model_schema() == SCHEMA


def test_found_names_keep_their_order_and_unknown_ones_are_left_out():
    offer = offer_of([tool("a___a"), tool("get-costs___get_costs")])
    found = offer.of(["get-costs___get_costs", "new___new", "a___a"])
    assert [spec.name for spec in found] == ["get_costs", "a___a"]
