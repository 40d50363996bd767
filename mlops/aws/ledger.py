"""The ledger in DynamoDB: one transaction admits or refuses across all scopes, each booking happens once."""

import random
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from mlops.aws.clients import Aws, Item
from mlops.aws.items import UNMET, query, transact, written
from mlops.aws.tables import LEDGER
from mlops.errors import Alternative, FaultError, OpsError, RefusedError
from mlops.ledger import Entry, EntryKind, Totals
from mlops.money import show_usd, to_usd

RESERVATION_CHANGED = "reservation_changed"
_TOTAL = "TOTAL"
_ATTEMPTS = 30
_LIMITS = {"person": "monthly limit", "team": "team's monthly limit"}
_WAIT = (Alternative(kind="wait", message="Wait until running jobs are settled"),)
_RETRY = Alternative(kind="retry", message="Try again in a moment")


class Ledger:
    """Totals per scope (`left` is stored: a condition cannot do arithmetic) and append-only entries."""

    def __init__(self, aws: Aws, pause: Callable[[float], None] = time.sleep):
        self._db = aws.dynamodb
        self._pause = pause

    def open_scope(self, scope: str, limit_micro: int) -> None:
        """Gives a scope its limit when it has none yet."""
        item = {
            "scope": scope,
            "entry": _TOTAL,
            "limit": limit_micro,
            "spent": 0,
            "reserved": 0,
            "left": limit_micro,
        }
        written(
            self._db.put_item,
            TableName=LEDGER,
            Item=item,
            ConditionExpression="attribute_not_exists(#s)",
            ExpressionAttributeNames={"#s": "scope"},
        )

    def set_limit(self, scope: str, limit_micro: int) -> Totals:
        """Changes a limit; RefusedError when more is already spent and reserved."""
        self.open_scope(scope, max(0, limit_micro))
        for attempt in range(_ATTEMPTS):
            before = self.totals(scope)
            assert before is not None
            taken = before.spent_micro + before.reserved_micro
            if limit_micro < taken:
                raise RefusedError(
                    "limit_too_low",
                    f"{show_usd(taken)} are already spent or reserved; the limit cannot be lower.",
                    (_limit_of(taken), *_WAIT),
                )
            if self._try_limit(before, limit_micro):
                return before.model_copy(update={"limit_micro": limit_micro})
            self._pause(random.uniform(0, 0.01 * (attempt + 1)))
        raise FaultError("ledger_busy", "The ledger is too busy; try again.", (_RETRY,))

    def _try_limit(self, before: Totals, limit_micro: int) -> bool:
        """False when somebody booked meanwhile."""
        delta = limit_micro - before.limit_micro
        return written(
            self._db.update_item,
            TableName=LEDGER,
            Key={"scope": before.scope, "entry": _TOTAL},
            UpdateExpression="SET #l = :l, #left = #left + :d",
            ConditionExpression="#l = :before AND #left >= :need",
            ExpressionAttributeNames={"#l": "limit", "#left": "left"},
            ExpressionAttributeValues={
                ":l": limit_micro,
                ":d": delta,
                ":before": before.limit_micro,
                ":need": -delta,
            },
        )

    def totals(self, scope: str) -> Totals | None:
        """None when nothing was ever booked or limited there."""
        found = self.admitting(scope)
        return found[0] if found else None

    def admitting(self, scope: str) -> tuple[Totals, int] | None:
        """With what is stored as left, which is what admits."""
        answer = self._db.get_item(
            TableName=LEDGER, Key={"scope": scope, "entry": _TOTAL}, ConsistentRead=True
        )
        item = answer.get("Item")
        if item is None:
            return None
        totals = Totals(
            scope=scope,
            limit_micro=int(item["limit"]),
            spent_micro=int(item["spent"]),
            reserved_micro=int(item["reserved"]),
        )
        return totals, int(item["left"])

    def entries(self, scope: str, beginning: str = "") -> list[Entry]:
        """All bookings of a scope, or those whose sort key ("<kind>#<key>") begins so, in order of
        time."""
        request: dict[str, Any] = {
            "TableName": LEDGER,
            "KeyConditionExpression": "#s = :s",
            "ExpressionAttributeNames": {"#s": "scope"},
            "ExpressionAttributeValues": {":s": scope},
            "ConsistentRead": True,
        }
        if beginning:
            request["KeyConditionExpression"] += " AND begins_with(#e, :e)"
            request["ExpressionAttributeNames"]["#e"] = "entry"
            request["ExpressionAttributeValues"][":e"] = beginning
        # A filter expression may not name a key.
        items = (item for item in query(self._db, **request) if item["entry"] != _TOTAL)
        return sorted(map(_read, items), key=lambda e: e.at)

    def find(self, scope: str, kind: EntryKind, key: str) -> Entry | None:
        """One booking, or None when it was never made."""
        answer = self._db.get_item(
            TableName=LEDGER, Key={"scope": scope, "entry": f"{kind}#{key}"}, ConsistentRead=True
        )
        return _read(answer["Item"]) if "Item" in answer else None

    def book(self, entries: Sequence[Entry], also: Sequence[dict[str, Any]] = ()) -> bool:
        """Books the entries together and carries out the writes in `also`; False when they were
        booked before, or when a condition in `also` does not hold.

        Raises RefusedError, and books nothing, when a scope has too little left; FaultError
        RESERVATION_CHANGED when more would be given back than is reserved.
        """
        # One item may be written once in a transaction: a scope's entries move its totals together.
        moved = [
            [e for e in entries if e.scope == s] for s in dict.fromkeys(e.scope for e in entries)
        ]
        writes = [*map(_put, entries), *map(_move, moved), *also]
        first, last = len(entries), len(entries) + len(moved)
        reasons = transact(self._db, writes, "ledger", self._pause)
        if not reasons or UNMET in (*reasons[:first], *reasons[last:]):
            return not reasons
        raise self._refusal(moved[reasons.index(UNMET) - first][0])

    def _refusal(self, entry: Entry) -> OpsError:
        if entry.kind is EntryKind.RELEASE:
            return FaultError(RESERVATION_CHANGED, f"{entry.scope} was booked at the same moment.")
        return self._too_little(entry)

    def _too_little(self, entry: Entry) -> RefusedError:
        totals = self.totals(entry.scope)
        left = totals.left_micro if totals else 0
        need = entry.spent_micro + entry.reserved_micro
        what = _LIMITS.get(entry.scope.partition("#")[0], "budget")
        raised = to_usd((totals.limit_micro if totals else 0) + need - left)
        return RefusedError(
            "over_budget",
            f"{show_usd(need)} are needed, {show_usd(left)} are left of the {what}.",
            (
                Alternative(
                    kind="raise_budget", message=f"Raise the {what} to ${raised}", cost_usd=raised
                ),
                *_WAIT,
            ),
        )


def if_reserved(scope: str, micro: int) -> dict[str, Any]:
    """For a transaction: it fails when less than this is reserved there."""
    return {
        "ConditionCheck": {
            "TableName": LEDGER,
            "Key": {"scope": scope, "entry": _TOTAL},
            "ConditionExpression": "#reserved >= :micro",
            "ExpressionAttributeNames": {"#reserved": "reserved"},
            "ExpressionAttributeValues": {":micro": micro},
        }
    }


def _limit_of(micro: int) -> Alternative:
    usd = to_usd(micro)
    return Alternative(kind="raise_budget", message=f"Set it to ${usd} or more", cost_usd=usd)


def _put(entry: Entry) -> dict[str, Any]:
    item = {
        "scope": entry.scope,
        "entry": f"{entry.kind}#{entry.key}",
        "at": entry.at.isoformat(),
        "spent": entry.spent_micro,
        "reserved": entry.reserved_micro,
        "note": entry.note,
    }
    return {
        "Put": {
            "TableName": LEDGER,
            "Item": item,
            "ConditionExpression": "attribute_not_exists(#s)",
            "ExpressionAttributeNames": {"#s": "scope"},
        }
    }


def _move(entries: Sequence[Entry]) -> dict[str, Any]:
    """What is taken from `left` must be there, except when a bill is settled: that is a fact.
    What is given back must be reserved. All entries are of one scope."""
    spent, reserved = sum(e.spent_micro for e in entries), sum(e.reserved_micro for e in entries)
    names = {"#spent": "spent", "#reserved": "reserved", "#left": "left"}
    values = {":s": spent, ":r": reserved, ":t": spent + reserved}
    kind, condition = entries[0].kind, "attribute_exists(#left)"
    if kind is EntryKind.RELEASE:
        condition, values[":back"] = "#reserved >= :back", -reserved
    elif not kind.is_a_fact and reserved >= 0:
        condition = "#left >= :t"
    return {
        "Update": {
            "TableName": LEDGER,
            "Key": {"scope": entries[0].scope, "entry": _TOTAL},
            "UpdateExpression": "SET #spent = #spent + :s, #reserved = #reserved + :r, "
            "#left = #left - :t",
            "ConditionExpression": condition,
            "ExpressionAttributeNames": names,
            "ExpressionAttributeValues": values,
        }
    }


def _read(item: Item) -> Entry:
    kind, _, key = item["entry"].partition("#")
    return Entry(
        scope=item["scope"],
        kind=EntryKind(kind),
        key=key,
        at=datetime.fromisoformat(item["at"]),
        spent_micro=int(item["spent"]),
        reserved_micro=int(item["reserved"]),
        note=item["note"],
    )
