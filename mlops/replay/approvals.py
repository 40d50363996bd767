"""The stored approval of a plan against the log's: who allowed what sum, when, and what became of it."""

from mlops.approvals import ApprovalStatus
from mlops.events import Event, EventKind
from mlops.replay.differences import Findings
from mlops.replay.records import Run

# What an APPROVAL event may hold of the approval itself; older ones hold less.
_FIELDS = ("plan_id", "by", "ceiling_usd", "at", "team", "queue")
_YES = ("approved", "queued")
_NO = ("declined", "superseded", "cancelled")


def recheck_approval(run: Run, found: Findings) -> None:
    """A launched run needs one, and one that is stored needs a word in the log."""
    decided = [e for e in run.events if _decides(e)]
    stored = run.record.approval
    if not decided and stored is None and not run.logged_jobs:
        return
    what = f"approval of {run.plan.plan_id}"
    now = stored.model_dump(mode="json") if stored else None
    if not decided or now is None:
        told = decided[-1].data["status"] if decided else None
        return found.compare("approvals", run.seq, what, told or "in the log", now)
    for event in decided:
        told = {name: event.data[name] for name in _FIELDS if name in event.data}
        found.compare("approvals", event.seq, what, told, {name: now[name] for name in told})
    if "superseded" not in [event.data["status"] for event in decided]:
        other = f"plan that replaces {run.plan.plan_id}"
        found.compare("approvals", run.seq, other, None, now["replaced_by"])
    status = _status(run, decided[-1], now["status"])
    found.compare("approvals", run.seq, f"status of the {what}", status, now["status"])


def _decides(event: Event) -> bool:
    return event.kind is EventKind.APPROVAL and event.data.get("status") in (*_YES, *_NO)


def _status(run: Run, last: Event, stored: str) -> str:
    """What the log leads to; an approval whose launch was refused may be used up without an end."""
    if last.data["status"] in _NO:
        return ApprovalStatus.DECLINED.value
    if run.ends:
        return ApprovalStatus.USED.value
    refused = stored == ApprovalStatus.USED and not run.logged_jobs
    return ApprovalStatus.USED.value if refused else ApprovalStatus.APPROVED.value
