"""Plans and their approvals in DynamoDB; a plan stays `open` until its run is reported or undone."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from mlops.approvals import AGAIN, Approval, ApprovalStatus, Queue, why_declined, wish
from mlops.aws.clients import Aws, Item
from mlops.aws.items import query, read_keys, written
from mlops.aws.limits import Limits
from mlops.aws.tables import OPEN, PLANS
from mlops.errors import NotYoursError, RefusedError, RequestError
from mlops.plan import Plan

_MAX_ID_CHARS = 100
_PLAN, _APPROVAL, _RULE = "PLAN", "APPROVAL", "RULE"
# Longer than a Lambda may run: whoever held a move this long has died.
MOVE_LEASE = timedelta(seconds=90)


class Plans:
    """Reads and writes plans; only a person's action calls `approve` and `decline`."""

    def __init__(self, aws: Aws):
        self._aws = aws
        self._db = aws.dynamodb

    def save(self, plan: Plan) -> None:
        item = {
            "plan_id": plan.plan_id,
            "part": _PLAN,
            "session_id": plan.session_id,
            "created_at": plan.created_at.isoformat(),
            "body": plan.model_dump_json(),
        }
        self._db.put_item(TableName=PLANS, Item=item)

    def get(self, plan_id: str) -> Plan:
        """RequestError when there is no such plan."""
        if not 0 < len(plan_id) <= _MAX_ID_CHARS:
            raise _unknown(plan_id)
        item = self._item(plan_id, _PLAN)
        if item is None:
            raise _unknown(plan_id)
        return Plan.model_validate_json(item["body"])

    def of(self, person: str, plan_id: str) -> Plan:
        """NotYoursError when the plan was made for somebody else."""
        plan = self.get(plan_id)
        if plan.person != person:
            raise NotYoursError("This plan was made for somebody else.", _unknown(plan_id))
        return plan

    def approval(self, plan_id: str) -> Approval | None:
        item = self._item(plan_id, _APPROVAL)
        return None if item is None else _read(item)

    def decided(self, plan_ids: Sequence[str]) -> set[str]:
        """Those that a person has said yes or no to; one request for a hundred."""
        keys = [{"plan_id": name, "part": _APPROVAL} for name in dict.fromkeys(plan_ids)]
        return {item["plan_id"] for item in read_keys(self._db, PLANS, keys, "plan_id")}

    def approve(self, plan: Plan, by: str, now: datetime, queue: Queue | None = None) -> Approval:
        """Stores a person's yes; a repeated yes returns the first one. With `queue`, or when the
        plan's sentence asked for it, the launch waits for its time and for free quota."""
        queue = queue or wish(plan.constraints, now)
        return self._decide(plan, by, now, ApprovalStatus.APPROVED, queue)

    def decline(self, plan: Plan, by: str, now: datetime) -> Approval:
        return self._decide(plan, by, now, ApprovalStatus.DECLINED)

    def supersede(self, plan: Plan, by: str, now: datetime) -> Approval:
        """Declines it because the person has changed its terms."""
        return self._decide(plan, by, now, ApprovalStatus.DECLINED, replaced_by="")

    def replaced(self, plan_id: str, by_plan: str) -> None:
        """Says which plan has the new terms, once."""
        approval = self.approval(plan_id)
        if approval is not None and approval.replaced_by == "":
            body = approval.model_copy(update={"replaced_by": by_plan}).model_dump_json()
            self._write(plan_id, "SET body = :b", "attribute_exists(plan_id)", {":b": body})

    def claim_turn(self, plan: Plan) -> bool:
        """Whether this plan is the one that a standing rule may approve in its turn: the first that
        asks is, for ever, whichever process asks."""
        turn = {"plan_id": f"turn#{plan.session_id}#{plan.turn}", "part": _RULE}
        return written(
            self._db.put_item,
            TableName=PLANS,
            Item={**turn, "approves": plan.plan_id},
            ConditionExpression="attribute_not_exists(plan_id) OR approves = :p",
            ExpressionAttributeValues={":p": plan.plan_id},
        )

    def claim(self, plan_id: str, owner: str, now: datetime) -> bool:
        """Takes the plan's next move for a while, so that only one process decides on it."""
        return self._write(
            plan_id,
            "SET move_owner = :o, move_until = :until",
            "attribute_not_exists(move_until) OR move_until < :now OR move_owner = :o",
            {":o": owner, ":now": now.isoformat(), ":until": (now + MOVE_LEASE).isoformat()},
        )

    def unclaim(self, plan_id: str, owner: str) -> bool:
        return self._write(
            plan_id, "REMOVE move_owner, move_until", "move_owner = :o", {":o": owner}
        )

    def close(self, plan_id: str) -> None:
        """The run has ended: its approval is used up and the watchdog may forget it."""
        self._end(plan_id, ApprovalStatus.USED)

    def withdraw(self, plan_id: str) -> None:
        """A person took their yes back before anything was started."""
        self._end(plan_id, ApprovalStatus.DECLINED)

    def stop_after(self, plan_id: str, stage: int) -> None:
        """A person stopped the run: no stage after this one may start any more."""
        exists = "attribute_exists(plan_id)"
        self._write(plan_id, "SET last_stage = :s", exists, {":s": stage})

    def last_stage(self, plan_id: str) -> int | None:
        """After which a person stopped the run; None when nobody did."""
        stage = (self._item(plan_id, _APPROVAL) or {}).get("last_stage")
        return None if stage is None else int(stage)

    def _end(self, plan_id: str, status: ApprovalStatus) -> None:
        approval = self.approval(plan_id)
        if approval is None:
            return
        ended = approval.model_copy(update={"status": status})
        self._db.update_item(
            TableName=PLANS,
            Key={"plan_id": plan_id, "part": _APPROVAL},
            UpdateExpression="SET body = :b REMOVE #o",
            ExpressionAttributeNames={"#o": "open"},
            ExpressionAttributeValues={":b": ended.model_dump_json()},
        )

    def open_approvals(self) -> list[Approval]:
        """Approved plans whose run has not been reported, oldest first."""
        items = query(
            self._db,
            TableName=PLANS,
            IndexName=OPEN,
            KeyConditionExpression="#o = :yes",
            ExpressionAttributeNames={"#o": "open"},
            ExpressionAttributeValues={":yes": "yes"},
        )
        return [_read(item) for item in items]

    def _item(self, plan_id: str, part: str) -> Item | None:
        key = {"plan_id": plan_id, "part": part}
        return self._db.get_item(TableName=PLANS, Key=key, ConsistentRead=True).get("Item")

    def _write(
        self, plan_id: str, expression: str, condition: str, values: dict[str, Any]
    ) -> bool:
        return written(
            self._db.update_item,
            TableName=PLANS,
            Key={"plan_id": plan_id, "part": _APPROVAL},
            UpdateExpression=expression,
            ConditionExpression=f"attribute_exists(plan_id) AND ({condition})",
            ExpressionAttributeValues=values,
        )

    def _decide(
        self,
        plan: Plan,
        by: str,
        now: datetime,
        status: ApprovalStatus,
        queue: Queue | None = None,
        replaced_by: str | None = None,
    ) -> Approval:
        approval = Approval(
            plan_id=plan.plan_id,
            by=by,
            at=now,
            ceiling_usd=plan.ceiling_usd,
            status=status,
            team=Limits(self._aws).team_of(plan.person),
            queue=queue,
            replaced_by=replaced_by,
        )
        item = {
            "plan_id": plan.plan_id,
            "part": _APPROVAL,
            "created_at": now.isoformat(),
            "body": approval.model_dump_json(),
        }
        if status is ApprovalStatus.APPROVED:
            item["open"] = "yes"
        new = "attribute_not_exists(plan_id)"
        if written(self._db.put_item, TableName=PLANS, Item=item, ConditionExpression=new):
            return approval
        return self._earlier(plan.plan_id, status)

    def _earlier(self, plan_id: str, wanted: ApprovalStatus) -> Approval:
        """The first decision stands: repeating it is harmless, changing it is refused."""
        earlier = self.approval(plan_id)
        if earlier is not None and earlier.status is wanted:
            return earlier
        if earlier is not None and earlier.status is ApprovalStatus.USED:
            raise RefusedError("approval_used", "This plan has already been run.", (AGAIN,))
        if earlier is not None and earlier.status is ApprovalStatus.APPROVED:
            message = "This plan was approved already; to end it, stop its job."
            raise RefusedError("already_approved", message)
        raise RefusedError("not_approved", why_declined(earlier), (AGAIN,))


def _read(item: Item) -> Approval:
    approval = Approval.model_validate_json(item["body"])
    if "booked_at" not in item:
        return approval
    booked_at = datetime.fromisoformat(item["booked_at"])
    return approval.model_copy(update={"booked_at": booked_at})


def booked(plan_id: str, now: datetime) -> dict[str, Any]:
    """For the transaction that reserves: when that was, unless the run has been reported or undone."""
    return {
        "Update": {
            "TableName": PLANS,
            "Key": {"plan_id": plan_id, "part": _APPROVAL},
            "UpdateExpression": "SET booked_at = :at",
            "ConditionExpression": "attribute_exists(#o)",
            "ExpressionAttributeNames": {"#o": "open"},
            "ExpressionAttributeValues": {":at": now.isoformat()},
        }
    }


def still_open(plan_id: str) -> dict[str, Any]:
    """For a transaction: it fails when the plan's run has been reported or undone."""
    return {
        "ConditionCheck": {
            "TableName": PLANS,
            "Key": {"plan_id": plan_id, "part": _APPROVAL},
            "ConditionExpression": "attribute_exists(#o)",
            "ExpressionAttributeNames": {"#o": "open"},
        }
    }


def _unknown(plan_id: str) -> RequestError:
    return RequestError("unknown_plan", f"There is no plan {plan_id[:_MAX_ID_CHARS]!r}.")
