"""The EventBridge service: rules by pattern or rate, Lambda targets, and the loop that fires rates.

Patterns match by equality of values, as deep as they go; content filters, cron expressions and
other targets are refused. Delivery is an asynchronous invocation with its retries.
"""

import json
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from localaws.beat import Beat
from localaws.errors import ACCOUNT_ID, REGION, AwsError, arn_of, invalid
from localaws.schedule_times import rate_seconds
from localaws.store import Store

_SCHEMA = """
CREATE TABLE IF NOT EXISTS event_rules (
    name TEXT PRIMARY KEY, rule TEXT NOT NULL, fired REAL NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS event_targets (
    rule TEXT NOT NULL, id TEXT NOT NULL, arn TEXT NOT NULL, PRIMARY KEY (rule, id)
) WITHOUT ROWID;
"""

Enqueue = Callable[[str, Any], None]
"""(function name or ARN, event): joins the present transaction."""


def envelope(source: str, kind: str, resource: str, detail: Any, at: datetime) -> dict[str, Any]:
    """An event as EventBridge words it."""
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": kind,
        "source": source,
        "account": ACCOUNT_ID,
        "time": at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": REGION,
        "resources": [resource],
        "detail": detail,
    }


class Events:
    """`clock` gives epoch seconds."""

    service_name = "events"

    def __init__(self, store: Store, enqueue: Enqueue, clock: Callable[[], float] = time.time):
        store.ensure(_SCHEMA)
        self._store = store
        self._enqueue = enqueue
        self._clock = clock
        self._beat = Beat("rules", self.fire_due)

    def start(self) -> None:
        """Begins to fire schedules; a rate counts from now, missed firings are not made up."""
        with self._store.write() as db:
            db.execute("UPDATE event_rules SET fired = ?", (self._clock(),))
        self._beat.start()

    def close(self) -> None:
        self._beat.close()

    def publish(self, event: dict[str, Any]) -> None:
        """Queues an event for the targets of each rule that matches, in the caller's transaction."""
        for rule in self._rules():
            pattern = rule.get("EventPattern")
            if pattern and rule["State"] == "ENABLED" and _matches(json.loads(pattern), event):
                self._deliver(rule["Name"], event)

    def put_rule(self, request: dict[str, Any]) -> dict[str, Any]:
        pattern, schedule = request.get("EventPattern"), request.get("ScheduleExpression")
        if not pattern and not schedule:
            message = "Parameter(s) EventPattern or ScheduleExpression must be specified."
            raise invalid(message)
        if pattern:
            _check_pattern(pattern)
        if schedule and rate_seconds(schedule) is None:
            message = "Parameter ScheduleExpression is not valid: only rate(...) is known here."
            raise invalid(message)
        name = request["Name"]
        members = ("Name", "EventPattern", "ScheduleExpression", "Description")
        rule = {key: request[key] for key in members if request.get(key)}
        rule |= {"State": request.get("State") or "ENABLED", "Arn": _arn(name)}
        rule["EventBusName"] = "default"
        with self._store.write() as db:
            db.execute(
                "INSERT INTO event_rules VALUES (?, ?, ?)"
                " ON CONFLICT (name) DO UPDATE SET rule = excluded.rule",
                (name, json.dumps(rule), self._clock()),
            )
        return {"RuleArn": rule["Arn"]}

    def put_targets(self, request: dict[str, Any]) -> dict[str, Any]:
        for target in request["Targets"]:
            if ":lambda:" not in target["Arn"]:
                message = f"Parameter {target['Arn']} is not valid: only Lambda is a target here."
                raise invalid(message)
        with self._store.write() as db:
            self._find(request["Rule"])
            rows = [
                (request["Rule"], target["Id"], target["Arn"]) for target in request["Targets"]
            ]
            db.executemany("INSERT OR REPLACE INTO event_targets VALUES (?, ?, ?)", rows)
        return {"FailedEntryCount": 0, "FailedEntries": []}

    def describe_rule(self, request: dict[str, Any]) -> dict[str, Any]:
        return self._find(request["Name"])

    def list_rules(self, request: dict[str, Any]) -> dict[str, Any]:
        prefix = request.get("NamePrefix") or ""
        return {"Rules": [rule for rule in self._rules() if rule["Name"].startswith(prefix)]}

    def list_targets_by_rule(self, request: dict[str, Any]) -> dict[str, Any]:
        self._find(request["Rule"])
        found = self._targets(request["Rule"])
        return {"Targets": [{"Id": target_id, "Arn": arn} for target_id, arn in found]}

    def fire_due(self) -> None:
        """Also when the clock was set back: a watchdog must not wait for it."""
        now = self._clock()
        rows = self._store.read().execute("SELECT rule, fired FROM event_rules").fetchall()
        for text, fired in rows:
            rule = json.loads(text)
            rate = rate_seconds(rule.get("ScheduleExpression", ""))
            if rate is None or rule["State"] != "ENABLED" or 0 <= now - fired < rate:
                continue
            at = datetime.fromtimestamp(now, UTC)
            event = envelope("aws.events", "Scheduled Event", rule["Arn"], {}, at)
            with self._store.write() as db:
                query = "UPDATE event_rules SET fired = ? WHERE name = ?"
                db.execute(query, (now, rule["Name"]))
                self._deliver(rule["Name"], event)

    def _find(self, name: str) -> dict[str, Any]:
        for rule in self._rules():
            if rule["Name"] == name:
                return rule
        message = f"Rule {name} does not exist on EventBus default."
        raise AwsError("ResourceNotFoundException", message)

    def _rules(self) -> list[dict[str, Any]]:
        rows = self._store.read().execute("SELECT rule FROM event_rules ORDER BY name")
        return [json.loads(row[0]) for row in rows.fetchall()]

    def _targets(self, rule: str) -> list[tuple[str, str]]:
        query = "SELECT id, arn FROM event_targets WHERE rule = ? ORDER BY id"
        return self._store.read().execute(query, (rule,)).fetchall()

    def _deliver(self, rule: str, event: dict[str, Any]) -> None:
        for _, arn in self._targets(rule):
            self._enqueue(arn, event)


def _arn(rule: str) -> str:
    return arn_of("events", f"rule/{rule}")


def _check_pattern(text: str) -> None:
    try:
        pattern = json.loads(text)
    except ValueError as error:
        message = f"Event pattern is not valid. Reason: {error}"
        raise AwsError("InvalidEventPatternException", message) from error
    if not isinstance(pattern, dict) or not _is_pattern(pattern):
        message = "Event pattern is not valid. Reason: only lists of plain values are known here."
        raise AwsError("InvalidEventPatternException", message)


def _is_pattern(pattern: dict[str, Any]) -> bool:
    for wanted in pattern.values():
        if isinstance(wanted, dict):
            if not _is_pattern(wanted):
                return False
        elif not isinstance(wanted, list) or any(isinstance(v, dict | list) for v in wanted):
            return False
    return True


def _matches(pattern: dict[str, Any], event: Any) -> bool:
    if not isinstance(event, dict):
        return False
    for key, wanted in pattern.items():
        found = event.get(key)
        if isinstance(wanted, dict):
            if not _matches(wanted, found):
                return False
        elif found not in wanted and not (
            isinstance(found, list) and any(value in wanted for value in found)
        ):
            return False
    return True
