"""What plans were computed from, in DynamoDB beside the plans themselves; and all that a replay needs of one."""

import json
from collections.abc import Callable
from typing import Any, TypeVar

from mlops.aws.clients import Aws
from mlops.aws.jobs import Jobs
from mlops.aws.ledger import Ledger
from mlops.aws.plans import Plans
from mlops.aws.tables import PLANS
from mlops.errors import RequestError
from mlops.job import Job
from mlops.ledger import plan_scope
from mlops.replay.records import PlanRecord
from mlops.snapshot import Packed

_PART = "INPUTS"
Found = TypeVar("Found")


class Snapshots:
    """One per plan, written before the plan is and never changed."""

    def __init__(self, aws: Aws):
        self._aws = aws
        self._db = aws.dynamodb

    def save(self, plan_id: str, packed: Packed) -> None:
        item = {"plan_id": plan_id, "part": _PART, "body": packed.body}
        self._db.put_item(TableName=PLANS, Item=item)

    def find(self, plan_id: str) -> bytes | None:
        """Packed, as it was stored; None for a plan without one."""
        body = self._body(plan_id, _PART)
        return bytes(body) if body is not None else None

    def record(self, plan_id: str) -> PlanRecord:
        """All that is stored of a plan, for a replay; parts that are not there are None."""
        broken: list[str] = []

        def read(part: str, reading: Callable[[], Found], otherwise: Found) -> Found:
            try:
                return reading()
            except (ValueError, KeyError, TypeError, RequestError):
                broken.append(part)
                return otherwise

        scope, ledger = plan_scope(plan_id), Ledger(self._aws)
        admitting = read("totals", lambda: ledger.admitting(scope), None) or (None, None)
        return PlanRecord(
            plan=read("plan", lambda: self._plan(plan_id), None),
            inputs=read("inputs", lambda: self.find(plan_id), None),
            approval=read("approval", lambda: Plans(self._aws).approval(plan_id), None),
            jobs=read("jobs", lambda: self._jobs(plan_id), ()),
            totals=admitting[0],
            admits_micro=admitting[1],
            entries=read("entries", lambda: tuple(ledger.entries(scope)), ()),
            unreadable=tuple(broken),
        )

    def _plan(self, plan_id: str) -> dict[str, Any] | None:
        body = self._body(plan_id, "PLAN")
        return dict(json.loads(body)) if body is not None else None

    def _jobs(self, plan_id: str) -> tuple[Job, ...]:
        """As they are now: the index may be a moment behind."""
        jobs = Jobs(self._aws)
        return tuple(jobs.get(job.job_name) for job in jobs.of_plan(plan_id))

    def _body(self, plan_id: str, part: str) -> Any:
        key = {"plan_id": plan_id, "part": part}
        item = self._db.get_item(TableName=PLANS, Key=key, ConsistentRead=True).get("Item")
        return item["body"] if item else None
