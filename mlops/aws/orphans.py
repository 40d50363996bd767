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
    open_plans: set[str] | None = None
    jobs = Jobs(aws)
    for name, created_at in _running_ours(aws):
        if clock() - created_at < _SETTLED_AFTER or jobs.find(name) is not None:
            continue
        if open_plans is None:
            open_plans = {approval.plan_id[-12:] for approval in Plans(aws).open_approvals()}
        matched = _OURS.fullmatch(name)
        if matched and matched["plan"] in open_plans:
            continue
        try:
            aws.client("sagemaker").stop_training_job(TrainingJobName=name)
        except (ClientError, BotoCoreError):
            _log.exception("could not stop the orphan %s", name)
            continue
        remember(aws, name, clock())
        _report(aws, clock, name, created_at)
        stopped.append(name)
    return tuple(stopped)


def settle_orphans(aws: Aws, clock: Callable[[], datetime]) -> tuple[str, ...]:
    """Books the bills of stopped orphans that have ended; their names."""
    booked = book_orphans(aws, clock())
    for name, usd in booked:
        text = f"{name} ran without a record and was stopped; its ${usd} are booked in the month."
        data = {"text": text, "repair": "orphan_booked", "job_name": name, "cost_usd": usd}
        log, once = EventLog(aws, clock), f"orphan-bill#{name}"
        log.append(OPERATIONS, "watchdog", EventKind.THINKING, data, once)
    return tuple(name for name, _ in booked)


def _running_ours(aws: Aws) -> Iterator[tuple[str, datetime]]:
    pages = aws.client("sagemaker").get_paginator("list_training_jobs")
    for page in pages.paginate(StatusEquals="InProgress"):
        for summary in page["TrainingJobSummaries"]:
            if _OURS.fullmatch(summary["TrainingJobName"]):
                yield summary["TrainingJobName"], summary["CreationTime"]


def _report(aws: Aws, clock: Callable[[], datetime], name: str, created_at: datetime) -> None:
    text = (
        f"{name} ran since {created_at:%Y-%m-%d %H:%M} UTC without a record or an open plan, so it "
        "was stopped. What it used is booked when it has ended."
    )
    data = {"text": text, "repair": "orphan_stopped", "job_name": name}
    EventLog(aws, clock).append(OPERATIONS, "watchdog", EventKind.THINKING, data, f"orphan#{name}")
