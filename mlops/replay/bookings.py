"""A plan's own ledger against its log: every booking is explained, and every bill is booked."""

from collections.abc import Callable
from typing import Any

from mlops.events import Event, EventKind
from mlops.job import Job, job_name, numbers_of
from mlops.ledger import Entry, EntryKind, bookings, disagreements
from mlops.money import parse_usd, to_usd
from mlops.replay.differences import Findings
from mlops.replay.records import Run

Key = tuple[EntryKind, str]
Amounts = dict[str, Any]


def recheck_bookings(run: Run, found: Findings) -> None:
    """The totals, then each entry; after the end nothing is reserved, and all that was spent is told."""
    record, what = run.record, f"ledger of {run.plan.plan_id}"
    if record.totals is None:
        if run.logged_jobs or record.entries:
            found.compare("bookings", run.seq, what, "totals", None)
        return
    totals = record.totals
    wrong = disagreements(totals, record.entries, record.admits_micro)
    found.compare("bookings", run.seq, what, list[str](), wrong)
    limit, budget = to_usd(totals.limit_micro), to_usd(run.plan.budget_micro)
    found.compare("bookings", run.seq, f"limit of the {what}", budget, limit)
    _recheck_entries(run, found)
    _recheck_month(run, found)
    if run.ends:
        spent = sum(parse_usd(job.cost_usd or "0") for _, job in run.ended_jobs) + _own_words(run)
        should = {"spent_usd": to_usd(spent), "reserved_usd": to_usd(0)}
        stored = {
            "spent_usd": to_usd(totals.spent_micro),
            "reserved_usd": to_usd(totals.reserved_micro),
        }
        found.compare("bookings", run.seq, f"end of the {what}", should, stored)


def _recheck_entries(run: Run, found: Findings) -> None:
    entries = {(entry.kind, entry.key): entry for entry in run.record.entries}
    told = _told(run)
    for key in [*told, *(key for key in entries if key not in told)]:
        entry = entries.get(key)
        should = told[key] if key in told else _explained(run, entries, entries[key])
        stored = _amounts(entry) if entry else None
        what = f"{key[0]} of {key[1]}"
        found.compare("bookings", run.seq, what, should, stored)


def _recheck_month(run: Run, found: Findings) -> None:
    """The month that pays is that of the reservation; older approvals do not name it."""
    approval, key = run.record.approval, (EntryKind.RESERVE, run.plan.plan_id)
    reserved = next((e.at for e in run.record.entries if (e.kind, e.key) == key), None)
    if approval is not None and approval.booked_at is not None:
        what = f"moment of the reservation of {run.plan.plan_id}"
        stored = str(reserved) if reserved else None
        found.compare("bookings", run.seq, what, str(approval.booked_at), stored)


def _told(run: Run) -> dict[Key, Amounts]:
    """What must have been booked, from the log alone."""
    plan_id = run.plan.plan_id
    told: dict[Key, Amounts] = {}
    if run.logged_jobs:
        told[EntryKind.RESERVE, plan_id] = _moved(reserved=_reserved(run))
    for event, job in run.logged_jobs.values():
        if job.attempt > 1:
            key = EntryKind.EXTEND, job.job_name
            told[key] = _moved(reserved=parse_usd(job.ceiling_usd))
        if job.state.is_final and (run.ends or run.booking("settle", job.job_name)):
            told |= _bill(job, event)
    if run.ends and (words := _own_words(run)):
        told[EntryKind.ADJUST, plan_id] = _moved(spent=words)
    return told


def _explained(run: Run, entries: dict[Key, Entry], entry: Entry) -> Amounts | None:
    """An entry that need not be there as it may be; None when nothing in the log explains it."""
    if entry.key == run.plan.plan_id:
        explain = _OF_PLAN.get(entry.kind)
        return explain(run, entry) if explain else None
    if entry.key in run.logged_jobs:
        event, job = run.logged_jobs[entry.key]
        return _bill(job, event).get((entry.kind, entry.key)) if job.state.is_final else None
    if not _is_attempt(run, entry.key):
        return None
    other = EntryKind.RELEASE if entry.kind is EntryKind.EXTEND else EntryKind.EXTEND
    if (other, entry.key) in entries and entry.kind in (EntryKind.EXTEND, EntryKind.RELEASE):
        return _moved(reserved=-entries[other, entry.key].reserved_micro)
    refused = entry.kind is EntryKind.EXTEND and _was_refused(run, entry.key)
    return _moved(reserved=max(0, entry.reserved_micro)) if refused else None


def _bill(job: Job, event: Event) -> dict[Key, Amounts]:
    made = bookings(job, "", event.at)
    return {(e.kind, e.key): _amounts(e) for e in made}


def _amounts(entry: Entry) -> Amounts:
    amounts = _moved(entry.spent_micro, entry.reserved_micro)
    is_bill = entry.kind in (EntryKind.SETTLE, EntryKind.STORAGE)
    return {**amounts, "note": entry.note} if is_bill else amounts


def _moved(spent: int = 0, reserved: int = 0) -> Amounts:
    return {"spent_usd": to_usd(spent), "reserved_usd": to_usd(reserved)}


def _reserved(run: Run) -> int:
    """As it was told before anything was settled; else within what the plan's tokens leave open."""
    told = run.booking("reserve")
    ended = [event.seq for event, _ in run.ended_jobs]
    if told is not None and all(told.seq < seq for seq in ended):
        return parse_usd(str(told.data["amount_usd"]))
    most, key = run.plan.ceiling_micro, (EntryKind.RESERVE, run.plan.plan_id)
    least = most - parse_usd(run.plan.tokens_usd)
    stored = [e.reserved_micro for e in run.record.entries if (e.kind, e.key) == key]
    return min(most, max([least, *stored]))


def _own_words(run: Run) -> int:
    """Tokens in the plan's own bill: what the report says, up to what the plan kept aside for them."""
    return min(_words(run), parse_usd(run.plan.tokens_usd))


def _words(run: Run) -> int:
    for event in run.ends:
        if event.kind is EventKind.REPORT:
            return parse_usd(str(event.data["tokens_usd"]))
    close = run.booking("close")
    if close is None:
        return 0
    jobs = sum(parse_usd(job.cost_usd or "0") for _, job in run.ended_jobs)
    return parse_usd(str(close.data["spent_usd"])) - jobs


def _is_attempt(run: Run, name: str) -> bool:
    """A later attempt of one of the plan's stages, by its name."""
    try:
        stage, attempt = numbers_of(name)
    except ValueError:
        return False
    return attempt > 1 and name == job_name(
        run.plan.plan_id, run.plan.dataset.name, stage, attempt
    )


def _was_refused(run: Run, name: str) -> bool:
    stages = [e.data.get("stage") for e in run.events if e.data.get("rule") == "refused_stage"]
    return numbers_of(name)[0] in stages


def _words_so_far(run: Run, entry: Entry) -> Amounts | None:
    """Booked in the moment before the report is written."""
    most = parse_usd(run.plan.tokens_usd)
    return None if run.ends else _moved(spent=min(most, max(0, entry.spent_micro)))


_OF_PLAN: dict[EntryKind, Callable[[Run, Entry], Amounts | None]] = {
    EntryKind.RESERVE: lambda run, _: _moved(reserved=_reserved(run)),
    EntryKind.RELEASE: lambda _, entry: _moved(reserved=min(0, entry.reserved_micro)),
    EntryKind.ADJUST: _words_so_far,
}
