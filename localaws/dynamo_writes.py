"""One write of one item: its condition checked and its after-image computed, then applied."""

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from localaws.dynamo_conditions import Bindings, meets
from localaws.dynamo_grammar import parse_condition, parse_update
from localaws.dynamo_items import delete, load, put
from localaws.dynamo_tables import Table
from localaws.dynamo_updates import projected, updated
from localaws.dynamo_values import Attributes, checked
from localaws.errors import AwsError, invalid

_RETURN_VALUES = {
    "Put": ("NONE", "ALL_OLD"),
    "Delete": ("NONE", "ALL_OLD"),
    "Update": ("NONE", "ALL_OLD", "ALL_NEW", "UPDATED_OLD", "UPDATED_NEW"),
}


@dataclass(frozen=True)
class Outcome:
    """What a write will do; `after` is None for a condition check, {} for a deletion."""

    table: Table
    key: tuple[bytes, bytes]
    before: Attributes
    after: Attributes | None
    size_bytes: int
    paths: tuple[tuple[str | int, ...], ...]

    def apply(self, db: sqlite3.Connection) -> None:
        if self.after:
            put(db, self.table, self.after, self.size_bytes)
        elif self.after is not None:
            delete(db, self.table, self.key)


class Write:
    """`kind` is Put, Update, Delete or ConditionCheck; `request` the parameters of that operation."""

    def __init__(self, kind: str, request: Mapping[str, Any], table: Table):
        self._kind = kind
        self._request = request
        self._table = table
        texts = (request.get("ConditionExpression"), request.get("UpdateExpression"))
        self._bindings = Bindings.of(request, *texts)
        allowed = _RETURN_VALUES.get(kind, ("NONE",))
        if request.get("ReturnValues", "NONE") not in allowed:
            raise invalid(f"Return values set to invalid value: one of {allowed} was expected")
        self._given, self._size_bytes = checked(request["Item" if kind == "Put" else "Key"])
        self.key = table.key(self._given, exact=kind != "Put")

    def evaluate(self, db: sqlite3.Connection, now: float) -> Outcome:
        """Raises ConditionalCheckFailedException; writes nothing yet."""
        before = load(db, self._table, self.key, now)
        self._check(before)
        after, paths, size = None, (), self._size_bytes
        if self._kind == "Put":
            after = self._given
        elif self._kind == "Delete":
            after = {}
        elif self._kind == "Update":
            after, size, paths = self._updated(before)
        return Outcome(self._table, self.key, before, after, size, paths)

    def _check(self, before: Attributes) -> None:
        text = self._request.get("ConditionExpression")
        if not text:
            return
        condition = parse_condition(text, "ConditionExpression")
        if meets(before, condition, self._bindings):
            return
        wanted = self._request.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD"
        fields: dict[str, Any] = {"Item": before} if wanted and before else {}
        message = "The conditional request failed"
        raise AwsError("ConditionalCheckFailedException", message, **fields)

    def _updated(
        self, before: Attributes
    ) -> tuple[Attributes, int, tuple[tuple[str | int, ...], ...]]:
        item = before or self._given
        text = self._request.get("UpdateExpression")
        if not text:
            return item, checked(item)[1], ()
        keys = self._table.primary.names
        after, paths = updated(item, parse_update(text), self._bindings, keys)
        after, size = checked(after)
        return after, size, tuple(paths)


def changed_attributes(outcome: Outcome, return_values: str) -> Attributes:
    """What ReturnValues asks for."""
    if return_values == "NONE":
        return {}
    image = outcome.before if return_values.endswith("OLD") else outcome.after or {}
    return projected(image, outcome.paths) if return_values.startswith("UPDATED") else image
