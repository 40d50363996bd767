"""The ledger under races: one transaction admits or refuses, and totals are the sum of entries."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops.aws.clients import Aws
from mlops.aws.ledger import Ledger
from mlops.errors import FaultError, OpsError, RefusedError
from mlops.ledger import Entry, EntryKind, Totals, disagreements
from mlops.money import parse_usd
from tests.factories import NOW
from tests.mlops.aws.embedded import Embedded, client_error

SCOPE, MONTH = "plan#p", "person#ada#2026-11"


@pytest.fixture
def ledger(aws: Aws) -> Ledger:
    return Ledger(aws)


def entry(kind: EntryKind, key: str, usd: str = "0", held_usd: str = "0", **changes: Any) -> Entry:
    facts: dict[str, Any] = {
        "scope": SCOPE,
        "kind": kind,
        "key": key,
        "at": NOW,
        "spent_micro": parse_usd(usd),
        "reserved_micro": parse_usd(held_usd),
    }
    return Entry(**(facts | changes))


def reserve(key: str, usd: str, scope: str = SCOPE) -> Entry:
    return entry(EntryKind.RESERVE, key, held_usd=usd, scope=scope)


def left(ledger: Ledger, scope: str = SCOPE) -> int:
    totals = ledger.totals(scope)
    assert totals is not None
    assert disagreements(totals, ledger.entries(scope)) == []
    return totals.left_micro


def test_a_scope_is_opened_once(ledger: Ledger):
    assert ledger.totals(SCOPE) is None
    ledger.open_scope(SCOPE, 10)
    ledger.open_scope(SCOPE, 99)
    assert ledger.totals(SCOPE) == Totals(scope=SCOPE, limit_micro=10)
    assert ledger.entries(SCOPE) == []


def test_a_booking_happens_once(ledger: Ledger):
    ledger.open_scope(SCOPE, parse_usd("10"))
    assert ledger.book([reserve("p", "6")])
    assert not ledger.book([reserve("p", "6")])
    assert left(ledger) == parse_usd("4")
    assert ledger.find(SCOPE, EntryKind.RESERVE, "p") == reserve("p", "6")
    assert ledger.find(SCOPE, EntryKind.SETTLE, "p") is None


def test_too_little_left_books_nothing_anywhere(ledger: Ledger):
    ledger.open_scope(SCOPE, parse_usd("10"))
    ledger.open_scope(MONTH, parse_usd("5"))
    with pytest.raises(RefusedError) as caught:
        ledger.book([reserve("p", "6"), reserve("p", "6", MONTH)])
    error = caught.value
    assert error.code == "over_budget"
    assert "$6.00 are needed, $5.00 are left of the monthly limit" in error.message
    assert [(a.kind, a.cost_usd) for a in error.alternatives] == [
        ("raise_budget", "6.00"),
        ("wait", None),
    ]
    assert left(ledger) == parse_usd("10")
    assert left(ledger, MONTH) == parse_usd("5")


def test_the_last_micro_dollar_can_be_reserved_and_not_one_more(ledger: Ledger):
    ledger.open_scope(SCOPE, 100)
    assert ledger.book([entry(EntryKind.RESERVE, "a", reserved_micro=100)])
    with pytest.raises(RefusedError):
        ledger.book([entry(EntryKind.RESERVE, "b", reserved_micro=1)])


def test_a_scope_that_was_never_opened_has_nothing_left(ledger: Ledger):
    with pytest.raises(RefusedError, match="left of the budget"):
        ledger.book([reserve("p", "1")])


def test_of_fifty_reservations_at_once_exactly_one_fits(embedded: Embedded):
    ledgers = [Ledger(embedded.connect()) for _ in range(2)]
    ledgers[0].open_scope(SCOPE, parse_usd("10"))

    def attempt(n: int) -> bool:
        try:
            return ledgers[n % 2].book([reserve(str(n), "6")])
        except RefusedError:
            return False

    with ThreadPoolExecutor(16) as pool:
        admitted = list(pool.map(attempt, range(50)))
    assert sum(admitted) == 1
    assert left(ledgers[0]) == parse_usd("4")


def test_the_same_booking_from_many_sides_is_one(ledger: Ledger):
    ledger.open_scope(SCOPE, parse_usd("100"))
    with ThreadPoolExecutor(8) as pool:
        booked = list(pool.map(lambda _: ledger.book([reserve("p", "6")]), range(20)))
    assert sum(booked) == 1
    assert left(ledger) == parse_usd("94")


def test_a_bill_is_a_fact_even_over_the_limit(ledger: Ledger):
    ledger.open_scope(SCOPE, parse_usd("1"))
    assert ledger.book([entry(EntryKind.SETTLE, "j", "1.5")])
    totals = ledger.totals(SCOPE)
    assert totals is not None and totals.left_micro == -500_000
    assert "over its limit" in disagreements(totals, ledger.entries(SCOPE))[0]


def test_entries_are_in_order_of_time_and_beyond_a_page(ledger: Ledger):
    ledger.open_scope(SCOPE, parse_usd("10"))
    for n in (2, 0, 1):
        at = NOW + timedelta(minutes=n)
        ledger.book([entry(EntryKind.TOKENS, str(n), "0.1", at=at, note="x" * 390_000)])
    assert [e.key for e in ledger.entries(SCOPE)] == ["0", "1", "2"]


@pytest.mark.parametrize(
    ("limit", "outcome"), [("20", "16"), ("6", "2"), ("4", "0"), ("3.999999", None)]
)
def test_a_limit_cannot_go_below_what_is_taken(ledger: Ledger, limit: str, outcome: str | None):
    ledger.open_scope(SCOPE, parse_usd("10"))
    ledger.book([reserve("p", "3")])
    ledger.book([entry(EntryKind.TOKENS, "c", "1")])
    if outcome is None:
        with pytest.raises(RefusedError, match=r"\$4\.00 are already spent or reserved"):
            ledger.set_limit(SCOPE, parse_usd(limit))
        assert left(ledger) == parse_usd("6")
    else:
        changed = ledger.set_limit(SCOPE, parse_usd(limit))
        assert changed == ledger.totals(SCOPE)
        assert left(ledger) == parse_usd(outcome)


def test_a_limit_can_be_set_before_anything_was_spent(ledger: Ledger):
    ledger.set_limit(MONTH, parse_usd("7"))
    assert left(ledger, MONTH) == parse_usd("7")


def test_a_conflict_of_transactions_is_tried_again(aws: Aws, monkeypatch: pytest.MonkeyPatch):
    pauses: list[float] = []
    ledger = Ledger(aws, pauses.append)
    ledger.open_scope(SCOPE, parse_usd("10"))
    real, conflict = (
        aws.dynamodb.transact_write_items,
        client_error("TransactionCanceledException"),
    )
    conflict.response["CancellationReasons"] = [{"Code": "None"}, {"Code": "TransactionConflict"}]
    errors = [conflict, conflict]

    def transact(**request: Any) -> Any:
        if errors:
            raise errors.pop()
        return real(**request)

    monkeypatch.setattr(aws.dynamodb, "transact_write_items", transact)
    assert ledger.book([reserve("p", "6")])
    assert len(pauses) == 2
    assert left(ledger) == parse_usd("4")


@pytest.mark.parametrize("code", ["ThrottlingException", "TransactionCanceledException"])
def test_any_other_failure_is_said(aws: Aws, monkeypatch: pytest.MonkeyPatch, code: str):
    def transact(**request: Any) -> Any:
        raise client_error(code)

    monkeypatch.setattr(aws.dynamodb, "transact_write_items", transact)
    with pytest.raises(OpsError) as caught:
        Ledger(aws).book([reserve("p", "6")])
    assert isinstance(caught.value, FaultError)


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["reserve", "settle", "release", "tokens", "limit"]),
        st.integers(0, 5),
        st.integers(0, 4_000_000),
    ),
    min_size=30,
    max_size=50,
)


@settings(max_examples=8)
@given(steps=STEPS)
def test_after_any_history_totals_are_the_sum_of_entries(
    server: Embedded, steps: list[tuple[str, int, int]]
):
    ledger, scope = Ledger(server.connect()), f"plan#{uuid4().hex}"
    ledger.open_scope(scope, parse_usd("10"))
    held: dict[int, int] = {}
    for step, n, amount in steps:
        spent, reserved = {
            "settle": (min(amount, held.get(n, 0)), -held.get(n, 0)),
            "release": (0, -held.get(n, 0)),
            "reserve": (0, amount),
        }.get(step, (amount, 0))
        try:
            if step == "limit":
                ledger.set_limit(scope, amount * 5)
                continue
            booked = ledger.book(
                [
                    Entry(
                        scope=scope,
                        kind=EntryKind(step),
                        key=f"{n}",
                        at=NOW,
                        spent_micro=spent,
                        reserved_micro=reserved,
                    )
                ]
            )
        except RefusedError:
            continue
        if booked and step != "tokens":
            held[n] = held.get(n, 0) + reserved
    totals = ledger.totals(scope)
    assert totals is not None
    assert disagreements(totals, ledger.entries(scope)) == []
    assert left(ledger, scope) >= 0
    assert totals.reserved_micro == sum(held.values())


def test_a_scopes_entries_are_booked_together_and_move_its_totals_once(ledger: Ledger):
    for scope in (SCOPE, MONTH):
        ledger.open_scope(scope, parse_usd("10"))
    ledger.book([reserve("j", "1", scope) for scope in (SCOPE, MONTH)])
    bill = [
        made
        for scope in (SCOPE, MONTH)
        for made in (
            entry(EntryKind.SETTLE, "j", usd="0.40", held_usd="-1", scope=scope),
            entry(EntryKind.STORAGE, "j", usd="0.02", scope=scope),
        )
    ]
    assert ledger.book(bill)
    assert not ledger.book(bill)
    for scope in (SCOPE, MONTH):
        assert left(ledger, scope) == parse_usd("9.58")
        assert len(ledger.entries(scope)) == 3


def test_entries_of_which_one_was_booked_before_are_not_booked(ledger: Ledger):
    ledger.open_scope(SCOPE, parse_usd("10"))
    settled = entry(EntryKind.SETTLE, "j", usd="0.40")
    ledger.book([settled])
    assert not ledger.book([entry(EntryKind.STORAGE, "j", usd="0.02"), settled])
    assert left(ledger) == parse_usd("9.60")
