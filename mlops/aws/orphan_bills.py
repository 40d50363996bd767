"""The bills of stopped orphans: what nobody reserved is booked as a fact in a month, once.

It goes to the person whose plan the job's tag names, and their team; without one, to nobody's month.
"""

import logging
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from mlops.aws.clients import Aws
from mlops.aws.items import query
from mlops.aws.jobs import Jobs, observation
from mlops.aws.ledger import Ledger
from mlops.aws.limits import Limits
from mlops.aws.plans import Plans
from mlops.aws.prices import shared_prices
from mlops.aws.tables import LEDGER
from mlops.errors import OpsError, RequestError
from mlops.job import PLAN_TAG, billed_seconds_of
from mlops.ledger import Entry, EntryKind, unattributed_scope
from mlops.money import cost_of_seconds, to_usd
from mlops.plan import Plan

# The partition of stopped orphans whose bill is not booked yet.
_OPEN = "open#orphans"
_log = logging.getLogger(__name__)


def remember(aws: Aws, job_name: str, now: datetime) -> None:
    """Its bill is known when it has ended; remembering it twice is harmless."""
    item = {"scope": _OPEN, "entry": job_name, "at": now.isoformat()}
    aws.dynamodb.put_item(TableName=LEDGER, Item=item)


def book_orphans(aws: Aws, now: datetime) -> tuple[tuple[str, str], ...]:
    """(job, USD) of the bills that were booked now; those without a known price stay open."""
    open_bills = query(
        aws.dynamodb,
        TableName=LEDGER,
        KeyConditionExpression="#s = :open",
        ExpressionAttributeNames={"#s": "scope"},
        ExpressionAttributeValues={":open": _OPEN},
        ConsistentRead=True,
    )
    booked: list[tuple[str, str]] = []
    for item in open_bills:
        name, stopped_at = item["entry"], datetime.fromisoformat(item["at"])
        try:
            cost = _settle(aws, name, stopped_at, now)
        except (OpsError, ClientError, BotoCoreError):
            _log.exception("could not book the orphan %s", name)
            continue
        if cost is not None:
            booked.append((name, to_usd(cost)))
    return tuple(booked)


def _settle(aws: Aws, job_name: str, stopped_at: datetime, now: datetime) -> int | None:
    """Micro-USD that were booked now."""
    described = Jobs(aws).describe(job_name)
    cost = 0 if described is None else _cost(aws, described, now)
    if cost is None:
        return None
    scopes = _scopes(aws, None if described is None else _plan_of(aws, described), stopped_at)
    return cost if _book(aws, job_name, cost, scopes, now) else None


def _cost(aws: Aws, described: dict[str, Any], now: datetime) -> int | None:
    """Micro-USD with the volume, None while it runs or where no price is known."""
    billed = billed_seconds_of(observation(described))
    config = described.get("ResourceConfig", {})
    price = shared_prices(aws, aws.settings.region).all(now).get(config.get("InstanceType"))
    if billed is None or price is None:
        return None
    return cost_of_seconds(billed * config["InstanceCount"], price.running_micro)


def _book(aws: Aws, job_name: str, cost: int, scopes: Sequence[str], now: datetime) -> bool:
    """A bill is a fact: it is booked whatever is left. False when it was booked before."""
    entries = [
        Entry(
            scope=scope,
            kind=EntryKind.ADJUST,
            key=job_name,
            at=now,
            spent_micro=cost,
            reserved_micro=0,
            note="a job without a record, stopped by the watchdog",
        )
        for scope in scopes
    ]
    done = {"TableName": LEDGER, "Key": {"scope": _OPEN, "entry": job_name}}
    if Ledger(aws).book(entries, [{"Delete": done}]):
        return True
    aws.dynamodb.delete_item(**done)
    return False


def _scopes(aws: Aws, plan: Plan | None, at: datetime) -> tuple[str, ...]:
    if plan is None:
        nobody = unattributed_scope(at)
        Ledger(aws).open_scope(nobody, 0)
        return (nobody,)
    limits, approval = Limits(aws), Plans(aws).approval(plan.plan_id)
    person = limits.open_person(plan.person, at)
    if approval is None or approval.team is None:
        return (person,)
    return person, limits.open_team(approval.team, at)


def _plan_of(aws: Aws, described: dict[str, Any]) -> Plan | None:
    """The plan that its tag names, when that is one of ours. A fault is none: it says nothing of
    whose the bill is."""
    tags = aws.client("sagemaker").list_tags(ResourceArn=described["TrainingJobArn"])["Tags"]
    plan_id = next((tag["Value"] for tag in tags if tag["Key"] == PLAN_TAG), "")
    try:
        return Plans(aws).get(plan_id)
    except RequestError:
        return None
