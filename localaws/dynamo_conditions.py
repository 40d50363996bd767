"""Condition and filter expressions at work: does an item meet a condition.

Items and values are in wire form with normal numbers (`dynamo_values.checked`).
"""

import base64
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from localaws.dynamo_grammar import (
    Call,
    Compare,
    Condition,
    Logic,
    Operand,
    Path,
    Placeholder,
)
from localaws.dynamo_values import Attributes, Value, check_value
from localaws.errors import invalid

_PLACEHOLDER = re.compile(r"[#:][A-Za-z0-9_]+")
_ORDERED = ("S", "N", "B")
MEMBER_OF = {"SS": "S", "NS": "N", "BS": "B"}


@dataclass(frozen=True)
class Bindings:
    """What the #names and :values of one request stand for."""

    names: Mapping[str, str]
    values: Mapping[str, Value]

    @classmethod
    def of(cls, request: Mapping[str, Any], *texts: str | None) -> "Bindings":
        """Refuses placeholders that are not defined and definitions that no text uses."""
        names = request.get("ExpressionAttributeNames") or {}
        raw = request.get("ExpressionAttributeValues") or {}
        used = {token for text in texts if text for token in _PLACEHOLDER.findall(text)}
        _refuse_unused("ExpressionAttributeNames", names.keys() - used)
        _refuse_unused("ExpressionAttributeValues", raw.keys() - used)
        for token in sorted(used - names.keys() - raw.keys()):
            raise invalid(_undefined(token))
        return cls(names, {name: check_value(value)[0] for name, value in raw.items()})

    def path(self, path: Path) -> tuple[str | int, ...]:
        return tuple(
            self.names[part] if isinstance(part, str) and part[0] == "#" else part
            for part in path.parts
        )


def meets(item: Attributes, condition: Condition, bindings: Bindings) -> bool:
    """Whether the item (empty when there is none) meets the condition."""
    if isinstance(condition, Logic):
        terms = (meets(item, term, bindings) for term in condition.terms)
        if condition.op == "NOT":
            return not next(terms)
        return all(terms) if condition.op == "AND" else any(terms)
    if isinstance(condition, Call):
        return _function(condition, item, bindings)
    values = [operand_value(item, operand, bindings) for operand in condition.operands]
    if condition.op == "IN":
        return any(_same(values[0], option) for option in values[1:])
    if condition.op == "BETWEEN":
        return _ordered(values[0], ">=", values[1]) and _ordered(values[0], "<=", values[2])
    return _compare(condition, values)


def find(item: Attributes, path: tuple[str | int, ...]) -> Value | None:
    """The value at a path, or None."""
    value: Value | None = {"M": item}
    for part in path:
        value = child(value, part)
        if value is None:
            return None
    return value


def _refuse_unused(field: str, unused: Iterable[str]) -> None:
    keys = sorted(unused)
    if keys:
        raise invalid(
            f"Value provided in {field} unused in expressions: keys: {{{', '.join(keys)}}}"
        )


def _undefined(token: str) -> str:
    if token[0] == "#":
        return (
            "Invalid expression: An expression attribute name used in the document path "
            f"is not defined; attribute name: {token}"
        )
    return (
        "Invalid expression: An expression attribute value used in expression "
        f"is not defined; attribute value: {token}"
    )


def operand_value(item: Attributes, operand: Operand, bindings: Bindings) -> Value | None:
    if isinstance(operand, Placeholder):
        return bindings.values[operand.name]
    if isinstance(operand, Path):
        return find(item, bindings.path(operand))
    if operand.name != "size":
        raise invalid(f"The function is not allowed to be used this way; function: {operand.name}")
    return _size(operand_value(item, operand.arguments[0], bindings))


def _size(value: Value | None) -> Value | None:
    if value is None:
        return None
    kind, content = next(iter(value.items()))
    if kind == "S":
        return {"N": str(len(content.encode()))}
    if kind == "B":
        return {"N": str(len(base64.b64decode(content)))}
    return {"N": str(len(content))} if kind in ("SS", "NS", "BS", "L", "M") else None


def _function(call: Call, item: Attributes, bindings: Bindings) -> bool:
    left, *rest = [operand_value(item, argument, bindings) for argument in call.arguments]
    if call.name == "attribute_exists":
        return left is not None
    if call.name == "attribute_not_exists":
        return left is None
    right = rest[0]
    if left is None or right is None:
        return False
    if call.name == "attribute_type":
        return right.get("S") in left
    if call.name == "begins_with":
        return _begins_with(left, right)
    return _contains(left, right)


def _begins_with(left: Value, right: Value) -> bool:
    if "S" in left and "S" in right:
        return left["S"].startswith(right["S"])
    if "B" in left and "B" in right:
        return base64.b64decode(left["B"]).startswith(base64.b64decode(right["B"]))
    return False


def _contains(left: Value, right: Value) -> bool:
    kind, content = next(iter(left.items()))
    if kind == "S":
        return "S" in right and right["S"] in content
    if kind == "L":
        return any(_same(element, right) for element in content)
    member = MEMBER_OF.get(kind)
    return member is not None and right.get(member) in content


def _compare(condition: Compare, values: list[Value | None]) -> bool:
    left, right = values
    if condition.op == "=":
        return _same(left, right)
    if condition.op == "<>":
        return not _same(left, right)
    for operand, value in zip(condition.operands, values, strict=True):
        kind = next(iter(value)) if value and isinstance(operand, Placeholder) else "S"
        if kind not in _ORDERED:
            raise invalid(
                "Invalid expression: Incorrect operand type for operator or function; "
                f"operator or function: {condition.op}, operand type: {kind}"
            )
    return _ordered(left, condition.op, right)


def _same(left: Value | None, right: Value | None) -> bool:
    if left is None or right is None or left.keys() != right.keys():
        return False
    kind = next(iter(left))
    a, b = left[kind], right[kind]
    if kind in MEMBER_OF:
        return set(a) == set(b)
    if kind == "L":
        return len(a) == len(b) and all(_same(x, y) for x, y in zip(a, b, strict=True))
    if kind == "M":
        return a.keys() == b.keys() and all(_same(a[name], b[name]) for name in a)
    return a == b


def _ordered(left: Value | None, op: str, right: Value | None) -> bool:
    if left is None or right is None or left.keys() != right.keys():
        return False
    kind = next(iter(left))
    if kind not in _ORDERED:
        return False
    a, b = (_rank(kind, value[kind]) for value in (left, right))
    return {"<": a < b, "<=": a <= b, ">": a > b, ">=": a >= b}[op]


def _rank(kind: str, content: str) -> Any:
    if kind == "N":
        return Decimal(content)
    return base64.b64decode(content) if kind == "B" else content


def child(value: Value | None, part: str | int) -> Value | None:
    if value is None:
        return None
    if isinstance(part, str):
        return value["M"].get(part) if "M" in value else None
    return value["L"][part] if "L" in value and part < len(value["L"]) else None
