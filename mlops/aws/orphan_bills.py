"""The bills of stopped orphans: what nobody reserved is booked as a fact in a month, once.

It goes to the person whose plan the job's tag names, and their team; without one, to nobody's month.
"""

from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from mlops.approvals import Approval
from mlops.aws.clients import Aws
from mlops.aws.jobs import Jobs
from mlops.aws.launch import PLAN_TAG
from mlops.aws.ledger import Ledger
from mlops.aws.limits import Limits
from mlops.aws.plans import Plans
from mlops.aws.prices import shared_prices
from mlops.aws.tables import LEDGER
from mlops.errors import RequestError
from mlops.job import billed_seconds_of
from mlops.ledger import Entry, EntryKind, unattributed_scope
from mlops.money import cost_of_seconds, to_usd
from mlops.plan import Plan

# The partition of stopped orphans whose bill is not booked yet.
_OPEN = "open#orphans"


def remember(aws: Aws, job_name: str, now: datetime) -> None:
    """Its bill is known when it has ended; remembering it twice is harmless."""
    item = {"scope": _OPEN, "entry": job_name, "at": now.isoformat()}
    aws.dynamodb.put_item(TableName=LEDGER, Item=item)


def book_orphans(aws: Aws, now: datetime) -> tuple[tuple[str, str], ...]:
    """(job, USD) of the bills that were booked now; those without a known price stay open."""
    answer = aws.dynamodb.query(
        TableName=LEDGER,
        KeyConditionExpression="#s = :open",
        ExpressionAttributeNames={"#s": "scope"},
        ExpressionAttributeValues={":open": _OPEN},
        ConsistentRead=True,
    )
    booked: list[tuple[str, str]] = []
    for item in answer["Items"]:
        cost = _cost(aws, item["entry"], now)
        if cost is None:
            continue
        if _book(aws, item["entry"], cost, datetime.fromisoformat(item["at"]), now):
            booked.append((item["entry"], to_usd(cost)))
    return tuple(booked)


def _cost(aws: Aws, job_name: str, now: datetime) -> int | None:
    """Micro-USD with the volume, None while it runs or where no price is known."""
    seen = Jobs(aws).observe(job_name)
    if seen is None:
        return 0
    billed = billed_seconds_of(seen)
    if billed is None:
        return None
    config = _described(aws, job_name)["ResourceConfig"]
    price = shared_prices(aws, aws.settings.region).all(now).get(config["InstanceType"])
    if price is None:
        return None
    return cost_of_seconds(billed, price.running_micro, config.get("InstanceCount", 1))


def _book(aws: Aws, job_name: str, cost: int, stopped_at: datetime, now: datetime) -> bool:
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
        for scope in _scopes(aws, job_name, stopped_at)
    ]
    done = {"TableName": LEDGER, "Key": {"scope": _OPEN, "entry": job_name}}
    if Ledger(aws).book(entries, [{"Delete": done}]):
        return True
    aws.dynamodb.delete_item(**done)
    return False


def _scopes(aws: Aws, job_name: str, at: datetime) -> tuple[str, ...]:
    limits, found = Limits(aws), _plan_of(aws, job_name)
    if found is None:
        nobody = unattributed_scope(at)
        Ledger(aws).open_scope(nobody, 0)
        return (nobody,)
    plan, approval = found
    person = limits.open_person(plan.person, at)
    if approval is None or approval.team is None:
        return (person,)
    return person, limits.open_team(approval.team, at)


def _plan_of(aws: Aws, job_name: str) -> tuple[Plan, Approval | None] | None:
    """The plan that its tag names, when that is one of ours."""
    try:
        arn = _described(aws, job_name)["TrainingJobArn"]
        tags = aws.client("sagemaker").list_tags(ResourceArn=arn)["Tags"]
        plan_id = next(tag["Value"] for tag in tags if tag["Key"] == PLAN_TAG)
        plan = Plans(aws).get(plan_id)
    except (ClientError, RequestError, KeyError, StopIteration):
        return None
    return plan, Plans(aws).approval(plan.plan_id)


def _described(aws: Aws, job_name: str) -> dict[str, Any]:
    return aws.client("sagemaker").describe_training_job(TrainingJobName=job_name)
