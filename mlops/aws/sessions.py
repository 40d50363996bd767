"""Conversations in DynamoDB: title, owner, and the lease that lets one turn run at a time."""

from datetime import datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError
from pydantic import BaseModel, ConfigDict

from mlops.aws.clients import Aws, Item, error_code, translate
from mlops.aws.tables import BY_PERSON, SESSIONS

LEASE = timedelta(seconds=15)


class Turn(BaseModel):
    """What a session is busy with. `lease_until` in the past means that its process died."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    session_id: str
    turn: str
    text: str
    owner: str
    lease_until: datetime


class Session(BaseModel):
    """One conversation of one person."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    session_id: str
    person: str
    title: str
    updated_at: datetime
    turn: Turn | None


class Sessions:
    """Claims, renews and releases turns with conditional writes; lists a person's sessions."""

    def __init__(self, aws: Aws):
        self._db = aws.dynamodb

    def claim(
        self,
        session_id: str,
        person: str,
        turn: str,
        text: str,
        title: str,
        owner: str,
        now: datetime,
    ) -> bool:
        """Takes a free session, or one whose lease ran out; False when a turn is running."""
        return self._update(
            session_id,
            "SET person = :p, updated_at = :now, title = if_not_exists(title, :title), "
            "turn = :turn, turn_text = :text, lease_owner = :o, lease_until = :until",
            "attribute_not_exists(lease_until) OR lease_until < :now",
            {
                ":p": person,
                ":now": now.isoformat(),
                ":title": title[:80],
                ":turn": turn,
                ":text": text,
                ":o": owner,
                ":until": (now + LEASE).isoformat(),
            },
        )

    def renew(self, session_id: str, owner: str, now: datetime) -> bool:
        """The heartbeat; False when the lease is no longer ours."""
        return self._update(
            session_id,
            "SET lease_until = :until",
            "lease_owner = :o",
            {":o": owner, ":until": (now + LEASE).isoformat()},
        )

    def release(self, session_id: str, owner: str) -> bool:
        """The turn has ended; only its owner can say so."""
        return self._update(
            session_id,
            "REMOVE lease_owner, lease_until, turn, turn_text",
            "lease_owner = :o",
            {":o": owner},
        )

    def get(self, session_id: str) -> Session | None:
        answer = self._db.get_item(
            TableName=SESSIONS, Key={"session_id": session_id}, ConsistentRead=True
        )
        item = answer.get("Item")
        return _read(item) if item and "person" in item else None

    def of_person(self, person: str, limit: int = 50) -> list[Session]:
        """Newest first."""
        answer = self._db.query(
            TableName=SESSIONS,
            IndexName=BY_PERSON,
            KeyConditionExpression="person = :p",
            ExpressionAttributeValues={":p": person},
            ScanIndexForward=False,
            Limit=limit,
        )
        return [_read(item) for item in answer["Items"]]

    def _update(
        self, session_id: str, expression: str, condition: str, values: dict[str, Any]
    ) -> bool:
        try:
            self._db.update_item(
                TableName=SESSIONS,
                Key={"session_id": session_id},
                UpdateExpression=expression,
                ConditionExpression=condition,
                ExpressionAttributeValues=values,
            )
        except ClientError as error:
            if error_code(error) != "ConditionalCheckFailedException":
                raise translate(error) from error
            return False
        return True


def _read(item: Item) -> Session:
    turn = None
    if "lease_until" in item:
        turn = Turn(
            session_id=item["session_id"],
            turn=item["turn"],
            text=item["turn_text"],
            owner=item["lease_owner"],
            lease_until=datetime.fromisoformat(item["lease_until"]),
        )
    return Session(
        session_id=item["session_id"],
        person=item["person"],
        title=item.get("title", ""),
        updated_at=datetime.fromisoformat(item["updated_at"]),
        turn=turn,
    )
