"""The log's chain: gapless, sealed, and any change to any event is found."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops.events import Event, EventKind, Head, chain, verify
from tests.factories import NOW

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
DATA = st.dictionaries(st.text(), JSON, max_size=4)
LOGS = st.lists(st.tuples(st.sampled_from(EventKind), DATA), min_size=1, max_size=6)


def draft(kind: EventKind, data: dict[str, Any]) -> Event:
    return Event(session="s", seq=0, turn="t", kind=kind, at=NOW, data=data)


def chained(drafts: list[tuple[EventKind, dict[str, Any]]]) -> list[Event]:
    head, events = Head(), []
    for kind, data in drafts:
        event = chain(head, draft(kind, data))
        head = Head(seq=event.seq, hash=event.hash)
        events.append(event)
    return events


@given(LOGS)
def test_a_chain_verifies_also_after_storage(drafts):
    events = chained(drafts)
    assert [event.seq for event in events] == [*range(1, len(events) + 1)]
    assert verify(events) is None
    stored = [e.model_copy(update={"data": json.loads(json.dumps(e.data))}) for e in events]
    assert verify(stored) is None


@given(LOGS, st.data())
def test_a_change_anywhere_is_found_where_it_is(drafts, data):
    events = chained(drafts)
    place = data.draw(st.integers(0, len(events) - 1))
    changes = {
        "turn": "another",
        "kind": EventKind.DONE if events[place].kind != EventKind.DONE else EventKind.USER,
        "at": NOW.replace(year=2025),
        "data": {"forged": True},
        "session": "another",
        "hash": "0" * 64,
    }
    field = data.draw(st.sampled_from(sorted(changes)))
    events[place] = events[place].model_copy(update={field: changes[field]})
    assert verify(events) == place + 1


@given(LOGS, st.data())
def test_a_missing_or_swapped_event_is_found(drafts, data):
    events = chained([*drafts, (EventKind.DONE, {})])
    place = data.draw(st.integers(0, len(events) - 2))
    assert verify([*events[:place], *events[place + 1 :]]) == place + 2
    swapped = [*events]
    swapped[place], swapped[place + 1] = swapped[place + 1], swapped[place]
    assert verify(swapped) == place + 2


def test_an_empty_log_holds():
    assert verify([]) is None


def test_a_cut_tail_still_verifies_but_ends_at_another_head():
    events = chained([(EventKind.USER, {"text": "a"}), (EventKind.DONE, {})])
    assert verify(events[:1]) is None
    assert events[0].hash != events[1].hash


@pytest.mark.parametrize("text", ["\ud800", "NUL \x00", "line\u2028", "😀", "ü"])
def test_any_text_can_be_sealed(text: str):
    assert verify(chained([(EventKind.USER, {"text": text})])) is None
