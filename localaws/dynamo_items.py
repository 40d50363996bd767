"""DynamoDB items in SQLite: one row per item under an order-preserving key, one row per index entry.

Point operations are one index lookup; a query reads only the rows that it returns or filters.
"""

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from localaws.dynamo_tables import Index, Table
from localaws.dynamo_values import MAX_ITEM_BYTES, Attributes
from localaws.errors import invalid

SCHEMA = """
CREATE TABLE IF NOT EXISTS ddb_items(
  id INTEGER PRIMARY KEY, table_id INTEGER NOT NULL, pk BLOB NOT NULL, sk BLOB NOT NULL,
  item BLOB NOT NULL, expires_at REAL);
CREATE UNIQUE INDEX IF NOT EXISTS ddb_items_key ON ddb_items(table_id, pk, sk);
CREATE INDEX IF NOT EXISTS ddb_items_expiry ON ddb_items(expires_at)
  WHERE expires_at IS NOT NULL;
CREATE TABLE IF NOT EXISTS ddb_index(
  table_id INTEGER NOT NULL, name TEXT NOT NULL, pk BLOB NOT NULL, sk BLOB NOT NULL,
  base_pk BLOB NOT NULL, base_sk BLOB NOT NULL,
  PRIMARY KEY(table_id, name, pk, sk, base_pk, base_sk)) WITHOUT ROWID;
"""

_SWEEP_ROWS = 500


@dataclass(frozen=True)
class Bounds:
    """Sort keys of one partition: `low` and `high` with their comparators, both optional."""

    low: tuple[str, bytes] | None = None
    high: tuple[str, bytes] | None = None


def load(db: sqlite3.Connection, table: Table, key: tuple[bytes, bytes], now: float) -> Attributes:
    """The item, or {} where there is none or its time to live is over."""
    row = db.execute(
        "SELECT item FROM ddb_items WHERE table_id=? AND pk=? AND sk=?"
        " AND (expires_at IS NULL OR expires_at > ?)",
        (table.id, *key, now),
    ).fetchone()
    return orjson.loads(row[0]) if row else {}


def put(db: sqlite3.Connection, table: Table, item: Attributes, size: int) -> None:
    """Writes the item (checked, with its size) and its index entries."""
    if size > MAX_ITEM_BYTES:
        raise invalid("Item size has exceeded the maximum allowed size")
    key = table.key(item, exact=False)
    if table.indexes:
        _reindex(db, table, key, item)
    db.execute(
        "INSERT INTO ddb_items(table_id, pk, sk, item, expires_at) VALUES(?,?,?,?,?)"
        " ON CONFLICT(table_id, pk, sk) DO UPDATE SET"
        " item=excluded.item, expires_at=excluded.expires_at",
        (table.id, *key, orjson.dumps(item), expiry(table, item)),
    )


def delete(db: sqlite3.Connection, table: Table, key: tuple[bytes, bytes]) -> None:
    if table.indexes:
        _reindex(db, table, key, {})
    db.execute("DELETE FROM ddb_items WHERE table_id=? AND pk=? AND sk=?", (table.id, *key))


def expiry(table: Table, item: Attributes) -> float | None:
    """Epoch seconds of the time-to-live attribute, where the table has one."""
    value = item.get(table.ttl_attribute) if table.ttl_attribute else None
    return float(value["N"]) if value and "N" in value else None


def partition(
    db: sqlite3.Connection,
    table: Table,
    index: Index,
    hash_key: bytes,
    bounds: Bounds,
    after: tuple[bytes, ...] | None,
    forward: bool,
    now: float,
) -> Iterator[bytes]:
    """Items of one partition as stored JSON, in key order, after a start position if given."""
    order = "sk" if index is table.primary else "sk, base_pk, base_sk"
    conditions, arguments = ["pk=?"], [hash_key]
    for bound in (bounds.low, bounds.high):
        if bound is not None:
            conditions.append(f"sk {bound[0]} ?")
            arguments.append(bound[1])
    return _select(db, table, index, conditions, arguments, order, after, forward, now)


def everything(
    db: sqlite3.Connection,
    table: Table,
    index: Index,
    segment: tuple[int, int] | None,
    after: tuple[bytes, ...] | None,
    now: float,
) -> Iterator[bytes]:
    """All items of a table or index, or one segment of them."""
    order = "pk, sk" if index is table.primary else "pk, sk, base_pk, base_sk"
    conditions: list[str] = []
    arguments: list[Any] = []
    if segment is not None:
        conditions.append("i.id % ? = ?")
        arguments += [segment[1], segment[0]]
    return _select(db, table, index, conditions, arguments, order, after, True, now)


def rebuild_expiry(db: sqlite3.Connection, table: Table) -> None:
    """After TTL was switched on or off: the expiry of every item from its attribute."""
    rows = db.execute("SELECT id, item FROM ddb_items WHERE table_id=?", (table.id,)).fetchall()
    changes = [(expiry(table, orjson.loads(item)), row_id) for row_id, item in rows]
    db.executemany("UPDATE ddb_items SET expires_at=? WHERE id=?", changes)


def sweep(db: sqlite3.Connection, table: Table, now: float) -> bool:
    """Removes a bounded number of expired items; whether that was all of them."""
    rows = db.execute(
        "SELECT pk, sk FROM ddb_items WHERE expires_at <= ? AND table_id=? LIMIT ?",
        (now, table.id, _SWEEP_ROWS),
    ).fetchall()
    for key in rows:
        delete(db, table, key)
    return len(rows) < _SWEEP_ROWS


def _reindex(
    db: sqlite3.Connection, table: Table, key: tuple[bytes, bytes], item: Attributes
) -> None:
    row = db.execute(
        "SELECT item FROM ddb_items WHERE table_id=? AND pk=? AND sk=?", (table.id, *key)
    ).fetchone()
    before = orjson.loads(row[0]) if row else {}
    for index in table.indexes:
        old, new = table.index_key(index, before), table.index_key(index, item)
        if old == new:
            continue
        if old is not None:
            db.execute(
                "DELETE FROM ddb_index WHERE table_id=? AND name=? AND pk=? AND sk=?"
                " AND base_pk=? AND base_sk=?",
                (table.id, index.name, *old, *key),
            )
        if new is not None:
            db.execute(
                "INSERT INTO ddb_index VALUES(?,?,?,?,?,?)", (table.id, index.name, *new, *key)
            )


def _select(
    db: sqlite3.Connection,
    table: Table,
    index: Index,
    conditions: list[str],
    arguments: list[Any],
    order: str,
    after: tuple[bytes, ...] | None,
    forward: bool,
    now: float,
) -> Iterator[bytes]:
    """`conditions` name the columns of the items (table) or of the index entries (index)."""
    alias = "i" if index is table.primary else "x"
    columns = [f"{alias}.{column}" for column in order.split(", ")]
    clauses = [f"{alias}.table_id=?"] + [
        condition if "." in condition else f"{alias}.{condition}" for condition in conditions
    ]
    values: list[Any] = [table.id, *arguments]
    if alias == "x":
        clauses.insert(1, "x.name=?")
        values.insert(1, index.name)
    if after is not None:
        marks = ", ".join("?" * len(columns))
        clauses.append(f"({', '.join(columns)}) {'>' if forward else '<'} ({marks})")
        values += after[-len(columns) :]
    clauses.append("(i.expires_at IS NULL OR i.expires_at > ?)")
    values.append(now)
    source = "ddb_items i"
    if alias == "x":
        source = (
            "ddb_index x CROSS JOIN ddb_items i"
            " ON i.table_id=x.table_id AND i.pk=x.base_pk AND i.sk=x.base_sk"
        )
    direction = "" if forward else " DESC"
    ordering = ", ".join(column + direction for column in columns)
    sql = f"SELECT i.item FROM {source} WHERE {' AND '.join(clauses)} ORDER BY {ordering}"
    return (row[0] for row in db.execute(sql, values))
