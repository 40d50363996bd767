"""Gateways and their targets as SQLite keeps them; names and client tokens are unique.

A record is the request that made it, with `id`, `createdAt` and `updatedAt`.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import orjson

from localaws.errors import AwsError
from localaws.store import Store

Record = dict[str, Any]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS gateways (
    parent TEXT NOT NULL, id TEXT NOT NULL, name TEXT NOT NULL, token TEXT, body TEXT NOT NULL,
    PRIMARY KEY (parent, id), UNIQUE (parent, name), UNIQUE (parent, token)
) WITHOUT ROWID;
"""
_UNKEPT = ("clientToken", "gatewayIdentifier", "targetId")


class GatewayRecords:
    """`parent` is "" for a gateway, and a target's gateway for the target."""

    def __init__(self, store: Store):
        store.ensure(_SCHEMA)
        self._store = store

    def add(self, parent: str, id: str, request: Mapping[str, Any]) -> Record:
        """The same client token gives the record that it made; ConflictException for a known name."""
        name, token = request["name"], request.get("clientToken")
        record = _record(id, request, datetime.now(UTC))
        with self._store.write() as db:
            query = "SELECT body FROM gateways WHERE parent = ? AND token = ?"
            row = db.execute(query, (parent, token)).fetchone()
            if row is not None:
                return _read(row)
            self._require_free(parent, name, id)
            values = (parent, id, name, token, orjson.dumps(record).decode())
            db.execute("INSERT INTO gateways VALUES (?, ?, ?, ?, ?)", values)
        return record

    def change(self, parent: str, id: str, request: Mapping[str, Any]) -> Record | None:
        """Takes the place of what was there; None when nothing was."""
        with self._store.write() as db:
            old = self.get(parent, id)
            if old is None:
                return None
            record = _record(id, {"name": old["name"], **request}, old["createdAt"])
            self._require_free(parent, record["name"], id)
            values = (record["name"], orjson.dumps(record).decode(), parent, id)
            db.execute(
                "UPDATE gateways SET name = ?, body = ? WHERE parent = ? AND id = ?", values
            )
        return record

    def get(self, parent: str, id: str) -> Record | None:
        query = "SELECT body FROM gateways WHERE parent = ? AND id = ?"
        row = self._store.read().execute(query, (parent, id)).fetchone()
        return None if row is None else _read(row)

    def all(self, parent: str) -> list[Record]:
        """By name."""
        query = "SELECT body FROM gateways WHERE parent = ? ORDER BY name"
        return [_read(row) for row in self._store.read().execute(query, (parent,)).fetchall()]

    def delete(self, parent: str, id: str) -> None:
        """ConflictException while there are targets below."""
        with self._store.write() as db:
            if self.all(id):
                raise AwsError("ConflictException", f"Gateway {id} has targets: delete them first")
            db.execute("DELETE FROM gateways WHERE parent = ? AND id = ?", (parent, id))

    def _require_free(self, parent: str, name: str, id: str) -> None:
        query = "SELECT id FROM gateways WHERE parent = ? AND name = ? AND id <> ?"
        if self._store.read().execute(query, (parent, name, id)).fetchone():
            raise AwsError("ConflictException", f"A resource with the name {name} already exists")


def _record(id: str, request: Mapping[str, Any], created: datetime) -> Record:
    kept = {name: value for name, value in request.items() if name not in _UNKEPT}
    return {**kept, "id": id, "createdAt": created, "updatedAt": datetime.now(UTC)}


def _read(row: tuple[str]) -> Record:
    record = orjson.loads(row[0])
    times = {name: datetime.fromisoformat(record[name]) for name in ("createdAt", "updatedAt")}
    return record | times
