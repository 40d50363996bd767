"""A plan's ledger against its log: retries, refused attempts and tokens explain entries, nothing else does."""

from typing import Any

import pytest

from mlops.events import EventKind
from mlops.job import Job, JobState, job_name
from mlops.ledger import Entry, EntryKind, disagreements
from mlops.money import to_usd
from mlops.replay.bookings import recheck_bookings
from mlops.replay.differences import Findings
from mlops.replay.records import Run
from mlops.report import build
from tests.mlops.finished_run import (
    APPROVED,
    ENDED,
    JOBS,
    PLAN,
    Told,
    booked,
    ended,
    log,
    moved,
    record,
    story,
)

WORDS = PLAN.model_copy(update={"tokens_usd": "0.02"})
LATER = job_name(PLAN.plan_id, PLAN.dataset.name, 1, 7)
REFUSED = {"text": "No.", "rule": "refused_stage", "plan_id": PLAN.plan_id, "stage": 1}


def differing(told: Told, entries: tuple[Entry, ...], **changes: Any) -> set[str]:
    """What differs, by the first word."""
    found = Findings()
    stored = record(PLAN, entries=entries, **changes)
    if stored.totals is not None:
        assert disagreements(stored.totals, stored.entries) == []
    recheck_bookings(Run(WORDS, stored, log(told)), found)
    return {difference.what.split()[0] for difference in found.differences}


def with_words(entries: tuple[Entry, ...], micro: int) -> tuple[Entry, ...]:
    """Tokens booked into the plan after what was reserved for them was given back."""
    return *entries, moved(EntryKind.ADJUST, PLAN.plan_id, 0, micro)


def telling_words(tokens: int, jobs: list[Job] = JOBS) -> Told:
    report = build(PLAN, jobs, APPROVED, tokens, ENDED).model_dump(mode="json")
    return [*story(jobs)[:-1], (EventKind.REPORT, report)]


def retried() -> list[Job]:
    """The first stage failed once."""
    lost = ended(1, 0.0).model_copy(update={"state": JobState.FAILED, "metrics": {}})
    again = lost.model_copy(update={"job_name": f"{lost.job_name[:-1]}2", "attempt": 2})
    return [lost, again.model_copy(update={"state": JobState.COMPLETED}), *JOBS[1:]]


def test_another_attempt_needs_its_extension():
    jobs = retried()
    entries = booked(PLAN, jobs)
    assert differing(story(jobs), entries) == set()
    assert "extend" in differing(story(jobs), booked(PLAN, [jobs[0], *JOBS[1:]]))


@pytest.mark.parametrize(("name", "is_explained"), [(LATER, True), ("forged-s1-a2", False)])
def test_a_refused_attempt_is_taken_and_given_back(name: str, is_explained: bool):
    first, *rest = booked(PLAN, JOBS)
    pair = moved(EntryKind.EXTEND, name, 500), moved(EntryKind.RELEASE, name, -500)
    found = differing(story(), (first, *pair, *rest))
    assert found == (set() if is_explained else {"extend", "release"})


@pytest.mark.parametrize("is_refused", [True, False])
def test_an_extension_alone_needs_a_refusal(is_refused: bool):
    *first, last = booked(PLAN, JOBS)
    back = last.model_copy(update={"reserved_micro": last.reserved_micro - 500})
    entries = *first, moved(EntryKind.EXTEND, LATER, 500), back
    told = story()
    if is_refused:
        told.insert(-1, (EventKind.THINKING, REFUSED))
    assert differing(told, entries) == (set() if is_refused else {"extend"})


@pytest.mark.parametrize(
    ("tokens", "in_ledger", "found"),
    [
        (0, 0, set()),
        (5_000, 5_000, set()),
        (50_000, 20_000, set()),
        (5_000, 0, {"adjust", "end"}),
        (0, 5_000, {"adjust", "end"}),
        (5_000, 6_000, {"adjust", "end"}),
    ],
)
def test_tokens_are_those_of_the_report(tokens: int, in_ledger: int, found: set[str]):
    """In the plan's own bill only up to what it kept aside for them."""
    entries = booked(PLAN, JOBS)
    entries = with_words(entries, in_ledger) if in_ledger else entries
    assert differing(telling_words(tokens), entries) == found


@pytest.mark.parametrize("tokens", [0, 5_000])
def test_tokens_of_a_run_without_a_report_are_in_its_closing_sum(tokens: int):
    spent = sum(entry.spent_micro for entry in booked(PLAN, JOBS)) + tokens
    close = {"plan_id": PLAN.plan_id, "entry": "close", "spent_usd": to_usd(spent)}
    failed = {"plan_id": PLAN.plan_id, "code": "job_failed", "message": "It failed."}
    told = [*story()[:-1], (EventKind.COST, close), (EventKind.ERROR, failed)]
    assert differing(told, with_words(booked(PLAN, JOBS), 5_000)) == (
        set() if tokens else {"adjust", "end"}
    )


@pytest.mark.parametrize(("amount", "found"), [("reserved", set()), ("0.50", {"reserve"})])
def test_the_reservation_is_what_was_told(amount: str, found: set[str]):
    amount = PLAN.ceiling_usd if amount == "reserved" else amount
    told, data = story(), {"plan_id": PLAN.plan_id, "entry": "reserve", "amount_usd": amount}
    told.insert(10, (EventKind.COST, data))
    assert differing(told, booked(PLAN, JOBS)) == found


def test_a_launched_run_without_a_ledger():
    assert differing(story(), (), totals=None, admits_micro=None) == {"ledger"}
    assert differing(story()[:9], (), totals=None, admits_micro=None) == set()


def test_what_conditions_look_at_is_compared():
    assert differing(story(), booked(PLAN, JOBS), admits_micro=99) == {"ledger"}


def test_a_job_that_has_just_ended_may_be_booked_or_not():
    """The end is logged first; the bill must be there once its booking was told."""
    told, entries = story()[:-2], booked(PLAN, JOBS[:1])[:-1]
    assert differing(told, entries[:1]) == set()
    assert differing(told, entries) == set()
    data = {"plan_id": PLAN.plan_id, "entry": "settle", "job_name": JOBS[0].job_name}
    told.append((EventKind.COST, data))
    assert differing(told, entries) == set()
    assert differing(told, entries[:1]) == {"settle"}
