"""What plans were computed from, in DynamoDB beside the plans themselves; and all that a replay needs of one."""

import json

from mlops.aws.clients import Aws
from mlops.aws.ledger import Ledger
from mlops.aws.plans import Plans
from mlops.aws.tables import PLANS
from mlops.ledger import plan_scope
from mlops.replay_runs import PlanRecord
from mlops.snapshot import Packed

_PART = "INPUTS"


class Snapshots:
    """One per plan, written before the plan is and never changed."""

    def __init__(self, aws: Aws):
        self._aws = aws
        self._db = aws.dynamodb

    def save(self, plan_id: str, packed: Packed) -> None:
        item = {"plan_id": plan_id, "part": _PART, "body": packed.body, "sha256": packed.sha256}
        self._db.put_item(TableName=PLANS, Item=item)

    def record(self, plan_id: str) -> PlanRecord:
        """All that is stored of a plan, for a replay; parts that are not there are None."""
        key = {"plan_id": plan_id, "part": "PLAN"}
        stored = self._db.get_item(TableName=PLANS, Key=key, ConsistentRead=True).get("Item")
        scope, ledger = plan_scope(plan_id), Ledger(self._aws)
        return PlanRecord(
            plan=json.loads(stored["body"]) if stored else None,
            inputs=self.find(plan_id),
            approval=Plans(self._aws).approval(plan_id),
            totals=ledger.totals(scope),
            entries=tuple(ledger.entries(scope)),
        )

    def find(self, plan_id: str) -> bytes | None:
        """Packed, as it was stored; None for a plan without one."""
        answer = self._db.get_item(
            TableName=PLANS, Key={"plan_id": plan_id, "part": _PART}, ConsistentRead=True
        )
        item = answer.get("Item")
        return bytes(item["body"]) if item else None
