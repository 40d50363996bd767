"""DynamoDB: tables, items, conditions, queries, batches and transactions, exact under concurrency.

Requests and answers are the JSON of the wire; every write is one SQLite transaction. Consumed
capacity and item collection metrics are not reported, and reads are always consistent.
"""

import sqlite3
import time
from collections.abc import Callable, Mapping
from typing import Any

from localaws import dynamo_items, dynamo_tables, dynamo_transactions
from localaws.dynamo_conditions import Bindings
from localaws.dynamo_queries import projection, query, scan
from localaws.dynamo_tables import Table, description, new_spec, not_found, table_of
from localaws.dynamo_transactions import BatchWrite, Transaction
from localaws.dynamo_updates import projected
from localaws.dynamo_values import Attributes, checked
from localaws.dynamo_writes import Write, changed_attributes
from localaws.errors import AwsError, invalid
from localaws.store import Store

_LEGACY = (
    "AttributesToGet",
    "AttributeUpdates",
    "ConditionalOperator",
    "Expected",
    "KeyConditions",
    "QueryFilter",
    "ScanFilter",
)
_MAX_BATCH_GET = 100
_MAX_TRANSACT_GET = 100
_SWEEP_SECONDS = 60

Request = dict[str, Any]
Row = tuple[int, str, str, str | None]
"""(id, name, spec, ttl_attribute)"""


class DynamoDb:
    """`now` gives epoch seconds: it decides what has expired."""

    service_name = "dynamodb"
    raw_json = True

    def __init__(self, store: Store, now: Callable[[], float] = time.time):
        self._store = store
        self._now = now
        self._swept_at = now()
        for schema in (dynamo_tables.SCHEMA, dynamo_items.SCHEMA, dynamo_transactions.SCHEMA):
            store.ensure(schema)

    def create_table(self, request: Request) -> dict[str, Any]:
        spec = new_spec(request, self._now())
        name = request["TableName"]
        with self._store.write() as db:
            if _row(db, name) is not None:
                raise AwsError("ResourceInUseException", f"Table already exists: {name}")
            db.execute("INSERT INTO ddb_tables(name, spec) VALUES(?,?)", (name, spec))
        return {"TableDescription": description(spec, 0, 0, "ACTIVE")}

    def describe_table(self, request: Request) -> dict[str, Any]:
        return {"Table": self._describe(self._store.read(), request, "ACTIVE")}

    def list_tables(self, request: Request) -> dict[str, Any]:
        limit = request.get("Limit", 100)
        rows = self._store.read().execute(
            "SELECT name FROM ddb_tables WHERE name > ? ORDER BY name LIMIT ?",
            (request.get("ExclusiveStartTableName", ""), limit + 1),
        )
        names = [row[0] for row in rows]
        more = {"LastEvaluatedTableName": names[limit - 1]} if len(names) > limit else {}
        return {"TableNames": names[:limit], **more}

    def delete_table(self, request: Request) -> dict[str, Any]:
        with self._store.write() as db:
            described = self._describe(db, request, "DELETING")
            if described["DeletionProtectionEnabled"]:
                raise invalid("Resource cannot be deleted as it is currently protected")
            table = _table(db, request)
            for name in ("ddb_items", "ddb_index"):
                db.execute(f"DELETE FROM {name} WHERE table_id=?", (table.id,))
            db.execute("DELETE FROM ddb_tables WHERE id=?", (table.id,))
        return {"TableDescription": described}

    def update_time_to_live(self, request: Request) -> dict[str, Any]:
        wanted = request["TimeToLiveSpecification"]
        attribute = wanted["AttributeName"] if wanted["Enabled"] else None
        with self._store.write() as db:
            table = _table(db, request)
            if (table.ttl_attribute is not None) == wanted["Enabled"]:
                state = "enabled" if wanted["Enabled"] else "disabled"
                raise invalid(f"TimeToLive is already {state}")
            db.execute("UPDATE ddb_tables SET ttl_attribute=? WHERE id=?", (attribute, table.id))
            dynamo_items.rebuild_expiry(db, _table(db, request))
        return {"TimeToLiveSpecification": wanted}

    def describe_time_to_live(self, request: Request) -> dict[str, Any]:
        attribute = _table(self._store.read(), request).ttl_attribute
        if attribute is None:
            return {"TimeToLiveDescription": {"TimeToLiveStatus": "DISABLED"}}
        status = {"TimeToLiveStatus": "ENABLED", "AttributeName": attribute}
        return {"TimeToLiveDescription": status}

    def get_item(self, request: Request) -> dict[str, Any]:
        _refuse_legacy(request)
        item = self._get(self._store.read(), request, request)
        return {"Item": item} if item else {}

    def put_item(self, request: Request) -> dict[str, Any]:
        return self._write("Put", request)

    def delete_item(self, request: Request) -> dict[str, Any]:
        return self._write("Delete", request)

    def update_item(self, request: Request) -> dict[str, Any]:
        return self._write("Update", request)

    def query(self, request: Request) -> dict[str, Any]:
        _refuse_legacy(request)
        db = self._store.read()
        return query(db, _table(db, request), request, self._now())

    def scan(self, request: Request) -> dict[str, Any]:
        _refuse_legacy(request)
        db = self._store.read()
        return scan(db, _table(db, request), request, self._now())

    def batch_get_item(self, request: Request) -> dict[str, Any]:
        wanted = request["RequestItems"]
        if sum(len(part["Keys"]) for part in wanted.values()) > _MAX_BATCH_GET:
            raise invalid("Too many items requested for the BatchGetItem call")
        db, responses = self._store.read(), {}
        for name, part in wanted.items():
            table = _table(db, {"TableName": name})
            keys = [table.key(checked(key)[0]) for key in part["Keys"]]
            if len(set(keys)) != len(keys):
                raise invalid("Provided list of item keys contains duplicates")
            items = [self._get(db, {"TableName": name, "Key": key}, part) for key in part["Keys"]]
            responses[name] = [item for item in items if item]
        return {"Responses": responses, "UnprocessedKeys": {}}

    def batch_write_item(self, request: Request) -> dict[str, Any]:
        batch = BatchWrite(request["RequestItems"])
        with self._store.write() as db:
            batch.carry_out(db, lambda name: _table(db, {"TableName": name}), self._now())
        return {"UnprocessedItems": {}}

    def transact_write_items(self, request: Request) -> dict[str, Any]:
        transaction = Transaction(request)
        with self._store.write() as db:
            transaction.carry_out(db, lambda name: _table(db, {"TableName": name}), self._now())
        self._sweep()
        return {}

    def transact_get_items(self, request: Request) -> dict[str, Any]:
        gets = [entry["Get"] for entry in request["TransactItems"]]
        if len(gets) > _MAX_TRANSACT_GET:
            raise invalid("Member must have length less than or equal to 100")
        db = self._store.read()
        db.execute("BEGIN")
        try:
            items = [self._get(db, get, get) for get in gets]
        finally:
            db.execute("COMMIT")
        return {"Responses": [{"Item": item} if item else {} for item in items]}

    def _describe(self, db: sqlite3.Connection, request: Request, status: str) -> dict[str, Any]:
        table_id, _, spec, _ = _found(db, request)
        count, size = db.execute(
            "SELECT COUNT(*), COALESCE(SUM(LENGTH(item)), 0) FROM ddb_items WHERE table_id=?",
            (table_id,),
        ).fetchone()
        return description(spec, count, size, status)

    def _get(self, db: sqlite3.Connection, wanted: Request, options: Request) -> Attributes:
        """`wanted` names the table and the key; `options` say what is shown of the item."""
        table = _table(db, wanted)
        bindings = Bindings.of(options, options.get("ProjectionExpression"))
        key = table.key(checked(wanted.get("Key"))[0])
        item = dynamo_items.load(db, table, key, self._now())
        paths = projection(options, bindings)
        return projected(item, paths) if paths else item

    def _write(self, kind: str, request: Request) -> dict[str, Any]:
        _refuse_legacy(request)
        with self._store.write() as db:
            write = Write(kind, request, _table(db, request))
            outcome = write.evaluate(db, self._now())
            outcome.apply(db)
        self._sweep()
        attributes = changed_attributes(outcome, request.get("ReturnValues", "NONE"))
        return {"Attributes": attributes} if attributes else {}

    def _sweep(self) -> None:
        """Once a minute a write also removes what has expired; the next ones go on if that is much."""
        now = self._now()
        if now - self._swept_at < _SWEEP_SECONDS:
            return
        with self._store.write() as db:
            rows = db.execute(
                "SELECT id, name, spec, ttl_attribute FROM ddb_tables"
                " WHERE ttl_attribute IS NOT NULL"
            ).fetchall()
            done = [dynamo_items.sweep(db, table_of(row), now) for row in rows]
            dynamo_transactions.forget_tokens(db, now)
        if all(done):
            self._swept_at = now


def _row(db: sqlite3.Connection, name: str) -> Row | None:
    return db.execute(
        "SELECT id, name, spec, ttl_attribute FROM ddb_tables WHERE name=?", (name,)
    ).fetchone()


def _found(db: sqlite3.Connection, request: Mapping[str, Any]) -> Row:
    """By name or ARN."""
    name = str(request.get("TableName", "")).rpartition("/")[2]
    row = _row(db, name)
    if row is None:
        raise not_found(name)
    return row


def _table(db: sqlite3.Connection, request: Mapping[str, Any]) -> Table:
    return table_of(_found(db, request))


def _refuse_legacy(request: Request) -> None:
    for field in _LEGACY:
        if request.get(field):
            raise invalid(f"{field} is not part of the embedded AWS: use expressions")
