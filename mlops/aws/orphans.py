"""Training jobs that carry our name but that no record and no open plan knows: they are stopped."""

import logging
import re
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

from botocore.exceptions import BotoCoreError, ClientError

from mlops.aws.clients import Aws
from mlops.aws.events import EventLog
from mlops.aws.jobs import Jobs
from mlops.aws.orphan_bills import book_orphans, remember
from mlops.aws.plans import Plans
from mlops.decisions import OPERATIONS
from mlops.events import EventKind

_OURS = re.compile(r"llmops-[a-z0-9-]+-(?P<plan>[0-9a-f]{12})-s\d+-a\d+")
# A launch that lives records its job within a Lambda's minute.
_SETTLED_AFTER = timedelta(minutes=5)
_log = logging.getLogger(__name__)


def stop_orphans(aws: Aws, clock: Callable[[], datetime]) -> tuple[str, ...]:
    """The names of the jobs that were stopped; each is reported once in the operations log."""
    stopped: list[str] = []
    for name, created_at in _strangers(aws, clock()):
        if stop_orphan(aws, name, clock()):
            _report(aws, clock, name, created_at)
            stopped.append(name)
    return tuple(stopped)


def stop_orphan(aws: Aws, name: str, now: datetime) -> bool:
    """False when it could not be stopped now; its bill is booked either way, when it has ended."""
    # Before it is stopped: a crash in between must not lose its bill.
    remember(aws, name, now)
    try:
        aws.client("sagemaker").stop_training_job(TrainingJobName=name)
    except (ClientError, BotoCoreError):
        _log.exception("could not stop the orphan %s", name)
        return False
    return True


def settle_orphans(aws: Aws, clock: Callable[[], datetime]) -> tuple[str, ...]:
    """Books the bills of stopped orphans that have ended; their names."""
    booked = book_orphans(aws, clock())
    for name, usd in booked:
        text = f"{name} ran without a record and was stopped; its ${usd} are booked in the month."
        data = {"text": text, "repair": "orphan_booked", "job_name": name, "cost_usd": usd}
        log, once = EventLog(aws, clock), f"orphan-bill#{name}"
        log.append(OPERATIONS, "watchdog", EventKind.THINKING, data, once)
    return tuple(name for name, _ in booked)


def _strangers(aws: Aws, now: datetime) -> Iterator[tuple[str, datetime]]:
    """Running jobs of ours without an open plan or a record, and since when there is each."""
    running = [found for found in _running_ours(aws) if now - found[2] >= _SETTLED_AFTER]
    approvals = Plans(aws).open_approvals() if running else ()
    open_plans = {approval.plan_id[-12:] for approval in approvals}
    for name, plan, created_at in running:
        if plan not in open_plans and Jobs(aws).find(name) is None:
            yield name, created_at


def _running_ours(aws: Aws) -> Iterator[tuple[str, str, datetime]]:
    """Name, the part of it that says the plan, and since when there is the job."""
    pages = aws.client("sagemaker").get_paginator("list_training_jobs")
    for page in pages.paginate(StatusEquals="InProgress"):
        for summary in page["TrainingJobSummaries"]:
            if matched := _OURS.fullmatch(summary["TrainingJobName"]):
                yield matched[0], matched["plan"], summary["CreationTime"]


def _report(aws: Aws, clock: Callable[[], datetime], name: str, created_at: datetime) -> None:
    text = (
        f"{name} ran since {created_at:%Y-%m-%d %H:%M} UTC without a record or an open plan, so it "
        "was stopped. What it used is booked when it has ended."
    )
    data = {"text": text, "repair": "orphan_stopped", "job_name": name}
    EventLog(aws, clock).append(OPERATIONS, "watchdog", EventKind.THINKING, data, f"orphan#{name}")
