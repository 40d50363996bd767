"""CloudWatch Logs: groups, streams and events, with tokens that let a reader follow a stream.

Events older than their group's retention are removed once an hour at most, when new ones arrive.
"""

import sqlite3
import time
from collections.abc import Callable, Sequence
from typing import Any

from localaws.errors import AwsError
from localaws.log_pattern import parse_pattern
from localaws.log_rows import END, START, group_rows, parse_position, position_token, stream_rows
from localaws.log_shapes import described_group, described_stream, filtered
from localaws.paging import offset_of, page, token_of
from localaws.store import Store

SCHEMA = """
CREATE TABLE IF NOT EXISTS log_groups(
  id INTEGER PRIMARY KEY, name TEXT UNIQUE NOT NULL, created_ms INTEGER NOT NULL,
  retention_days INTEGER);
CREATE TABLE IF NOT EXISTS log_streams(
  id INTEGER PRIMARY KEY, group_id INTEGER NOT NULL, name TEXT NOT NULL,
  created_ms INTEGER NOT NULL, first_ms INTEGER, last_ms INTEGER, ingested_ms INTEGER,
  UNIQUE(group_id, name));
CREATE TABLE IF NOT EXISTS log_events(
  id INTEGER PRIMARY KEY, group_id INTEGER NOT NULL, stream_id INTEGER NOT NULL,
  at_ms INTEGER NOT NULL, ingested_ms INTEGER NOT NULL, message TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS log_events_stream ON log_events(stream_id, at_ms, id);
CREATE INDEX IF NOT EXISTS log_events_group ON log_events(group_id, at_ms, id);
"""

WriteLog = Callable[[str, str, list[tuple[int, str]]], None]
"""`Logs.append`: (group, stream, [(epoch milliseconds, line)])"""

_MAX_EVENTS = 10_000
_MAX_SCANNED = 50_000
_LIST_SIZE = 50
_NO_END = 2**62
_LAST = "\U0010ffff"
_SWEEP_SECONDS = 3600
_DAY_MS = 86_400_000
_RETENTION_DAYS = (1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827)
_RETENTION_DAYS += (2192, 2557, 2922, 3288, 3653)


class Logs:
    """`now` gives epoch seconds."""

    service_name = "logs"

    def __init__(self, store: Store, now: Callable[[], float] = time.time):
        self._store = store
        self._now = now
        self._swept_at = 0.0
        store.ensure(SCHEMA)

    def append(self, group: str, stream: str, events: Sequence[tuple[int, str]]) -> None:
        """(milliseconds, message) events; group and stream are made where absent."""
        with self._store.write() as db:
            group_id = self._made_group(db, group)
            self._add(db, group_id, self._made_stream(db, group_id, stream), events)

    def create_log_group(self, request: dict[str, Any]) -> dict[str, Any]:
        with self._store.write() as db:
            if _find_group(db, request["logGroupName"]) is not None:
                raise _exists("log group")
            self._made_group(db, request["logGroupName"])
        return {}

    def create_log_stream(self, request: dict[str, Any]) -> dict[str, Any]:
        with self._store.write() as db:
            group_id = _group(db, request)
            if _find_stream(db, group_id, request["logStreamName"]) is not None:
                raise _exists("log stream")
            self._made_stream(db, group_id, request["logStreamName"])
        return {}

    def delete_log_group(self, request: dict[str, Any]) -> dict[str, Any]:
        with self._store.write() as db:
            group_id = _group(db, request)
            db.execute("DELETE FROM log_events WHERE group_id=?", (group_id,))
            db.execute("DELETE FROM log_streams WHERE group_id=?", (group_id,))
            db.execute("DELETE FROM log_groups WHERE id=?", (group_id,))
        return {}

    def put_retention_policy(self, request: dict[str, Any]) -> dict[str, Any]:
        if request["retentionInDays"] not in _RETENTION_DAYS:
            raise _invalid(f"retentionInDays must be one of {list(_RETENTION_DAYS)}")
        self._set_retention(request, request["retentionInDays"])
        return {}

    def delete_retention_policy(self, request: dict[str, Any]) -> dict[str, Any]:
        self._set_retention(request, None)
        return {}

    def put_log_events(self, request: dict[str, Any]) -> dict[str, Any]:
        events = [(event["timestamp"], event["message"]) for event in request["logEvents"]]
        if any(a[0] > b[0] for a, b in zip(events, events[1:], strict=False)):
            raise _invalid(
                "Log events in a single PutLogEvents request must be in chronological order."
            )
        if len(events) > _MAX_EVENTS:
            raise _invalid("A batch takes at most 10000 log events")
        with self._store.write() as db:
            group_id = _group(db, request)
            self._add(db, group_id, _stream(db, group_id, request), events)
        return {"nextSequenceToken": "0"}

    def describe_log_groups(self, request: dict[str, Any]) -> dict[str, Any]:
        prefix = request.get("logGroupNamePrefix", "")
        part = request.get("logGroupNamePattern", "")
        rows = self._store.read().execute(
            "SELECT name, created_ms, retention_days FROM log_groups ORDER BY name"
        )
        found = [row for row in rows if row[0].startswith(prefix) and part in row[0]]
        token, size = request.get("nextToken"), request.get("limit", _LIST_SIZE)
        groups, more = page(found, token, size, "InvalidParameterException", "nextToken")
        return {"logGroups": [described_group(*row) for row in groups], **more}

    def describe_log_streams(self, request: dict[str, Any]) -> dict[str, Any]:
        db = self._store.read()
        group_id = _group(db, request)
        by_time = request.get("orderBy") == "LastEventTime"
        direction = "DESC" if request.get("descending") else "ASC"
        prefix, limit = request.get("logStreamNamePrefix", ""), request.get("limit", _LIST_SIZE)
        offset = offset_of(request.get("nextToken"), "InvalidParameterException")
        rows = db.execute(
            "SELECT name, created_ms, first_ms, last_ms, ingested_ms FROM log_streams"
            " WHERE group_id=? AND name >= ? AND name < ?"
            f" ORDER BY {'last_ms' if by_time else 'name'} {direction}, name LIMIT ? OFFSET ?",
            (group_id, prefix, prefix + _LAST, limit + 1, offset),
        ).fetchall()
        listed = [described_stream(_group_name(request), row) for row in rows[:limit]]
        more = {"nextToken": token_of(str(offset + limit))} if len(rows) > limit else {}
        return {"logStreams": listed, **more}

    def get_log_events(self, request: dict[str, Any]) -> dict[str, Any]:
        """Tokens name positions; a forward token at the end comes back until events follow."""
        db = self._store.read()
        stream_id = _stream(db, _group(db, request), request)
        token = request.get("nextToken")
        forward, position = bool(request.get("startFromHead")), START
        if token:
            direction, position = parse_position(token)
            forward = direction == "f"
        elif not forward:
            position = END
        limit = min(request.get("limit", _MAX_EVENTS), _MAX_EVENTS)
        rows = stream_rows(db, stream_id, forward, position, _bounds(request), limit)
        at_end = position if position != END else START
        events = [
            {"timestamp": at, "message": message, "ingestionTime": ingested}
            for at, _, ingested, message in rows
        ]
        return {
            "events": events,
            "nextForwardToken": position_token("f", rows[-1][:2] if rows else at_end),
            "nextBackwardToken": position_token("b", rows[0][:2] if rows else at_end),
        }

    def filter_log_events(self, request: dict[str, Any]) -> dict[str, Any]:
        """Events of all or some streams in time order, page by page."""
        pattern = parse_pattern(request.get("filterPattern", ""))
        db = self._store.read()
        group_id = _group(db, request)
        names = _stream_names(db, group_id, request)
        some = bool(request.get("logStreamNames") or request.get("logStreamNamePrefix"))
        token = request.get("nextToken")
        position = parse_position(token)[1] if token else START
        limit = min(request.get("limit", _MAX_EVENTS), _MAX_EVENTS)
        scanned, events = 0, []
        stream_ids = list(names) if some else None
        for row in group_rows(db, group_id, stream_ids, position, _bounds(request)):
            scanned, position = scanned + 1, (row[0], row[1])
            if pattern.matches(row[3]):
                events.append(filtered(row, names.get(row[4], "")))
            if len(events) >= limit or scanned >= _MAX_SCANNED:
                return {"events": events, "nextToken": position_token("f", position)}
        return {"events": events, "searchedLogStreams": []}

    def _set_retention(self, request: dict[str, Any], days: int | None) -> None:
        with self._store.write() as db:
            row = (days, _group(db, request))
            db.execute("UPDATE log_groups SET retention_days=? WHERE id=?", row)
        self._swept_at = 0.0

    def _sweep(self, db: sqlite3.Connection) -> None:
        if self._now() - self._swept_at < _SWEEP_SECONDS:
            return
        self._swept_at = self._now()
        query = "SELECT id, retention_days FROM log_groups WHERE retention_days IS NOT NULL"
        for group_id, days in db.execute(query).fetchall():
            oldest = self._milliseconds() - days * _DAY_MS
            db.execute("DELETE FROM log_events WHERE group_id=? AND at_ms < ?", (group_id, oldest))

    def _milliseconds(self) -> int:
        return int(self._now() * 1000)

    def _made_group(self, db: sqlite3.Connection, name: str) -> int:
        db.execute(
            "INSERT OR IGNORE INTO log_groups(name, created_ms) VALUES(?,?)",
            (name, self._milliseconds()),
        )
        return db.execute("SELECT id FROM log_groups WHERE name=?", (name,)).fetchone()[0]

    def _made_stream(self, db: sqlite3.Connection, group_id: int, name: str) -> int:
        db.execute(
            "INSERT OR IGNORE INTO log_streams(group_id, name, created_ms) VALUES(?,?,?)",
            (group_id, name, self._milliseconds()),
        )
        found = _find_stream(db, group_id, name)
        assert found is not None
        return found

    def _add(
        self,
        db: sqlite3.Connection,
        group_id: int,
        stream_id: int,
        events: Sequence[tuple[int, str]],
    ) -> None:
        if not events:
            return
        ingested = self._milliseconds()
        db.executemany(
            "INSERT INTO log_events(group_id, stream_id, at_ms, ingested_ms, message)"
            " VALUES(?,?,?,?,?)",
            [(group_id, stream_id, at, ingested, message) for at, message in events],
        )
        times = [at for at, _ in events]
        db.execute(
            "UPDATE log_streams SET ingested_ms=?1, first_ms=MIN(COALESCE(first_ms, ?2), ?2),"
            " last_ms=MAX(COALESCE(last_ms, ?3), ?3) WHERE id=?4",
            (ingested, min(times), max(times), stream_id),
        )
        self._sweep(db)


def _group_name(request: dict[str, Any]) -> str:
    """By name, or by ARN as some clients give it."""
    name = request.get("logGroupName") or request.get("logGroupIdentifier") or ""
    return name.split(":log-group:")[-1].removesuffix(":*")


def _find_group(db: sqlite3.Connection, name: str) -> int | None:
    row = db.execute("SELECT id FROM log_groups WHERE name=?", (name,)).fetchone()
    return row[0] if row else None


def _find_stream(db: sqlite3.Connection, group_id: int, name: str) -> int | None:
    sql = "SELECT id FROM log_streams WHERE group_id=? AND name=?"
    row = db.execute(sql, (group_id, name)).fetchone()
    return row[0] if row else None


def _group(db: sqlite3.Connection, request: dict[str, Any]) -> int:
    found = _find_group(db, _group_name(request))
    if found is None:
        message = "The specified log group does not exist."
        raise AwsError("ResourceNotFoundException", message)
    return found


def _stream(db: sqlite3.Connection, group_id: int, request: dict[str, Any]) -> int:
    found = _find_stream(db, group_id, request["logStreamName"])
    if found is None:
        message = "The specified log stream does not exist."
        raise AwsError("ResourceNotFoundException", message)
    return found


def _stream_names(
    db: sqlite3.Connection, group_id: int, request: dict[str, Any]
) -> dict[int, str]:
    wanted = request.get("logStreamNames")
    prefix = request.get("logStreamNamePrefix", "")
    rows = db.execute("SELECT id, name FROM log_streams WHERE group_id=?", (group_id,)).fetchall()
    missing = set(wanted or ()) - {name for _, name in rows}
    if missing:
        message = "The specified log stream does not exist."
        raise AwsError("ResourceNotFoundException", message)
    return {
        stream_id: name
        for stream_id, name in rows
        if (wanted is None or name in wanted) and name.startswith(prefix)
    }


def _bounds(request: dict[str, Any]) -> tuple[int, int]:
    return request.get("startTime", 0), request.get("endTime", _NO_END)


def _exists(what: str) -> AwsError:
    message = f"The specified {what} already exists"
    return AwsError("ResourceAlreadyExistsException", message)


def _invalid(message: str) -> AwsError:
    return AwsError("InvalidParameterException", message)
