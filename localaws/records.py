"""JSON records of one kind by name in SQLite, with times: what Create, Describe and List work on."""

import json
import sqlite3
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from localaws.paging import page
from localaws.store import Store

Record = dict[str, Any]
SCHEMA = """
CREATE TABLE IF NOT EXISTS records(
  kind TEXT NOT NULL, name TEXT NOT NULL, record TEXT NOT NULL, PRIMARY KEY(kind, name)
) WITHOUT ROWID;
"""

_TIME = "__time__"
_MAX_PAGE = 100


class Records:
    """Datetimes in a record come back as aware datetimes."""

    def __init__(self, store: Store, kind: str):
        store.ensure(SCHEMA)
        self._store = store
        self._kind = kind

    def get(self, name: str) -> Record | None:
        query = "SELECT record FROM records WHERE kind=? AND name=?"
        row = self._store.read().execute(query, (self._kind, name)).fetchone()
        return decode(row[0]) if row else None

    def put(self, name: str, record: Record) -> None:
        with self._store.write() as db:
            row = (self._kind, name, encode(record))
            db.execute("INSERT OR REPLACE INTO records VALUES(?,?,?)", row)

    def add(self, name: str, record: Record) -> bool:
        """False, and nothing written, where there is one of this name."""
        with self._store.write() as db:
            row = (self._kind, name, encode(record))
            return _changed(db.execute("INSERT OR IGNORE INTO records VALUES(?,?,?)", row))

    def delete(self, name: str) -> bool:
        """False where there was none."""
        with self._store.write() as db:
            query = "DELETE FROM records WHERE kind=? AND name=?"
            return _changed(db.execute(query, (self._kind, name)))

    def all(self, prefix: str = "") -> list[Record]:
        """In the order of their names."""
        query = "SELECT record FROM records WHERE kind=? AND substr(name, 1, ?)=? ORDER BY name"
        rows = self._store.read().execute(query, (self._kind, len(prefix), prefix))
        return [decode(row[0]) for row in rows]


def now() -> datetime:
    return datetime.now(UTC)


def encode(record: Record) -> str:
    return json.dumps(record, default=lambda value: {_TIME: value.isoformat()})


def decode(text: str) -> Record:
    return json.loads(text, object_hook=_revive)


def listed(
    records: list[Record],
    request: Mapping[str, Any],
    name: str,
    status: str = "",
    order: str = "Descending",
) -> tuple[list[Record], dict[str, str]]:
    """One page as SageMaker lists: filters first, then order, then the page and its NextToken.

    `name` and `status` say which members the filters and SortBy mean; `order` is the default.
    """
    sort_by = {"Name": name, "Status": status}.get(request.get("SortBy", ""), "CreationTime")
    found = [record for record in records if _meets(record, request, name, status)]
    found.sort(key=lambda record: (record[sort_by], record[name]))
    if request.get("SortOrder", order) == "Descending":
        found.reverse()
    size = min(int(request.get("MaxResults") or 10), _MAX_PAGE)
    return page(found, request.get("NextToken"), size, "ValidationException")


def picked(record: Record, *members: str) -> Record:
    """The members that the record has, for a summary."""
    return {member: record[member] for member in members if member in record}


def _changed(cursor: sqlite3.Cursor) -> bool:
    return cursor.rowcount == 1


def _revive(value: dict[str, Any]) -> Any:
    return datetime.fromisoformat(value[_TIME]) if value.keys() == {_TIME} else value


def _meets(record: Record, request: Mapping[str, Any], name: str, status: str) -> bool:
    wanted = request.get("NameContains")
    if wanted and wanted.lower() not in str(record[name]).lower():
        return False
    if request.get("StatusEquals") and record[status] != request["StatusEquals"]:
        return False
    for member in ("CreationTime", "LastModifiedTime"):
        after, before = request.get(f"{member}After"), request.get(f"{member}Before")
        if after and record[member] <= after or before and record[member] >= before:
            return False
    return True
