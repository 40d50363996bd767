"""Reading log events from SQLite in (time, arrival) order, from a position that a token names."""

import sqlite3
from collections.abc import Iterator

from localaws.errors import AwsError

Position = tuple[int, int]
Bounds = tuple[int, int]
Row = tuple[int, int, int, str]
"""(at_ms, id, ingested_ms, message)"""

START: Position = (0, -1)
END: Position = (2**62, 2**62)

_MAX_PAGE_BYTES = 1024 * 1024
_EVENT_OVERHEAD_BYTES = 26


def position_token(direction: str, position: Position) -> str:
    return f"{direction}/{position[0]:020d}/{position[1]:020d}"


def parse_position(token: str) -> tuple[str, Position]:
    """(direction, position) of a token; the direction is f or b."""
    try:
        direction, at, event_id = token.split("/")
        position = (int(at), int(event_id))
    except ValueError as error:
        message = "The specified nextToken is invalid."
        raise AwsError("InvalidParameterException", message) from error
    if direction not in ("f", "b"):
        raise AwsError("InvalidParameterException", "The specified nextToken is invalid.")
    return direction, position


def stream_rows(
    db: sqlite3.Connection,
    stream_id: int,
    forward: bool,
    position: Position,
    bounds: Bounds,
    limit: int,
) -> list[Row]:
    """Up to `limit` events (and 1 MB) after or before a position, oldest first."""
    comparator, direction = (">", "ASC") if forward else ("<", "DESC")
    rows = db.execute(
        "SELECT at_ms, id, ingested_ms, message FROM log_events"
        f" WHERE stream_id=? AND (at_ms, id) {comparator} (?, ?) AND at_ms >= ? AND at_ms < ?"
        f" ORDER BY at_ms {direction}, id {direction} LIMIT ?",
        (stream_id, *position, *bounds, limit),
    )
    taken, size = [], 0
    for row in rows:
        size += len(row[3].encode()) + _EVENT_OVERHEAD_BYTES
        if taken and size > _MAX_PAGE_BYTES:
            break
        taken.append(row)
    return taken if forward else taken[::-1]


def group_rows(
    db: sqlite3.Connection,
    group_id: int,
    stream_ids: list[int] | None,
    position: Position,
    bounds: Bounds,
) -> Iterator[tuple[int, int, int, str, int]]:
    """Events of a group, or of some of its streams, with their stream ids; oldest first."""
    scope, arguments = "group_id=?", [group_id]
    if stream_ids is not None:
        scope = f"stream_id IN ({', '.join('?' * len(stream_ids))})"
        arguments = stream_ids
    return db.execute(
        "SELECT at_ms, id, ingested_ms, message, stream_id FROM log_events"
        f" WHERE {scope} AND (at_ms, id) > (?, ?) AND at_ms >= ? AND at_ms < ?"
        " ORDER BY at_ms, id",
        (*arguments, *position, *bounds),
    )
