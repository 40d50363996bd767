"""Conversations in DynamoDB: title, owner, who may read along, and the lease that lets one turn run at a time.

Beside a session with a running turn stands a marker, written and removed with the lease: a person's
markers are a partition of the index, so that interrupted turns are found however old they are.
"""

import hashlib
import hmac
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from pydantic import BaseModel, ConfigDict

from mlops.aws.clients import Aws, Item
from mlops.aws.items import query, transact, written
from mlops.aws.tables import BY_PERSON, SESSIONS
from mlops.errors import NotYoursError, RequestError
from mlops.excerpts import excerpt
from mlops.session_ids import RESERVED, require_id

LEASE = timedelta(seconds=15)
MAX_TITLE_CHARS = 80
_MAX_ID_CHARS = 100
_RUNNING = "running#"


class Turn(BaseModel):
    """What a session is busy with. `lease_until` in the past means that its process died."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    session_id: str
    turn: str
    text: str
    owner: str
    lease_until: datetime


class Session(BaseModel):
    """One conversation of one person; `untold` are plans whose end nobody has put into words yet.

    `events` is how many its log has; in a list it may be a moment old.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    session_id: str
    person: str
    title: str
    updated_at: datetime
    turn: Turn | None
    untold: tuple[str, ...] = ()
    last_plan: str | None = None
    is_shared: bool = False
    events: int = 0

    def is_interrupted(self, now: datetime) -> bool:
        """The process of its turn has died."""
        return self.turn is not None and self.turn.lease_until < now


class Sessions:
    """Claims, renews and releases turns with conditional writes; lists a person's sessions."""

    def __init__(self, aws: Aws, pause: Callable[[float], None] = time.sleep):
        self._db = aws.dynamodb
        self._pause = pause

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
        """Takes a free session, or one whose lease ran out; False when a turn is running.

        NotYoursError when it is somebody else's.
        """
        require_id(session_id)
        lease = _change(
            session_id,
            "SET person = :p, updated_at = :now, title = if_not_exists(title, :title), "
            "turn = :turn, turn_text = :text, lease_owner = :o, lease_until = :until",
            "(attribute_not_exists(lease_until) OR lease_until < :now) "
            "AND (attribute_not_exists(person) OR person = :p)",
            {
                ":p": person,
                ":now": now.isoformat(),
                ":title": excerpt(title, MAX_TITLE_CHARS),
                ":turn": turn,
                ":text": text,
                ":o": owner,
                ":until": (now + LEASE).isoformat(),
            },
        )
        marker = {
            "session_id": f"{_RUNNING}{session_id}",
            "person": f"{_RUNNING}{person}",
            "updated_at": now.isoformat(),
        }
        put = {"Put": {"TableName": SESSIONS, "Item": marker}}
        if self._all_or_none({"Update": lease}, put):
            return True
        self.require_owner(session_id, person)
        return False

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
        lease = _change(
            session_id,
            "REMOVE lease_owner, lease_until, turn, turn_text",
            "lease_owner = :o",
            {":o": owner},
        )
        key = {"session_id": f"{_RUNNING}{session_id}"}
        return self._all_or_none(
            {"Update": lease}, {"Delete": {"TableName": SESSIONS, "Key": key}}
        )

    def open(self, session_id: str, person: str, title: str, now: datetime) -> bool:
        """Makes it somebody's before a turn ran in it; False when it is somebody else's."""
        require_id(session_id)
        return self._update(
            session_id,
            "SET person = :p, updated_at = if_not_exists(updated_at, :now), "
            "title = if_not_exists(title, :title)",
            "attribute_not_exists(person) OR person = :p",
            {":p": person, ":now": now.isoformat(), ":title": excerpt(title, MAX_TITLE_CHARS)},
        )

    def rename(self, session_id: str, person: str, title: str) -> bool:
        """False when it is not this person's."""
        require_id(session_id)
        values = {":p": person, ":title": excerpt(title, MAX_TITLE_CHARS)}
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

    def of(self, person: str, session_id: str) -> Session:
        """RequestError when there is no such session, NotYoursError when it is somebody else's."""
        session = self.require_owner(session_id, person)
        if session is None:
            raise _unknown(session_id)
        return session

    def require_owner(self, session_id: str, person: str) -> Session | None:
        """NotYoursError when it is somebody else's; what nobody claimed yet is free, and None.

        A log of ours is no person's conversation.
        """
        session = self.get(session_id)
        is_theirs = session is not None and session.person != person
        if is_theirs or session_id in RESERVED:
            message = "This conversation belongs to somebody else."
            raise NotYoursError(message, _unknown(session_id))
        return session

    def shared(self, session_id: str, token: str) -> Session | None:
        """The session, for somebody who has its token."""
        item = self._item(session_id)
        fits = hmac.compare_digest(item.get("share_hash", ""), _hashed(token))
        return _read(item) if fits and "person" in item else None

    def of_person(self, person: str, limit: int | None = 50) -> list[Session]:
        """Newest first; all of them for None."""
        items = query(
            self._db,
            TableName=SESSIONS,
            IndexName=BY_PERSON,
            KeyConditionExpression="person = :p",
            ExpressionAttributeValues={":p": person},
            ScanIndexForward=False,
            **({"Limit": limit} if limit else {}),
        )
        return [_read(item) for item in islice(items, limit)]

    def interrupted(self, person: str, now: datetime) -> list[Session]:
        """Those whose turn's process died, oldest first. What was claimed within a lease's time
        cannot be one, so that mostly one request finds nothing."""
        markers = query(
            self._db,
            TableName=SESSIONS,
            IndexName=BY_PERSON,
            KeyConditionExpression="person = :p AND updated_at < :before",
            ExpressionAttributeValues={
                ":p": f"{_RUNNING}{person}",
                ":before": (now - LEASE).isoformat(),
            },
        )
        ids = [item["session_id"].removeprefix(_RUNNING) for item in markers]
        found = (self.get(session_id) for session_id in ids)
        return [session for session in found if session and session.is_interrupted(now)]

    def _item(self, session_id: str) -> Item:
        answer = self._db.get_item(
            TableName=SESSIONS, Key={"session_id": session_id}, ConsistentRead=True
        )
        return answer.get("Item", {})

    def _update(
        self, session_id: str, expression: str, condition: str, values: dict[str, Any]
    ) -> bool:
        """False when the condition does not hold."""
        change = _change(session_id, expression, condition, values)
        return written(self._db.update_item, **change)

    def _all_or_none(self, *writes: dict[str, Any]) -> bool:
        """False when a condition does not hold."""
        return not transact(self._db, writes, "session", self._pause)


def _change(
    session_id: str, expression: str, condition: str, values: dict[str, Any]
) -> dict[str, Any]:
    return {
        "TableName": SESSIONS,
        "Key": {"session_id": session_id},
        "UpdateExpression": expression,
        "ConditionExpression": condition,
        "ExpressionAttributeValues": values,
    }


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
        events=int(item.get("seq", 0)),
    )


def _unknown(session_id: str) -> RequestError:
    shown = session_id[:_MAX_ID_CHARS]
    return RequestError("unknown_session", f"There is no conversation {shown!r}.")


def _hashed(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
