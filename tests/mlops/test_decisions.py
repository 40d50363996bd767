"""The decision log as people read it, and an export that proves itself."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops.decisions import decisions
from mlops.errors import RequestError
from mlops.events import Event, EventKind, Head, chain, inspect
from mlops.exports import export_lines, read_export
from tests.factories import NOW, a_job, a_plan

PLAN = a_plan()
DATA: list[tuple[EventKind, dict[str, Any]]] = [
    (EventKind.USER, {"text": "Train it\x1b[2J"}),
    (EventKind.PLAN, {"plan": PLAN.model_dump(mode="json"), "inputs_sha256": "ab" * 32}),
    (EventKind.APPROVAL, {"plan_id": "p", "status": "approved", "by": "ada", "ceiling_usd": "1"}),
    (EventKind.THINKING, {"text": "booked", "repair": "words_booked"}),
    (EventKind.JOB, {"job": a_job(PLAN).model_dump(mode="json")}),
    (EventKind.COST, {"entry": "tokens", "model_id": "m", "usage": {"input_tokens": 7}}),
    (EventKind.DONE, {}),
]


def a_log(session: str = "s") -> list[Event]:
    head, events = Head(), []
    for kind, data in DATA:
        draft = Event(session=session, seq=0, turn="t", kind=kind, at=NOW, data=data)
        events.append(chain(head, draft))
        head = head_of(events)
    return events


def head_of(events: list[Event]) -> Head:
    return Head(seq=events[-1].seq, hash=events[-1].hash)


LOG = a_log()


def test_who_decided_what():
    found = decisions(LOG)
    assert [d.who for d in found] == ["person", "planner", "ada", "watchdog", "platform", "ledger"]
    assert PLAN.ceiling_usd in found[1].what
    assert "abababababab" in found[1].why
    assert found[3].what == "words booked"
    assert "7 input" in found[5].why


def test_one_kind_only():
    assert [d.kind for d in decisions(LOG, EventKind.APPROVAL)] == [EventKind.APPROVAL]


@given(st.sampled_from(list(EventKind)), st.dictionaries(st.text(), st.none() | st.text()))
def test_any_event_can_be_told(kind: EventKind, data: dict[str, Any]):
    decisions([Event(session="s", seq=1, turn="t", kind=kind, at=NOW, data=data)])


def test_an_untouched_log_holds():
    assert inspect("s", LOG, head_of(LOG)) is None
    assert read_export(export_lines("s", LOG, head_of(LOG))).flaw is None


@st.composite
def mutations(draw: st.DrawFn) -> tuple[list[Event], int]:
    """A log with one thing wrong, and the first number at which it shows."""
    place = draw(st.integers(0, len(LOG) - 1))
    events = list(LOG)
    how = draw(st.sampled_from(["field", "drop", "truncate", "swap", "insert", "foreign"]))
    if how == "field":
        other: dict[str, Any] = {
            "turn": "u",
            "kind": EventKind.ERROR,
            "at": NOW.replace(microsecond=1),
            "data": {**LOG[place].data, "more": None},
            "hash": LOG[place - 1].hash,
            "session": "other",
        }
        field = draw(st.sampled_from(sorted(other)))
        events[place] = LOG[place].model_copy(update={field: other[field]})
    elif how == "drop":
        del events[place]
    elif how == "truncate":
        del events[place:]
    elif how == "swap":
        place = min(place, len(LOG) - 2)
        events[place : place + 2] = reversed(events[place : place + 2])
    elif how == "insert":
        events.insert(place, LOG[place])
        place += 1
    else:
        events[place] = a_log("other")[place]
    return events, place + 1


@given(mutations())
def test_one_thing_wrong_is_found_where_it_is(made: tuple[list[Event], int]):
    events, seq = made
    flaw = inspect("s", events, head_of(LOG))
    assert flaw is not None
    assert flaw.seq == seq


@given(st.data())
def test_any_change_of_an_export_is_found(data: st.DataObject):
    lines = export_lines("s", LOG, head_of(LOG))
    number = data.draw(st.integers(1, len(lines) - 1))
    line = lines[number]
    place = data.draw(st.integers(0, len(line) - 1))
    character = data.draw(st.sampled_from('0aA" ,}').filter(lambda c: c != line[place]))
    lines[number] = line[:place] + character + line[place + 1 :]
    flaw = read_export(lines).flaw
    assert flaw is not None
    assert flaw.seq <= number


def test_a_name_given_twice_is_not_overlooked():
    lines = export_lines("s", LOG, head_of(LOG))
    lines[1] = lines[1].replace('{"at"', '{"turn":"innocent","at"', 1)
    flaw = read_export(lines).flaw
    assert flaw is not None and flaw.seq == 1


def test_a_shorter_log_with_its_own_head_is_another_seal():
    """What cannot be proved alone: compare the head with one that you kept."""
    short = LOG[:3]
    found = read_export(export_lines("s", short, head_of(short)))
    assert found.flaw is None
    assert found.head != head_of(LOG)


@pytest.mark.parametrize(
    "text", ["", "{}", "no", json.dumps({"format": "other"}), "[1]", "[" * 100_000]
)
def test_what_is_no_export_is_refused(text: str):
    with pytest.raises(RequestError, match="not an export"):
        read_export([text])
