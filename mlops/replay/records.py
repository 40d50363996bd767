"""One plan's run: what the log says of it, and what is stored of it apart from the log."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any, cast

from pydantic import BaseModel, ConfigDict

from mlops.approvals import Approval
from mlops.events import Event, EventKind
from mlops.job import Job
from mlops.ledger import Entry, Totals
from mlops.plan import Plan


class PlanRecord(BaseModel):
    """What is stored of a plan; `plan` is JSON, so that a broken one can be shown.

    `admits_micro` is what the ledger's conditions look at; `unreadable` names parts that are no
    longer what they should be.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    plan: dict[str, Any] | None
    inputs: bytes | None
    approval: Approval | None
    jobs: tuple[Job, ...]
    totals: Totals | None
    admits_micro: int | None
    entries: tuple[Entry, ...]
    unreadable: tuple[str, ...] = ()


class Run:
    """A plan, its record and the events that speak of it."""

    def __init__(self, plan: Plan, record: PlanRecord, events: Sequence[Event]):
        self.plan = plan
        self.record = record
        self.events = [e for e in events if plan.plan_id in plans_named(e)]

    @cached_property
    def logged_jobs(self) -> dict[str, tuple[Event, Job]]:
        """Each job as the log knows it last, with the event that says so."""
        jobs = (e for e in self.events if e.kind is EventKind.JOB)
        told = ((e, Job.model_validate(e.data["job"])) for e in jobs)
        return {job.job_name: (event, job) for event, job in told}

    @cached_property
    def ended_jobs(self) -> list[tuple[Event, Job]]:
        """As they were logged at their end, in order of stage and attempt."""
        ended = (pair for pair in self.logged_jobs.values() if pair[1].state.is_final)
        return sorted(ended, key=lambda pair: (pair[1].stage, pair[1].attempt))

    @cached_property
    def ends(self) -> list[Event]:
        """The report, or the error in its place; empty while the run goes on."""
        return [e for e in self.events if e.kind in (EventKind.REPORT, EventKind.ERROR)]

    @property
    def seq(self) -> int:
        """The event that stands for the whole run."""
        return (self.ends or self.events)[-1].seq if self.events else 0

    def booking(self, entry: str, job_name: str | None = None) -> Event | None:
        """The first COST event of this kind, of the plan or of one of its jobs."""
        for event in self.events:
            if event.kind is EventKind.COST and event.data.get("entry") == entry:
                if job_name in (None, event.data.get("job_name")):
                    return event
        return None


def plans_named(event: Event) -> list[str]:
    """The plans that an event speaks of."""
    abouts = (event.data.get("plan"), event.data.get("job"), event.data)
    named = (cast(Any, a).get("plan_id") for a in abouts if isinstance(a, dict))
    return [plan_id for plan_id in named if isinstance(plan_id, str)]
