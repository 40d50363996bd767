"""The ledger's rules: totals are the sum of entries, and what disagrees is named."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from mlops.ledger import (
    Entry,
    EntryKind,
    Totals,
    book,
    bookings,
    disagreements,
    person_scope,
    plan_scope,
    unattributed_scope,
)
from tests.factories import NOW, a_job

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
    settled = {entry.key for entry in entries if entry.kind is EntryKind.SETTLE}
    unsettled = {e.key for e in entries if e.kind is EntryKind.STORAGE} - settled
    agrees = totals.reserved_micro >= 0 and not unsettled
    assert (disagreements(totals, entries) == []) == agrees


@given(ENTRIES, st.integers(1, 100))
def test_a_total_that_was_touched_is_named(entries: list[Entry], more: int):
    totals = EMPTY
    for entry in entries:
        totals = book(totals, entry)
    touched = totals.model_copy(update={"spent_micro": totals.spent_micro - more})
    assert any("entries say" in wrong for wrong in disagreements(touched, entries))


def test_a_broken_limit_is_named():
    over = EMPTY.model_copy(update={"limit_micro": 5, "spent_micro": 7})
    entry = Entry(
        scope="s", kind=EntryKind.SETTLE, key="j", at=NOW, spent_micro=7, reserved_micro=0
    )
    assert disagreements(over, [entry]) == ["s: 2 micro-USD over its limit"]


def test_storage_without_its_settlement_is_named():
    volume = Entry(
        scope="s", kind=EntryKind.STORAGE, key="j", at=NOW, spent_micro=7, reserved_micro=0
    )
    totals = book(EMPTY, volume)
    assert disagreements(totals, [volume]) == ["s: storage of j, which was never settled"]


def test_nobodys_bills_have_no_limit():
    bill = Entry(
        scope=unattributed_scope(NOW),
        kind=EntryKind.ADJUST,
        key="j",
        at=NOW,
        spent_micro=7,
        reserved_micro=0,
    )
    totals = book(Totals(scope=bill.scope, limit_micro=0), bill)
    assert disagreements(totals, [bill]) == []


def test_an_ended_job_is_booked_as_instance_and_volume():
    job = a_job(cost_usd="0.50", storage_usd="0.02", ceiling_usd="0.90", billed_seconds=60)
    instance, volume = bookings(job, "s", NOW)
    assert (instance.kind, instance.spent_micro) == (EntryKind.SETTLE, 480_000)
    assert instance.reserved_micro == -900_000
    assert (volume.kind, volume.spent_micro, volume.reserved_micro) == (
        EntryKind.STORAGE,
        20_000,
        0,
    )
    assert volume.key == instance.key == job.job_name


def test_without_a_volume_there_is_one_booking():
    assert len(bookings(a_job(cost_usd="0.50", storage_usd="0.00"), "s", NOW)) == 1


def test_scopes():
    assert person_scope("ada", datetime(2026, 3, 31, 23, 59, tzinfo=UTC)) == "person#ada#2026-03"
    assert plan_scope("plan-1") == "plan#plan-1"
