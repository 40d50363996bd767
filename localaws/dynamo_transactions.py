"""Batches and transactions: many writes in one SQLite transaction."""

import hashlib
import sqlite3
from collections.abc import Callable, Mapping
from typing import Any

import orjson

from localaws.dynamo_tables import Table
from localaws.dynamo_writes import Outcome, Write
from localaws.errors import AwsError, invalid

SCHEMA = """
CREATE TABLE IF NOT EXISTS ddb_tokens(
  token TEXT PRIMARY KEY, digest TEXT NOT NULL, at REAL NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS ddb_tokens_at ON ddb_tokens(at);
"""

_MAX_BATCH = 25
_MAX_TRANSACTION = 100
_TOKEN_SECONDS = 600
_KINDS = ("Put", "Update", "Delete", "ConditionCheck")

FindTable = Callable[[str], Table]


class BatchWrite:
    """Up to 25 puts and deletes, each key once."""

    def __init__(self, items: Mapping[str, list[dict[str, Any]]]):
        self._items = [(name, entry) for name, entries in items.items() for entry in entries]
        if not 1 <= len(self._items) <= _MAX_BATCH:
            raise invalid(
                "1 validation error detected: Value at 'requestItems' failed to satisfy constraint: "
                "Member must have length less than or equal to 25, greater than or equal to 1"
            )

    def carry_out(self, db: sqlite3.Connection, find: FindTable, now: float) -> None:
        writes = [_batched(entry, find(name)) for name, entry in self._items]
        outcomes = [write.evaluate(db, now) for write in writes]
        _refuse_twice(outcomes, "Provided list of item keys contains duplicates")
        for outcome in outcomes:
            outcome.apply(db)


class Transaction:
    """Up to 100 writes, all or none; a repeated ClientRequestToken does nothing for ten minutes."""

    def __init__(self, request: Mapping[str, Any]):
        self._items: list[dict[str, Any]] = request["TransactItems"]
        self._token = request.get("ClientRequestToken")
        if not 1 <= len(self._items) <= _MAX_TRANSACTION:
            raise invalid(
                "1 validation error detected: Value at 'transactItems' failed to satisfy constraint: "
                "Member must have length less than or equal to 100, greater than or equal to 1"
            )
        if any(len(entry) != 1 or next(iter(entry)) not in _KINDS for entry in self._items):
            raise invalid("TransactItems can only contain one of Check, Put, Update or Delete")

    def carry_out(self, db: sqlite3.Connection, find: FindTable, now: float) -> None:
        if self._token and not self._first_time(db, self._token, now):
            return
        writes = []
        for entry in self._items:
            kind, request = next(iter(entry.items()))
            writes.append(Write(kind, request, find(request["TableName"])))
        outcomes, reasons = [], []
        for write in writes:
            outcome, reason = _tried(write, db, now)
            outcomes.append(outcome)
            reasons.append(reason)
        if any(reason["Code"] != "None" for reason in reasons):
            raise _cancelled(reasons)
        _refuse_twice(
            outcomes, "Transaction request cannot include multiple operations on one item"
        )
        for outcome in outcomes:
            outcome.apply(db)

    def _first_time(self, db: sqlite3.Connection, token: str, now: float) -> bool:
        body = orjson.dumps(self._items, option=orjson.OPT_SORT_KEYS)
        digest = hashlib.sha256(body).hexdigest()
        row = db.execute(
            "SELECT digest FROM ddb_tokens WHERE token=? AND at > ?", (token, now - _TOKEN_SECONDS)
        ).fetchone()
        if row is None:
            db.execute("INSERT OR REPLACE INTO ddb_tokens VALUES(?,?,?)", (token, digest, now))
            return True
        if row[0] != digest:
            raise AwsError(
                "IdempotentParameterMismatchException",
                "The request uses the same client token as a previous, but non-identical request",
            )
        return False


def forget_tokens(db: sqlite3.Connection, now: float) -> None:
    db.execute("DELETE FROM ddb_tokens WHERE at <= ?", (now - _TOKEN_SECONDS,))


def _batched(entry: dict[str, Any], table: Table) -> Write:
    if len(entry) != 1:
        raise invalid(
            "Supplied WriteRequest must contain exactly one of PutRequest, DeleteRequest"
        )
    kind, request = next(iter(entry.items()))
    return Write({"PutRequest": "Put", "DeleteRequest": "Delete"}[kind], request, table)


def _tried(
    write: Write, db: sqlite3.Connection, now: float
) -> tuple[Outcome | None, dict[str, Any]]:
    """The outcome, or why this write cancels the transaction."""
    try:
        return write.evaluate(db, now), {"Code": "None"}
    except AwsError as error:
        if error.code == "ConditionalCheckFailedException":
            reason = {"Code": "ConditionalCheckFailed", "Message": error.message, **error.fields}
            return None, reason
        return None, {"Code": "ValidationError", "Message": error.message}


def _cancelled(reasons: list[dict[str, Any]]) -> AwsError:
    codes = ", ".join(reason["Code"] for reason in reasons)
    return AwsError(
        "TransactionCanceledException",
        f"Transaction cancelled, please refer cancellation reasons for specific reasons [{codes}]",
        CancellationReasons=reasons,
    )


def _refuse_twice(outcomes: list[Any], message: str) -> None:
    keys = [(outcome.table.id, outcome.key) for outcome in outcomes]
    if len(set(keys)) != len(keys):
        raise invalid(message)
