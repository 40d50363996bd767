"""The ledger's rules: totals are the sum of entries, and what disagrees is named."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from mlops.ledger import Entry, EntryKind, Totals, book, disagreements, person_scope, plan_scope
from tests.factories import NOW

MICRO = st.integers(-(10**9), 10**9)
ENTRIES = st.lists(
    st.builds(
        Entry,
        scope=st.just("s"),
        kind=st.sampled_from(EntryKind),
        key=st.text(max_size=5),
        at=st.just(NOW),
        spent_micro=MICRO,
        reserved_micro=MICRO,
    )
)
EMPTY = Totals(scope="s", limit_micro=10**12)


@given(ENTRIES)
def test_totals_are_the_sum_of_entries(entries: list[Entry]):
    totals = EMPTY
    for entry in entries:
        totals = book(totals, entry)
    assert totals.spent_micro == sum(e.spent_micro for e in entries)
    assert totals.reserved_micro == sum(e.reserved_micro for e in entries)
    assert totals.left_micro == totals.limit_micro - totals.spent_micro - totals.reserved_micro
    assert (disagreements(totals, entries) == []) == (totals.reserved_micro >= 0)


@given(ENTRIES, st.integers(1, 100))
def test_a_total_that_was_touched_is_named(entries: list[Entry], more: int):
    totals = EMPTY
    for entry in entries:
        totals = book(totals, entry)
    touched = totals.model_copy(update={"spent_micro": totals.spent_micro - more})
    assert "entries say" in disagreements(touched, entries)[0]


def test_a_broken_limit_is_named():
    over = EMPTY.model_copy(update={"limit_micro": 5, "spent_micro": 7})
    entry = Entry(
        scope="s", kind=EntryKind.SETTLE, key="j", at=NOW, spent_micro=7, reserved_micro=0
    )
    assert disagreements(over, [entry]) == ["s: 2 micro-USD over its limit"]


def test_scopes():
    assert person_scope("ada", datetime(2026, 3, 31, 23, 59, tzinfo=UTC)) == "person#ada#2026-03"
    assert plan_scope("plan-1") == "plan#plan-1"
