"""Conversations in DynamoDB: title, owner, who may read along, and the lease that lets one turn run at a time."""

import hashlib
import hmac
from datetime import datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError
from pydantic import BaseModel, ConfigDict

from mlops.aws.clients import Aws, Item, error_code, translate
from mlops.aws.tables import BY_PERSON, SESSIONS

LEASE = timedelta(seconds=15)
MAX_TITLE_CHARS = 80


class Turn(BaseModel):
    """What a session is busy with. `lease_until` in the past means that its process died."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    session_id: str
    turn: str
    text: str
    owner: str
    lease_until: datetime


class Session(BaseModel):
    """One conversation of one person; `untold` are plans whose end nobody has put into words yet."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    session_id: str
    person: str
    title: str
    updated_at: datetime
    turn: Turn | None
    untold: tuple[str, ...] = ()
    last_plan: str | None = None
    is_shared: bool = False


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
                ":title": title[:MAX_TITLE_CHARS],
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

    def open(self, session_id: str, person: str, title: str, now: datetime) -> bool:
        """Makes it somebody's before a turn ran in it; False when it is somebody else's."""
        return self._update(
            session_id,
            "SET person = :p, updated_at = if_not_exists(updated_at, :now), "
            "title = if_not_exists(title, :title)",
            "attribute_not_exists(person) OR person = :p",
            {":p": person, ":now": now.isoformat(), ":title": title[:MAX_TITLE_CHARS]},
        )

    def rename(self, session_id: str, person: str, title: str) -> bool:
        """False when it is not this person's."""
        values = {":p": person, ":title": title[:MAX_TITLE_CHARS]}
        return self._update(session_id, "SET title = :title", "person = :p", values)

    def share(self, session_id: str, person: str, token: str | None) -> bool:
        """Whoever has the token may read along, until another one, or none, takes its place.

        Only a hash of it is stored. False when the session is not this person's.
        """
        if token is None:
            return self._update(session_id, "REMOVE share_hash", "person = :p", {":p": person})
        values = {":p": person, ":h": _hashed(token)}
        return self._update(session_id, "SET share_hash = :h", "person = :p", values)

    def get(self, session_id: str) -> Session | None:
        item = self._item(session_id)
        return _read(item) if "person" in item else None

    def owner(self, session_id: str) -> str | None:
        """Whose it is; None for one that is not there yet, "" for one that nobody claimed."""
        item = self._item(session_id)
        return item.get("person", "") if item else None

    def shared(self, session_id: str, token: str) -> Session | None:
        """The session, for somebody who has its token."""
        item = self._item(session_id)
        fits = hmac.compare_digest(item.get("share_hash", ""), _hashed(token))
        return _read(item) if fits and "person" in item else None

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

    def _item(self, session_id: str) -> Item:
        answer = self._db.get_item(
            TableName=SESSIONS, Key={"session_id": session_id}, ConsistentRead=True
        )
        return answer.get("Item", {})

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
        untold=tuple(sorted(item.get("untold", ()))),
        last_plan=item.get("last_plan"),
        is_shared="share_hash" in item,
    )


def _hashed(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
