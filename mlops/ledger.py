"""The rules of the ledger: entries in integer micro-USD, totals per scope, spent + reserved ≤ limit always.

`mlops.aws.ledger` carries them out as conditional transactions; these are what it must agree with.
"""

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from mlops.job import Job
from mlops.money import parse_usd
from mlops.volumes import VOLUME_GIB

NO_LIMIT_MICRO = 10**15
"""A thousand million dollars: the limit of a team that nobody limited."""

_UNATTRIBUTED = "unattributed#"


class EntryKind(StrEnum):
    """What an append-only entry records."""

    RESERVE = "reserve"
    EXTEND = "extend"
    SETTLE = "settle"
    RELEASE = "release"
    TOKENS = "tokens"
    STORAGE = "storage"
    ADJUST = "adjust"

    @property
    def is_a_fact(self) -> bool:
        """A bill: it is booked whatever is left. Everything else needs room first."""
        return self in (EntryKind.SETTLE, EntryKind.STORAGE, EntryKind.ADJUST)


class Entry(BaseModel):
    """One booking in one scope; `key` makes it happen once. Deltas are signed micro-USD."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    scope: str
    kind: EntryKind
    key: str
    at: datetime
    spent_micro: int
    reserved_micro: int
    note: str = ""


class Totals(BaseModel):
    """Running totals of one scope; what is left is stored too, because a condition cannot do
    arithmetic."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    scope: str
    limit_micro: int
    spent_micro: int = 0
    reserved_micro: int = 0

    @property
    def left_micro(self) -> int:
        return self.limit_micro - self.spent_micro - self.reserved_micro


def person_scope(person: str, now: datetime) -> str:
    """A person's calendar month (UTC)."""
    return f"person#{person}#{now:%Y-%m}"


def team_scope(team: str, now: datetime) -> str:
    """A team's calendar month (UTC)."""
    return f"team#{team}#{now:%Y-%m}"


def unattributed_scope(now: datetime) -> str:
    """Bills of a month that belong to nobody we know. Nobody limits it."""
    return f"{_UNATTRIBUTED}{now:%Y-%m}"


def plan_scope(plan_id: str) -> str:
    """One approved request."""
    return f"plan#{plan_id}"


def bookings(job: Job, scope: str, now: datetime) -> list[Entry]:
    """What an ended job cost in place of its share of the reservation: the instance, and the
    training volume where it had one."""
    storage = parse_usd(job.storage_usd or "0")
    instance = Entry(
        scope=scope,
        kind=EntryKind.SETTLE,
        key=job.job_name,
        at=now,
        spent_micro=parse_usd(job.cost_usd or "0") - storage,
        reserved_micro=-parse_usd(job.ceiling_usd),
        note=f"{job.billed_seconds or 0} s on {job.instance_type}",
    )
    if not storage:
        return [instance]
    volume = Entry(
        scope=scope,
        kind=EntryKind.STORAGE,
        key=job.job_name,
        at=now,
        spent_micro=storage,
        reserved_micro=0,
        note=f"training volume of {VOLUME_GIB} GiB",
    )
    return [instance, volume]


def book(totals: Totals, entry: Entry) -> Totals:
    """Totals after an entry of the same scope."""
    return totals.model_copy(
        update={
            "spent_micro": totals.spent_micro + entry.spent_micro,
            "reserved_micro": totals.reserved_micro + entry.reserved_micro,
        }
    )


def disagreements(
    totals: Totals, entries: Iterable[Entry], admits_micro: int | None = None
) -> list[str]:
    """What is wrong with a scope: totals that are not the sum of entries, a broken limit, or a stored
    rest, by which new bookings are admitted, that is not what is left."""
    entries = list(entries)
    start = Totals(scope=totals.scope, limit_micro=totals.limit_micro)
    summed = start
    for entry in entries:
        summed = book(summed, entry)
    found: list[str] = []
    if summed != totals:
        found.append(
            f"{totals.scope}: totals say spent {totals.spent_micro}, reserved "
            f"{totals.reserved_micro}; entries say {summed.spent_micro}, {summed.reserved_micro}"
        )
    if admits_micro not in (None, totals.left_micro):
        found.append(
            f"{totals.scope}: {admits_micro} micro-USD would be admitted, {totals.left_micro} are left"
        )
    settled = {entry.key for entry in entries if entry.kind is EntryKind.SETTLE}
    for entry in entries:
        if entry.kind is EntryKind.STORAGE and entry.key not in settled:
            found.append(f"{totals.scope}: storage of {entry.key}, which was never settled")
    if totals.left_micro < 0 and not totals.scope.startswith(_UNATTRIBUTED):
        found.append(f"{totals.scope}: {-totals.left_micro} micro-USD over its limit")
    if totals.reserved_micro < 0:
        found.append(f"{totals.scope}: negative reservation {totals.reserved_micro}")
    return found
