"""Approved plans followed again from their jobs: the stored records, each next stage, the report's verdicts."""

from collections.abc import Mapping
from typing import Any, cast

from mlops.events import Event, EventKind
from mlops.follow import next_move
from mlops.job import Job
from mlops.money import parse_usd
from mlops.replay.differences import Findings
from mlops.replay.records import Run
from mlops.report import build

# What changes while a job runs; the log is told of it a moment after the record.
_MOVING = frozenset(
    {
        "state",
        "secondary_status",
        "end_reason",
        "started_at",
        "ended_at",
        "billed_seconds",
        "cost_usd",
        "storage_usd",
        "metrics",
        "model_uri",
        "failure_reason",
        "settled",
        "stop_reason",
        "saved_usd",
    }
)


def recheck_run(run: Run, found: Findings) -> None:
    """All that followed the approval of one plan, but its money."""
    _recheck_jobs(run, found)
    _recheck_moves(run, found)
    for event in run.ends:
        if event.kind is EventKind.REPORT:
            _recheck_report(run, event, found)


def _recheck_jobs(run: Run, found: Findings) -> None:
    """Stored records against what the log knows of them; none may be there that nobody launched."""
    stored = {job.job_name: job for job in run.record.jobs}
    for name, (event, job) in run.logged_jobs.items():
        now = _fields(stored[name], job, run) if name in stored else None
        found.compare("jobs", event.seq, f"stored {name}", _fields(job, job, run), now)
    for name in stored.keys() - run.logged_jobs.keys() if run.ends else ():
        found.compare("jobs", run.seq, f"stored {name}", None, stored[name].state.value)


def _fields(job: Job, logged: Job, run: Run) -> dict[str, Any]:
    """Those that can be compared; the end is logged before the bill is booked."""
    if not logged.state.is_final:
        return job.model_dump(mode="json", exclude=set(_MOVING))
    booked = run.ends or run.booking("settle", logged.job_name)
    fields = job.model_dump(mode="json", exclude={"settled"})
    fields["cost_usd"] = job.cost_usd or "0.00"
    return {**fields, "settled": True if job is logged else job.settled} if booked else fields


def _recheck_moves(run: Run, found: Findings) -> None:
    rules = (e for e in run.events if e.data.get("rule") == "refused_stage")
    refused = {e.data.get("stage") for e in rules}
    jobs = run.ended_jobs
    for place, (event, job) in enumerate(jobs):
        then = jobs[place + 1][1].stage if place + 1 < len(jobs) else None
        if then == job.stage or (then is None and not run.ends):
            continue
        move = next_move(run.plan, [earlier for _, earlier in jobs[: place + 1]]).stage
        if then is None and move in refused:
            continue
        found.compare("moves", event.seq, f"stage after {job.job_name}", then, move)


def _recheck_report(run: Run, event: Event, found: Findings) -> None:
    approval, jobs = run.record.approval, [job for _, job in run.ended_jobs]
    if approval is None or not jobs:
        return found.skip(f"report on {run.plan.plan_id}", "its approval or its jobs are gone")
    stored = cast(Mapping[str, Any], event.data)
    tokens = parse_usd(str(stored.get("tokens_usd", "0")))
    ended = event.at.fromisoformat(str(stored["finished_at"]))
    again = build(run.plan, jobs, approval.at, tokens, ended, approval.queue is not None)
    found.compare("reports", event.seq, "report", stored, again.model_dump(mode="json"))
