"""The expression language: what conditions hold, what updates do, what is refused and how."""

from typing import Any

import pytest

from localaws.dynamo_conditions import Bindings, meets
from localaws.dynamo_grammar import parse_condition, parse_projection, parse_update
from localaws.dynamo_updates import projected, updated
from localaws.errors import AwsError

ITEM: dict[str, Any] = {
    "pk": {"S": "a"},
    "n": {"N": "5"},
    "flag": {"BOOL": False},
    "nothing": {"NULL": True},
    "tags": {"SS": ["x", "y"]},
    "numbers": {"NS": ["1", "2"]},
    "l1": {"L": [{"S": "zero"}, {"N": "1"}, {"M": {"deep": {"S": "two"}}}]},
    "m1": {"M": {"leaf": {"S": "in"}, "twig": {"N": "7"}}},
    "b1": {"B": "AAE="},
}
VALUES: dict[str, Any] = {
    ":a": {"S": "a"},
    ":b": {"S": "b"},
    ":n": {"N": "5.0"},
    ":m": {"N": "10"},
    ":x": {"S": "x"},
    ":one": {"N": "1"},
    ":type": {"S": "NULL"},
    ":tags": {"SS": ["y", "x"]},
    ":no": {"BOOL": False},
    ":map": {"M": {"twig": {"N": "7.0"}, "leaf": {"S": "in"}}},
    ":prefix": {"B": "AA=="},
}


def bind(text: str, names: dict[str, str] | None = None) -> Bindings:
    values = {name: value for name, value in VALUES.items() if name in text.replace(",", " ")}
    used = {n: v for n, v in values.items() if f"{n} " in _spaced(text)}
    return Bindings.of(
        {"ExpressionAttributeNames": names or {}, "ExpressionAttributeValues": used}, text
    )


def _spaced(text: str) -> str:
    for mark in "(),+-\n":
        text = text.replace(mark, " ")
    return text + " "


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("n = :n", True),
        ("n <> :m", True),
        ("n < :m AND n >= :n", True),
        ("n BETWEEN :one AND :m", True),
        ("n IN (:one, :n)", True),
        ("n IN (:one, :m)", False),
        ("pk > :n", False),
        ("gone = :a", False),
        ("gone <> :a", True),
        ("gone < :a", False),
        ("attribute_exists(m1.leaf)", True),
        ("attribute_exists(l1[5])", False),
        ("attribute_not_exists(gone.deep[3].er)", True),
        ("attribute_type(nothing, :type)", True),
        ("begins_with(pk, :a)", True),
        ("begins_with(b1, :prefix)", True),
        ("begins_with(n, :a)", False),
        ("contains(tags, :x)", True),
        ("contains(numbers, :one)", True),
        ("contains(l1, :one)", True),
        ("contains(pk, :a)", True),
        ("contains(m1, :a)", False),
        ("size(l1) < :m", True),
        ("size(gone) < :m", False),
        ("size(b1) > :one", True),
        ("tags = :tags", True),
        ("m1 = :map", True),
        ("flag = :no", True),
        ("NOT n = :n OR pk = :a", True),
        ("NOT (n = :n OR pk = :a)", False),
        ("n = :n OR pk = :b AND n = :m", True),
        ("(n = :n OR pk = :b) AND n = :m", False),
        ("((n = :n)) and\n not attribute_exists(gone)", True),
        ("l1[2].deep = :a", False),
    ],
)
def test_conditions(text: str, expected: bool):
    assert meets(ITEM, parse_condition(text, "ConditionExpression"), bind(text)) is expected


def test_an_absent_item_meets_attribute_not_exists():
    condition = parse_condition("attribute_not_exists(pk)", "ConditionExpression")
    assert meets({}, condition, bind(""))


def update(text: str, names: dict[str, str] | None = None) -> dict[str, Any]:
    return updated(ITEM, parse_update(text), bind(text, names), ("pk",))[0]


@pytest.mark.parametrize(
    ("text", "name", "expected"),
    [
        ("SET n = n + :m", "n", {"N": "15"}),
        ("SET n = n - :m", "n", {"N": "-5"}),
        ("SET fresh = if_not_exists(fresh, :one) + :m", "fresh", {"N": "11"}),
        ("SET n = if_not_exists(n, :one)", "n", {"N": "5"}),
        ("SET l1[0] = :a", "l1", {"L": [{"S": "a"}, *ITEM["l1"]["L"][1:]]}),
        ("SET l1[9] = :a", "l1", {"L": [*ITEM["l1"]["L"], {"S": "a"}]}),
        ("REMOVE l1[0], l1[1]", "l1", {"L": ITEM["l1"]["L"][2:]}),
        ("REMOVE m1.leaf", "m1", {"M": {"twig": {"N": "7"}}}),
        ("REMOVE gone", "gone", None),
        ("ADD n :m", "n", {"N": "15"}),
        ("ADD fresh :m", "fresh", {"N": "10"}),
        ("DELETE tags :tags", "tags", None),
        ("set n = :one remove flag", "flag", None),
    ],
)
def test_updates(text: str, name: str, expected: Any):
    assert update(text).get(name) == expected


def test_every_set_sees_the_item_before():
    after = update("SET n = :one, fresh = n, m1.twig = n")
    assert (after["n"]["N"], after["fresh"]["N"]) == ("1", "5")
    assert after["m1"]["M"]["twig"] == {"N": "5"}
    assert ITEM["m1"]["M"]["twig"] == {"N": "7"}


def test_lists_append_on_either_side():
    values = {":l": {"L": [{"S": "new"}]}}
    bindings = Bindings({}, values)
    after, _ = updated({}, parse_update("SET l = list_append(:l, :l)"), bindings, ())
    assert after["l"] == {"L": [{"S": "new"}, {"S": "new"}]}


def test_sets_grow_without_duplicates():
    bindings = Bindings({}, {":s": {"SS": ["y", "z"]}})
    after, paths = updated(ITEM, parse_update("ADD tags :s"), bindings, ())
    assert after["tags"] == {"SS": ["x", "y", "z"]}
    assert paths == [("tags",)]


def test_projection_keeps_structure():
    paths = [p.parts for p in parse_projection("m1.leaf, l1[2].deep, l1[0], gone.x")]
    assert projected(ITEM, paths) == {
        "m1": {"M": {"leaf": {"S": "in"}}},
        "l1": {"L": [{"S": "zero"}, {"M": {"deep": {"S": "two"}}}]},
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("status = :a", "reserved keyword: status"),
        ("n = ", "Syntax error"),
        ("n == :n", "Syntax error"),
        ("n = :n AND", "Syntax error"),
        ("(n = :n", "Syntax error"),
        ("foo(n)", "Invalid function name; function: foo"),
        ("begins_with(n)", "number of operands: 1"),
        ("n = :n; DROP", "Syntax error"),
        ("n" * 5000 + " = :n", "Expression size"),
        ("(" * 2000 + "n = :n" + ")" * 2000, "Syntax error"),
    ],
)
def test_bad_conditions_are_explained(text: str, message: str):
    with pytest.raises(AwsError, match=message) as caught:
        parse_condition(text, "ConditionExpression")
    assert caught.value.code == "ValidationException"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("SET pk = :a", "part of the key"),
        ("SET a = gone", "does not exist in the item"),
        ("SET gone.deep = :a", "document path"),
        ("SET pk.x = :a", "part of the key"),
        ("SET n = pk + :one", "incorrect data type"),
        ("SET m1 = :a, m1.leaf = :b", "overlap"),
        ("SET n = :a SET flag = :b", "only be used once"),
        ("ADD flag :a", "operand type"),
        ("ADD n :tags", "incorrect data type"),
        ("DELETE tags :one", "operand type"),
        ("n = :one", "Syntax error"),
        ("", "can not be empty"),
        ("SET a = size(n)", "Invalid function name"),
        ("SET n = " + "(" * 2000 + ":one" + ")" * 2000, "Syntax error"),
        ("SET a = list_append(n, :one)", "list_append"),
    ],
)
def test_bad_updates_are_explained(text: str, message: str):
    with pytest.raises(AwsError, match=message):
        update(text)


def test_placeholders_must_be_defined_and_used():
    with pytest.raises(AwsError, match="attribute name: #x"):
        Bindings.of({}, "#x = :y")
    with pytest.raises(AwsError, match="unused in expressions: keys: {:z}"):
        Bindings.of({"ExpressionAttributeValues": {":z": {"S": ""}}}, "a = b")
    with pytest.raises(AwsError, match="unused in expressions: keys: {#z}"):
        Bindings.of({"ExpressionAttributeNames": {"#z": "z"}}, None)


def test_names_reach_reserved_and_dotted_attributes():
    item: dict[str, Any] = {"status": {"S": "a"}, "x.y": {"N": "1"}}
    bindings = Bindings({"#s": "status", "#d": "x.y"}, {":a": {"S": "a"}})
    text = "#s = :a AND attribute_exists(#d)"
    assert meets(item, parse_condition(text, "FilterExpression"), bindings)
