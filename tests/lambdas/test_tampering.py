"""A finished run, and every stored thing of it altered, removed or doubled: `verify` or `replay` finds it.

What neither can find is named here, and in docs/decisions.md.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

import pytest

from mlops.aws.clients import Aws
from mlops.aws.tables import BY_PLAN, EVENTS, JOBS, LEDGER, PLANS, SESSIONS
from mlops.errors import OpsError
from mlops.ledger import plan_scope
from workbench.decisions import DecisionLog

Item = dict[str, Any]
Change = Callable[[Item], Item | None]

# Nobody else wrote these down, or they are marks of work that is still to do.
NOT_COVERED = {
    "ledger entry": {"at", "note"},
    "plan": {"session_id", "created_at"},
    "approval": {"created_at", "open"},
    "job": {"person", "created_at", "open"},
}


@dataclass
class Store:
    """The tables, as somebody with access to them uses them."""

    aws: Aws
    decided: DecisionLog

    def rows(self, table: str, **key: str) -> list[Item]:
        [(name, value)] = key.items()
        answer = self.aws.dynamodb.query(
            TableName=table,
            KeyConditionExpression="#k = :v",
            ExpressionAttributeNames={"#k": name},
            ExpressionAttributeValues={":v": value},
        )
        return [item for item in answer["Items"] if item.get("seq") != 0]

    @contextmanager
    def written(self, table: str, *items: Item) -> Iterator[None]:
        """For a while, in place of what has the same key; an item of two keys alone is removed."""
        keys = [self._key(table, item) for item in items]
        read = self.aws.dynamodb.get_item
        before = [read(TableName=table, Key=key).get("Item") for key in keys]
        for key, item in zip(keys, items, strict=True):
            self._put(table, key, item if item != key else None)
        yield
        for key, item in zip(keys, before, strict=True):
            self._put(table, key, item)

    def is_found(self) -> bool:
        """By a flaw, a difference, or because it cannot be read any more."""
        try:
            if self.decided.verify("s1").flaw is not None:
                return True
            return self.decided.replay("s1").differences != ()
        except OpsError:
            return True

    def gone(self, table: str, item: Item) -> Item:
        return self._key(table, item)

    def _put(self, table: str, key: Item, item: Item | None) -> None:
        if item is None:
            self.aws.dynamodb.delete_item(TableName=table, Key=key)
        else:
            self.aws.dynamodb.put_item(TableName=table, Item=item)

    def _key(self, table: str, item: Item) -> Item:
        return {name: item[name] for name in _KEYS[table]}


_KEYS = {
    EVENTS: ("session_id", "seq"),
    SESSIONS: ("session_id",),
    PLANS: ("plan_id", "part"),
    JOBS: ("job_name",),
    LEDGER: ("scope", "entry"),
}


@pytest.fixture
def store(aws: Aws, decided: DecisionLog, plan_id: str) -> Store:
    made = Store(aws, decided)
    assert not made.is_found()
    return made


def other(value: Any) -> Any:
    """Another value of the same type, so that it can still be read."""
    if isinstance(value, bool) or value is None:
        return not value if value is not None else "1.00"
    if isinstance(value, int | float | Decimal):
        return value + 1
    if isinstance(value, dict):
        return {**value, **{name: other(inner) for name, inner in list(value.items())[:1]}} or {
            "f1": 1.0
        }
    if isinstance(value, list):
        return value[1:] if value else ["x"]
    if not isinstance(value, str):
        return b"other"
    return _other_text(value)


def _other_text(value: str) -> str:
    try:
        return (datetime.fromisoformat(value) + timedelta(hours=1)).isoformat()
    except ValueError:
        pass
    try:
        return str(Decimal(value) + 1)
    except InvalidOperation:
        return f"{value}x"


def of_body(item: Item, name: str) -> Item:
    """The item with one field of its JSON changed."""
    body = json.loads(item["body"])
    return {**item, "body": json.dumps({**body, name: other(body[name])})}


def missed(store: Store, table: str, changed: dict[str, Item]) -> list[str]:
    """Names of the changes that nothing finds."""
    found: list[str] = []
    for name, item in changed.items():
        with store.written(table, item):
            found += [] if store.is_found() else [name]
    assert not store.is_found()
    return found


def test_every_event(store: Store):
    events = store.rows(EVENTS, session_id="s1")
    last = int(events[-1]["seq"])
    changed: dict[str, Item] = {}
    for event in events:
        seq = int(event["seq"])
        changed[f"remove {seq}"] = store.gone(EVENTS, event)
        changed[f"double {seq}"] = {**event, "seq": last + 1}
        for name in event.keys() - {"session_id", "seq"}:
            value = json.dumps({}) if name == "data" else other(event[name])
            changed[f"{name} of {seq}"] = {**event, name: value}
    assert len(changed) > 7 * len(events) - 1
    assert missed(store, EVENTS, changed) == []


def test_events_that_changed_places(store: Store):
    first, second = store.rows(EVENTS, session_id="s1")[2:4]
    swapped = {**first, "seq": second["seq"]}, {**second, "seq": first["seq"]}
    with store.written(EVENTS, *swapped):
        assert store.is_found()


def test_the_head(store: Store):
    [head] = store.rows(SESSIONS, session_id="s1")
    changed = {name: {**head, name: other(head[name])} for name in ("seq", "hash")}
    changed["no seq"] = {name: value for name, value in head.items() if name != "seq"}
    changed["remove"] = store.gone(SESSIONS, head)
    assert missed(store, SESSIONS, changed) == []


@pytest.mark.parametrize("part", ["PLAN", "APPROVAL", "INPUTS"])
def test_the_plan_its_approval_and_its_inputs(store: Store, plan_id: str, part: str):
    [item] = [i for i in store.rows(PLANS, plan_id=plan_id) if i["part"] == part]
    changed = {"remove": store.gone(PLANS, item), "body": {**item, "body": other(item["body"])}}
    if part != "INPUTS":
        # When it was booked is beside the body, which is older.
        fields = json.loads(item["body"]).keys() - {"booked_at"}
        changed |= {name: of_body(item, name) for name in fields}
        beside = item.keys() - {"plan_id", "part", "body"} - NOT_COVERED[part.lower()]
        changed |= {f"{name} beside it": {**item, name: other(item[name])} for name in beside}
    assert missed(store, PLANS, changed) == []


@pytest.mark.parametrize("status", ["approved", "declined"])
def test_an_approval_that_is_open_again(store: Store, plan_id: str, status: str):
    [item] = [i for i in store.rows(PLANS, plan_id=plan_id) if i["part"] == "APPROVAL"]
    body = {**json.loads(item["body"]), "status": status}
    assert missed(store, PLANS, {status: {**item, "body": json.dumps(body)}}) == []


def test_every_field_of_the_job(store: Store, plan_id: str, aws: Aws):
    [item] = aws.dynamodb.query(
        TableName=JOBS,
        IndexName=BY_PLAN,
        KeyConditionExpression="plan_id = :p",
        ExpressionAttributeValues={":p": plan_id},
    )["Items"]
    body = json.loads(item["body"])
    changed = {name: of_body(item, name) for name in body}
    for name, value in (("state", "failed"), ("end_reason", "error"), ("model_uri", None)):
        changed[f"{name} {value}"] = {**item, "body": json.dumps({**body, name: value})}
    another = {**body, "job_name": f"{item['job_name']}0"}
    double = {"job_name": another["job_name"], "body": json.dumps(another)}
    changed |= {"remove": store.gone(JOBS, item), "double": {**item, **double}}
    changed["plan_id of the item"] = {**item, "plan_id": "plan-other"}
    assert item.keys() <= {"job_name", "plan_id", "body", *NOT_COVERED["job"]}
    assert missed(store, JOBS, changed) == []


@pytest.mark.parametrize("is_careful", [False, True], ids=["totals kept", "totals adjusted"])
def test_every_booking(store: Store, plan_id: str, is_careful: bool):
    rows = store.rows(LEDGER, scope=plan_scope(plan_id))
    [total] = [row for row in rows if row["entry"] == "TOTAL"]
    entries = [row for row in rows if row is not total]
    assert {e["entry"].partition("#")[0] for e in entries} >= {"reserve", "settle", "release"}
    found: list[str] = []
    for entry in entries:
        assert (
            entry.keys() - {"scope", "entry", "spent", "reserved"} == NOT_COVERED["ledger entry"]
        )
        for name, changed in _bookings(store, entry).items():
            books = [{**total, **_sums(total, entry, changed)}] if is_careful else []
            with store.written(LEDGER, *changed, *books):
                found += [] if store.is_found() else [f"{name} {entry['entry']}"]
    assert found == []
    assert not store.is_found()


def test_the_totals(store: Store, plan_id: str):
    rows = store.rows(LEDGER, scope=plan_scope(plan_id))
    [total] = [row for row in rows if row["entry"] == "TOTAL"]
    names = total.keys() - set(_KEYS[LEDGER])
    changed = {name: {**total, name: other(total[name])} for name in names}
    assert changed.keys() == {"limit", "spent", "reserved", "left"}
    changed["remove"] = store.gone(LEDGER, total)
    assert missed(store, LEDGER, changed) == []


def test_the_whole_ledger(store: Store, plan_id: str):
    rows = store.rows(LEDGER, scope=plan_scope(plan_id))
    with store.written(LEDGER, *(store.gone(LEDGER, row) for row in rows)):
        assert store.is_found()


def _bookings(store: Store, entry: Item) -> dict[str, tuple[Item, ...]]:
    """One entry altered, removed, and added to or replaced by one of another key."""
    kind, gone = entry["entry"].partition("#")[0], store.gone(LEDGER, entry)
    return {
        "spent of": ({**entry, "spent": entry["spent"] + 1000},),
        "reserved of": ({**entry, "reserved": entry["reserved"] + 1000},),
        "remove": (gone,),
        "double": ({**entry, "entry": f"{entry['entry']}0"},),
        "rename": (gone, {**entry, "entry": f"{kind}#forged"}),
        "adjust beside": ({**entry, "entry": "adjust#forged", "spent": 5, "reserved": 0},),
        "tokens beside": ({**entry, "entry": "tokens#forged", "spent": 5, "reserved": 0},),
    }


def _sums(total: Item, entry: Item, changed: tuple[Item, ...]) -> Item:
    """The totals as they would be, had the changed entries been booked."""
    sums = {name: total[name] for name in ("spent", "reserved")}
    for item in changed:
        was = entry if item["entry"] == entry["entry"] else {}
        for name in sums:
            sums[name] += item.get(name, 0) - was.get(name, 0)
    return {**sums, "left": total["limit"] - sums["spent"] - sums["reserved"]}
