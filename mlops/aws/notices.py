"""Inboxes and the outbox in DynamoDB. A notice and one outbox row per channel are written together with the
event they tell of; a row goes away when it was delivered, or given up after a day."""

import json
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from pydantic import BaseModel, ConfigDict

from mlops.aws.clients import Aws, Item
from mlops.aws.items import query, transact, written
from mlops.aws.tables import NOTICES
from mlops.notices import Notice
from mlops.settings import Settings

KEPT = timedelta(days=90)
GIVEN_UP_AFTER = timedelta(days=1)
# Longer than a delivery may take: whoever held a row this long has died.
_CLAIMED = timedelta(minutes=2)
_FIRST_WAIT, _LONGEST_WAIT = timedelta(seconds=30), timedelta(hours=1)


class Stored(BaseModel):
    """A notice in an inbox; `deliveries` says by channel when it was sent, or why it was given up."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    notice: Notice
    read_at: datetime | None
    deliveries: dict[str, str]


class Pending(BaseModel):
    """A row of the outbox: one notice that one channel has still to deliver."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    channel: str
    notice: Notice
    due_at: str
    attempts: int
    error: str


def writes_of(notice: Notice, settings: Settings) -> list[dict[str, Any]]:
    """For the transaction that writes what the notice tells of."""
    body = notice.model_dump_json()
    ttl = int((notice.at + KEPT).timestamp())
    inbox = {"owner": notice.inbox, "notice_id": notice.notice_id, "body": body, "ttl": ttl}
    rows = [
        {
            "owner": _outbox(channel),
            "notice_id": notice.notice_id,
            "body": body,
            "due_at": notice.at.isoformat(),
            "attempts": 0,
            "error": "",
        }
        for channel in settings.notify_channels
    ]
    return [{"Put": {"TableName": NOTICES, "Item": item}} for item in (inbox, *rows)]


class Notices:
    """Reads and marks inboxes, claims and settles outbox rows; everything by key."""

    def __init__(self, aws: Aws):
        self._db = aws.dynamodb
        self._settings = aws.settings

    def add_once(self, notice: Notice, once: str) -> bool:
        """False when a notice of this key was written before."""
        marker = {
            "Put": {
                "TableName": NOTICES,
                "Item": {"owner": f"once#{once}", "notice_id": "-"},
                "ConditionExpression": "attribute_not_exists(notice_id)",
            }
        }
        writes = [marker, *writes_of(notice, self._settings)]
        return not transact(self._db, writes, "inbox")

    def latest(self, inboxes: Sequence[str], limit: int = 50) -> list[Stored]:
        """Of these inboxes, newest first."""
        found = [_stored(item) for inbox in inboxes for item in self._newest(inbox, limit)]
        found.sort(key=lambda stored: stored.notice.notice_id, reverse=True)
        return found[:limit]

    def mark_read(self, notice: Notice, now: datetime) -> None:
        """Harmless to repeat, and for a notice that has gone."""
        self._update(
            {"owner": notice.inbox, "notice_id": notice.notice_id},
            "SET read_at = :now",
            "attribute_exists(notice_id) AND attribute_not_exists(read_at)",
            {":now": now.isoformat()},
        )

    def due(self, channel: str, now: datetime) -> Iterator[Pending]:
        """What the channel should try now, oldest first."""
        items = query(
            self._db,
            TableName=NOTICES,
            KeyConditionExpression="#o = :o",
            FilterExpression="due_at <= :now",
            ExpressionAttributeNames={"#o": "owner"},
            ExpressionAttributeValues={":o": _outbox(channel), ":now": now.isoformat()},
            ConsistentRead=True,
        )
        return (_pending(channel, item) for item in items)

    def claim(self, row: Pending, now: datetime) -> bool:
        """Only one process delivers a row at a time."""
        until = (now + _CLAIMED).isoformat()
        condition, values = "due_at = :seen", {":seen": row.due_at, ":until": until}
        return self._update(_key(row), "SET due_at = :until", condition, values)

    def delivered(self, row: Pending, now: datetime) -> None:
        self._note(row, f"sent at {now:%Y-%m-%d %H:%M:%S} UTC")
        self._db.delete_item(TableName=NOTICES, Key=_key(row))

    def failed(self, row: Pending, why: str, now: datetime) -> bool:
        """True when it is given up now; else it is tried again later, each time after longer."""
        if now - row.notice.at >= GIVEN_UP_AFTER:
            self._note(row, f"given up after {row.attempts + 1} attempts: {why}")
            self._db.delete_item(TableName=NOTICES, Key=_key(row))
            return True
        wait = min(_LONGEST_WAIT, _FIRST_WAIT * 2 ** min(row.attempts, 10))
        values = {":due": (now + wait).isoformat(), ":n": row.attempts + 1, ":why": why[:200]}
        change = "SET due_at = :due, attempts = :n, #e = :why"
        exists = "attribute_exists(notice_id)"
        self._update(_key(row), change, exists, values, {"#e": "error"})
        return False

    def _note(self, row: Pending, outcome: str) -> None:
        """In the inbox, where a person sees it."""
        self._update(
            {"owner": row.notice.inbox, "notice_id": row.notice.notice_id},
            "SET #c = :outcome",
            "attribute_exists(notice_id)",
            {":outcome": outcome},
            {"#c": f"by_{row.channel}"},
        )

    def _newest(self, inbox: str, limit: int) -> list[Item]:
        return self._db.query(
            TableName=NOTICES,
            KeyConditionExpression="#o = :o",
            ExpressionAttributeNames={"#o": "owner"},
            ExpressionAttributeValues={":o": inbox},
            ScanIndexForward=False,
            Limit=limit,
            ConsistentRead=True,
        )["Items"]

    def _update(
        self,
        key: dict[str, str],
        change: str,
        condition: str,
        values: dict[str, Any],
        names: dict[str, str] | None = None,
    ) -> bool:
        return written(
            self._db.update_item,
            TableName=NOTICES,
            Key=key,
            UpdateExpression=change,
            ConditionExpression=condition,
            ExpressionAttributeValues=values,
            **({"ExpressionAttributeNames": names} if names else {}),
        )


def _outbox(channel: str) -> str:
    return f"outbox#{channel}"


def _key(row: Pending) -> dict[str, str]:
    return {"owner": _outbox(row.channel), "notice_id": row.notice.notice_id}


def _stored(item: Item) -> Stored:
    read_at = item.get("read_at")
    return Stored(
        notice=Notice.model_validate(json.loads(item["body"])),
        read_at=datetime.fromisoformat(read_at) if read_at else None,
        deliveries={k.removeprefix("by_"): v for k, v in item.items() if k.startswith("by_")},
    )


def _pending(channel: str, item: Item) -> Pending:
    return Pending(
        channel=channel,
        notice=Notice.model_validate(json.loads(item["body"])),
        due_at=item["due_at"],
        attempts=int(item["attempts"]),
        error=item["error"],
    )
