"""Update and projection expressions at work: the item after an update, the part of it asked for."""

import copy
from collections.abc import Iterable
from typing import Any

from localaws.dynamo_conditions import MEMBER_OF, Bindings, child, find, operand_value
from localaws.dynamo_grammar import Action, Call, Operand, Path
from localaws.dynamo_values import Attributes, Value, add_numbers
from localaws.errors import invalid


def updated(
    item: Attributes, actions: Iterable[Action], bindings: Bindings, keys: tuple[str, ...]
) -> tuple[Attributes, list[tuple[str | int, ...]]]:
    """The item after the update and the paths it names. Every SET value sees the item before."""
    plan = [(action, bindings.path(action.path)) for action in actions]
    _refuse_bad_paths([path for _, path in plan], keys)
    values = [_set_value(item, action.value, bindings) for action, _ in plan]
    after = copy.deepcopy(item) if any(len(path) > 1 for _, path in plan) else dict(item)
    removals = []
    for (action, path), value in zip(plan, values, strict=True):
        if action.verb == "REMOVE":
            removals.append(path)
        else:
            _apply(after, action.verb, path, value)
    for path in sorted(removals, key=lambda p: [(isinstance(x, int), x) for x in p], reverse=True):
        _remove(after, path)
    return after, [path for _, path in plan]


def projected(item: Attributes, paths: Iterable[tuple[str | int, ...]]) -> Attributes:
    """Only the named paths; list elements move together in their order."""
    tree: dict[str | int, Any] = {}
    for path in paths:
        node = tree
        for part in path:
            node = node.setdefault(part, {})
    return _pick({"M": item}, tree).get("M", {})


def _refuse_bad_paths(paths: list[tuple[str | int, ...]], keys: tuple[str, ...]) -> None:
    for path in paths:
        if path[0] in keys:
            raise invalid(
                "One or more parameter values were invalid: "
                f"Cannot update attribute {path[0]}. This attribute is part of the key"
            )
    for i, one in enumerate(paths):
        for other in paths[i + 1 :]:
            if one[: len(other)] == other[: len(one)]:
                raise invalid(
                    "Invalid UpdateExpression: Two document paths overlap with each other; "
                    "must remove or rewrite one of these paths; "
                    f"path one: {list(one)}, path two: {list(other)}"
                )


def _set_value(item: Attributes, operand: Operand | None, bindings: Bindings) -> Value | None:
    if operand is None:
        return None
    if isinstance(operand, Call):
        return _set_function(item, operand, bindings)
    value = operand_value(item, operand, bindings)
    if value is None:
        raise invalid(
            "The provided expression refers to an attribute that does not exist in the item"
        )
    return value


def _set_function(item: Attributes, call: Call, bindings: Bindings) -> Value | None:
    if call.name == "if_not_exists":
        path = call.arguments[0]
        current = operand_value(item, path, bindings) if isinstance(path, Path) else None
        return current or _set_value(item, call.arguments[1], bindings)
    values = [_set_value(item, argument, bindings) or {} for argument in call.arguments]
    kind = {"list_append": "L", "+": "N", "-": "N"}.get(call.name)
    if kind is None:
        raise invalid(f"Invalid UpdateExpression: Invalid function name; function: {call.name}")
    if not all(kind in value for value in values):
        raise invalid(
            "An operand in the update expression has an incorrect data type"
            if call.name in "+-"
            else "Incorrect operand type for operator or function; function: list_append"
        )
    left, right = (value[kind] for value in values)
    if call.name == "list_append":
        return {"L": [*left, *right]}
    return {"N": add_numbers(left, right, -1 if call.name == "-" else 1)}


def _apply(item: Attributes, verb: str, path: tuple[str | int, ...], value: Any) -> None:
    if verb == "SET":
        _put(item, path, value)
        return
    kind = next(iter(value))
    current = find(item, path)
    if kind not in (*MEMBER_OF, "N") or (verb == "DELETE" and kind == "N"):
        raise invalid(f"Incorrect operand type for operator or function; operator: {verb}")
    if current is not None and kind not in current:
        raise invalid("An operand in the update expression has an incorrect data type")
    if verb == "ADD" and kind == "N":
        _put(item, path, {"N": add_numbers((current or {"N": "0"})["N"], value["N"], 1)})
    elif verb == "ADD":
        _put(item, path, {kind: list(dict.fromkeys([*(current or value)[kind], *value[kind]]))})
    elif current is not None:
        left = [element for element in current[kind] if element not in value[kind]]
        _put(item, path, {kind: left}) if left else _remove(item, path)


def _put(item: Attributes, path: tuple[str | int, ...], value: Value) -> None:
    parent, last = find(item, path[:-1]) or {}, path[-1]
    if isinstance(last, str) and "M" in parent:
        parent["M"][last] = value
    elif isinstance(last, int) and "L" in parent:
        parent["L"][last : last + 1] = [value]
    else:
        raise invalid("The document path provided in the update expression is invalid for update")


def _remove(item: Attributes, path: tuple[str | int, ...]) -> None:
    parent, last = find(item, path[:-1]) or {}, path[-1]
    if isinstance(last, str) and "M" in parent:
        parent["M"].pop(last, None)
    elif isinstance(last, int) and "L" in parent:
        del parent["L"][last : last + 1]
    else:
        raise invalid("The document path provided in the update expression is invalid for update")


def _pick(value: Value, tree: dict[str | int, Any]) -> Value:
    """The part of a map or list that the tree of path parts names; {} when nothing matches."""
    if not tree:
        return value
    kind = "M" if "M" in value else "L"
    parts = sorted(part for part in tree if isinstance(part, str if kind == "M" else int))
    found = [(part, child(value, part), tree[part]) for part in parts]
    picked = [(part, _pick(inner, sub)) for part, inner, sub in found if inner is not None]
    picked = [(part, inner) for part, inner in picked if inner]
    if not picked:
        return {}
    return {"M": dict(picked)} if kind == "M" else {"L": [inner for _, inner in picked]}
