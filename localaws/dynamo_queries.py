"""Query and Scan: key conditions to key ranges, filters, projections, pages."""

import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from localaws.dynamo_conditions import Bindings, meets
from localaws.dynamo_grammar import (
    Call,
    Compare,
    Condition,
    Logic,
    Operand,
    Path,
    Placeholder,
    parse_condition,
    parse_projection,
)
from localaws.dynamo_items import Bounds, everything, partition
from localaws.dynamo_tables import Index, Table
from localaws.dynamo_updates import projected
from localaws.dynamo_values import Attributes, Value, prefix_end, sort_key
from localaws.errors import invalid

_PAGE_BYTES = 1024 * 1024


def query(
    db: sqlite3.Connection, table: Table, request: Mapping[str, Any], now: float
) -> dict[str, Any]:
    index = _index(table, request)
    text = request.get("KeyConditionExpression")
    if not text:
        raise invalid("Either the KeyConditions or KeyConditionExpression parameter must be set")
    bindings = _bindings(request, text)
    condition = parse_condition(text, "KeyConditionExpression")
    hash_key, bounds = _range(table, index, condition, bindings)
    after = _start(table, index, request)
    forward = request.get("ScanIndexForward", True)
    rows = partition(db, table, index, hash_key, bounds, after, forward, now)
    return _page(rows, table, index, request, bindings)


def scan(
    db: sqlite3.Connection, table: Table, request: Mapping[str, Any], now: float
) -> dict[str, Any]:
    index = _index(table, request)
    total = request.get("TotalSegments")
    segment = (request.get("Segment", 0), total) if total else None
    rows = everything(db, table, index, segment, _start(table, index, request), now)
    return _page(rows, table, index, request, _bindings(request))


def projection(request: Mapping[str, Any], bindings: Bindings) -> list[tuple[str | int, ...]]:
    """The paths of a ProjectionExpression; empty means the whole item."""
    text = request.get("ProjectionExpression")
    return [bindings.path(path) for path in parse_projection(text)] if text else []


def _bindings(request: Mapping[str, Any], *texts: str) -> Bindings:
    fields = ("FilterExpression", "ProjectionExpression")
    return Bindings.of(request, *texts, *(request.get(field) for field in fields))


def _index(table: Table, request: Mapping[str, Any]) -> Index:
    index = table.index(request.get("IndexName"))
    if index.is_global and request.get("ConsistentRead"):
        raise invalid("Consistent reads are not supported on global secondary indexes")
    return index


def _range(
    table: Table, index: Index, condition: Condition, bindings: Bindings
) -> tuple[bytes, Bounds]:
    """The partition and the range of sort keys that a key condition means."""
    terms = _terms(condition)
    by_name: dict[str | int, Compare | Call] = {}
    for term in terms:
        operands = term.operands if isinstance(term, Compare) else term.arguments
        if not isinstance(operands[0], Path) or len(operands[0].parts) != 1:
            raise invalid("Invalid KeyConditionExpression: a key attribute was expected")
        name = bindings.path(operands[0])[0]
        if name in by_name:
            raise invalid("KeyConditionExpressions must only contain one condition per key")
        by_name[name] = term
    equal = by_name.pop(index.hash_name, None)
    if equal is None:
        raise invalid(f"Query condition missed key schema element: {index.hash_name}")
    if not isinstance(equal, Compare) or equal.op != "=":
        raise invalid("Query key condition not supported")
    hash_key = _key_bytes(table, index.hash_name, equal.operands[1], bindings)
    if not by_name:
        return hash_key, Bounds()
    name, term = by_name.popitem()
    if index.range_name is None:
        raise invalid("Query key condition not supported")
    if by_name or name != index.range_name:
        raise invalid(f"Query condition missed key schema element: {index.range_name}")
    return hash_key, _bounds(table, str(name), term, bindings)


def _terms(condition: Condition) -> list[Compare | Call]:
    if isinstance(condition, Logic) and condition.op == "AND":
        return [term for part in condition.terms for term in _terms(part)]
    if isinstance(condition, Logic):
        raise invalid("Invalid operator used in KeyConditionExpression: " + condition.op)
    return [condition]


def _bounds(table: Table, name: str, term: Compare | Call, bindings: Bindings) -> Bounds:
    operands = term.operands if isinstance(term, Compare) else term.arguments
    values = [_key_bytes(table, name, operand, bindings) for operand in operands[1:]]
    if isinstance(term, Call):
        if term.name != "begins_with" or table.types[name] == "N":
            raise invalid("Query key condition not supported")
        end = prefix_end(values[0])
        return Bounds((">=", values[0]), ("<", end) if end else None)
    if term.op == "BETWEEN":
        return Bounds((">=", values[0]), ("<=", values[1]))
    if term.op == "=":
        return Bounds(("=", values[0]))
    if term.op in (">", ">="):
        return Bounds(low=(term.op, values[0]))
    if term.op in ("<", "<="):
        return Bounds(high=(term.op, values[0]))
    raise invalid(f"Invalid operator used in KeyConditionExpression: {term.op}")


def _key_bytes(table: Table, name: str, operand: Operand, bindings: Bindings) -> bytes:
    if not isinstance(operand, Placeholder):
        raise invalid("Invalid KeyConditionExpression: a value was expected")
    value: Value = bindings.values[operand.name]
    if table.types[name] not in value:
        raise invalid(
            "One or more parameter values were invalid: "
            "Condition parameter type does not match schema type"
        )
    return sort_key(value)


def _start(table: Table, index: Index, request: Mapping[str, Any]) -> tuple[bytes, ...] | None:
    """The position of ExclusiveStartKey: (pk, sk) or (pk, sk, base_pk, base_sk)."""
    start = request.get("ExclusiveStartKey")
    if not start:
        return None
    base = table.key({name: start[name] for name in table.primary.names if name in start})
    if index is table.primary:
        return base
    key = table.index_key(index, start)
    if key is None:
        raise invalid("The provided starting key is invalid")
    return (*key, *base)


@dataclass
class _Page:
    """What a page has taken so far."""

    items: list[Attributes]
    scanned: int = 0
    size_bytes: int = 0
    last: Attributes | None = None


def _page(
    rows: Iterator[bytes],
    table: Table,
    index: Index,
    request: Mapping[str, Any],
    bindings: Bindings,
) -> dict[str, Any]:
    """One page: at most Limit items evaluated and 1 MB read, then filtered and projected."""
    limit = request.get("Limit")
    if limit is not None and limit < 1:
        raise invalid("Limit must be greater than or equal to 1")
    text = request.get("FilterExpression")
    condition = parse_condition(text, "FilterExpression") if text else None
    page = _Page([])
    for row in rows:
        item = _visible(orjson.loads(row), index)
        page.scanned += 1
        page.size_bytes += len(row)
        if condition is None or meets(item, condition, bindings):
            page.items.append(item)
        if page.scanned == limit or page.size_bytes >= _PAGE_BYTES:
            page.last = item
            break
    return _output(page, table, index, request, bindings)


def _output(
    page: _Page, table: Table, index: Index, request: Mapping[str, Any], bindings: Bindings
) -> dict[str, Any]:
    output: dict[str, Any] = {"Count": len(page.items), "ScannedCount": page.scanned}
    if request.get("Select") != "COUNT":
        paths = projection(request, bindings)
        output["Items"] = [projected(i, paths) for i in page.items] if paths else page.items
    if page.last is not None:
        names = {*table.primary.names, *index.names}
        output["LastEvaluatedKey"] = {name: page.last[name] for name in sorted(names)}
    return output


def _visible(item: Attributes, index: Index) -> Attributes:
    """What the index carries of the item."""
    if index.projection is None:
        return item
    return {name: value for name, value in item.items() if name in index.projection}
