"""EventBridge Scheduler: one-time and rate schedules that really invoke Lambda functions.

A firing and its queued invocation are one transaction; a one-time schedule that fell due while no
server ran fires at the next start. Known differences: the default group only, a flexible window
fires at its beginning, retries are those of the function queue, no dead-letter queue.
"""

import json
import sqlite3
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from localaws.beat import Beat
from localaws.errors import AwsError, arn_of, invalid
from localaws.events import Enqueue, envelope
from localaws.paging import page
from localaws.records import Record, Records, picked
from localaws.schedule_times import timing
from localaws.store import Store

_SCHEMA = """
CREATE TABLE IF NOT EXISTS schedule_due(name TEXT PRIMARY KEY, due REAL NOT NULL) WITHOUT ROWID;
"""
_GROUP = "default"
_SETTINGS = (
    "Name",
    "ScheduleExpression",
    "ScheduleExpressionTimezone",
    "StartDate",
    "EndDate",
    "Description",
    "State",
    "Target",
    "FlexibleTimeWindow",
    "ActionAfterCompletion",
)
_SUMMARY = ("Arn", "Name", "GroupName", "State", "CreationDate", "LastModificationDate")


class Scheduler:
    service_name = "scheduler"

    def __init__(self, store: Store, enqueue: Enqueue, clock: Callable[[], float] = time.time):
        store.ensure(_SCHEMA)
        self._store = store
        self._schedules = Records(store, "schedule")
        self._enqueue = enqueue
        self._clock = clock
        self._beat = Beat("scheduler", self.fire_due)

    def start(self) -> None:
        self._beat.start()

    def close(self) -> None:
        self._beat.close()

    def pending(self) -> int:
        """One-time schedules that are still to fire."""
        due = {row[0] for row in self._store.read().execute("SELECT name FROM schedule_due")}
        return sum(s["Name"] in due and _is_once(s) for s in self._schedules.all())

    def create_schedule(self, request: dict[str, Any]) -> dict[str, Any]:
        record = _record(request, self._now())
        with self._store.write() as db:
            if not self._schedules.add(record["Name"], record):
                message = f"Schedule {record['Name']} already exists."
                raise AwsError("ConflictException", message, 409)
            _set_due(db, record, timing(record).first())
        return {"ScheduleArn": record["Arn"]}

    def update_schedule(self, request: dict[str, Any]) -> dict[str, Any]:
        """Replaces all settings, as AWS does; a rate counts from now."""
        with self._store.write() as db:
            created = self._find(request)["CreationDate"]
            record = _record(request, self._now())
            _set_due(db, record, timing(record).first())
            self._schedules.put(record["Name"], record | {"CreationDate": created})
        return {"ScheduleArn": record["Arn"]}

    def get_schedule(self, request: dict[str, Any]) -> dict[str, Any]:
        return self._find(request)

    def list_schedules(self, request: dict[str, Any]) -> dict[str, Any]:
        _check_group(request)
        state = request.get("State")
        found = [
            {**picked(record, *_SUMMARY), "Target": {"Arn": record["Target"]["Arn"]}}
            for record in self._schedules.all(request.get("NamePrefix", ""))
            if state in (None, record["State"])
        ]
        size = request.get("MaxResults") or 100
        rows, more = page(found, request.get("NextToken"), size, "ValidationException")
        return {"Schedules": rows, **more}

    def delete_schedule(self, request: dict[str, Any]) -> dict[str, Any]:
        with self._store.write() as db:
            self._find(request)
            self._forget(db, request["Name"])
        return {}

    def fire_due(self) -> None:
        """Fires what is due, each in a transaction of its own."""
        query = "SELECT name, due FROM schedule_due WHERE due <= ? ORDER BY due"
        for name, due in self._store.read().execute(query, (self._clock(),)).fetchall():
            with self._store.write() as db:
                record = self._schedules.get(name)
                row = db.execute("SELECT due FROM schedule_due WHERE name=?", (name,)).fetchone()
                if record is not None and row == (due,):
                    self._fire(db, record, due)

    def _fire(self, db: sqlite3.Connection, record: Record, due: float) -> None:
        self._enqueue(record["Target"]["Arn"], _event(record, due))
        following = timing(record).after(self._clock())
        if following is None and record.get("ActionAfterCompletion") == "DELETE":
            self._forget(db, record["Name"])
        else:
            _set_due(db, record, following)

    def _find(self, request: dict[str, Any]) -> Record:
        _check_group(request)
        found = self._schedules.get(request["Name"])
        if found is None:
            message = f"Schedule {request['Name']} does not exist."
            raise AwsError("ResourceNotFoundException", message, 404)
        return found

    def _forget(self, db: sqlite3.Connection, name: str) -> None:
        self._schedules.delete(name)
        db.execute("DELETE FROM schedule_due WHERE name=?", (name,))

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock(), UTC)


def _record(request: dict[str, Any], at: datetime) -> Record:
    """Checked; the times of a rate are those of `at`."""
    _check_group(request)
    target = request["Target"]
    if ":lambda:" not in target["Arn"]:
        raise invalid(f"{target['Arn']} is not a Lambda function, the only target known here.")
    if target.get("Input"):
        _parsed(target["Input"])
    window = request["FlexibleTimeWindow"]
    if (window["Mode"] == "FLEXIBLE") != ("MaximumWindowInMinutes" in window):
        raise invalid("MaximumWindowInMinutes is needed with, and only with, Mode FLEXIBLE.")
    record = {
        "State": "ENABLED",
        "ScheduleExpressionTimezone": "UTC",
        "ActionAfterCompletion": "NONE",
        **picked(request, *_SETTINGS),
        "Arn": arn_of("scheduler", f"schedule/{_GROUP}/{request['Name']}"),
        "GroupName": _GROUP,
        "CreationDate": at,
        "LastModificationDate": at,
    }
    timing(record)
    return record


def _set_due(db: sqlite3.Connection, record: Record, due: float | None) -> None:
    if due is None or record["State"] != "ENABLED":
        db.execute("DELETE FROM schedule_due WHERE name=?", (record["Name"],))
    else:
        db.execute("INSERT OR REPLACE INTO schedule_due VALUES(?,?)", (record["Name"], due))


def _is_once(record: Record) -> bool:
    return record["ScheduleExpression"].startswith("at(")


def _event(record: Record, due: float) -> Any:
    """The target's Input with its context attributes filled in, or AWS's own event without one."""
    at = datetime.fromtimestamp(due, UTC)
    default = envelope("aws.scheduler", "Scheduled Event", record["Arn"], "{}", at)
    text = record["Target"].get("Input")
    if not text:
        return default
    for name, value in (
        ("schedule-arn", record["Arn"]),
        ("scheduled-time", default["time"]),
        ("execution-id", default["id"]),
        ("attempt-number", "1"),
    ):
        text = text.replace(f"<aws.scheduler.{name}>", value)
    return _parsed(text)


def _check_group(request: dict[str, Any]) -> None:
    group = request.get("GroupName") or _GROUP
    if group != _GROUP:
        message = f"Schedule group {group} does not exist."
        raise AwsError("ResourceNotFoundException", message, 404)


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise invalid(f"Input of a Lambda target must be JSON: {error}.") from error
