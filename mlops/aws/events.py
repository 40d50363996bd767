"""The event log in DynamoDB: whoever writes advances sequence number, hash and head in one transaction."""

import json
import random
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from botocore.exceptions import ClientError

from mlops.aws.clients import Aws, Item, cancellation_reasons, error_code, translate
from mlops.aws.items import UNMET, query
from mlops.aws.notices import writes_of
from mlops.aws.tables import EVENTS, SESSIONS
from mlops.errors import FaultError
from mlops.events import REPORTED, TOLD, Event, EventKind, Head, chain, fitted, to_json
from mlops.notices import of_event

TOKENS_LIVE = timedelta(days=1)
_ATTEMPTS = 30
_PAGE = 500


class EventLog:
    """Appends to and tails the logs of sessions; keeps no state but the last known heads."""

    def __init__(
        self,
        aws: Aws,
        clock: Callable[[], datetime],
        pause: Callable[[float], None] = time.sleep,
    ):
        self.aws = aws
        self._db = aws.dynamodb
        self._clock = clock
        self._pause = pause
        self._heads: dict[str, Head] = {}

    def append(
        self,
        session: str,
        turn: str,
        kind: EventKind,
        data: dict[str, Any],
        once: str | None = None,
        person: str | None = None,
    ) -> Event | None:
        """Writes one event; with `once`, a second event of that key is not written (None).

        Data that is too large for one item is cut, and says so; the chain covers what is stored.
        `person` is who gets a notice when the event is worth one, written in the same transaction.
        The end of a run makes its plan one that is to be told, until that was done.
        Raises FaultError when other writers keep winning the race for the next number.
        """
        # A report is read whole, as one document: it has no place for a note.
        stored = fitted(data, note=kind is not EventKind.REPORT)
        for attempt in range(_ATTEMPTS):
            head = self._heads.get(session) or self.head(session)
            draft = Event(
                session=session, seq=0, turn=turn, kind=kind, at=self._clock(), data=stored
            )
            event = chain(head, draft)
            try:
                self._db.transact_write_items(
                    TransactItems=[*_writes(event, head, once), *self._notice(event, person)]
                )
            except ClientError as error:
                if once is not None and _already_there(error):
                    return None
                if not _lost_race(error):
                    raise translate(error) from error
                self._heads.pop(session, None)
                self._pause(random.uniform(0, 0.01 * (attempt + 1)))
                continue
            self._heads[session] = Head(seq=event.seq, hash=event.hash)
            return event
        raise FaultError("log_busy", "The session's log is too busy; try again.")

    def _notice(self, event: Event, person: str | None) -> list[dict[str, Any]]:
        notice = of_event(event, person) if person else None
        return writes_of(notice, self.aws.settings) if notice else []

    def head(self, session: str) -> Head:
        """Where the chain of a session ends now."""
        answer = self._db.get_item(
            TableName=SESSIONS, Key={"session_id": session}, ConsistentRead=True
        )
        item = answer.get("Item", {})
        return Head(seq=int(item["seq"]), hash=item["hash"]) if "seq" in item else Head()

    def tail(self, session: str, after: int = 0, limit: int | None = None) -> list[Event]:
        """Events with a higher number, oldest first; follows pages to the end, or to the limit."""
        return [_read(item) for item in islice(self._pages(session, after), limit)]

    def written(self, session: str, once: str) -> Event | None:
        """The event that was written under a key, if it was."""
        key = {"session_id": _marked(session, once), "seq": 0}
        marker = self._db.get_item(TableName=EVENTS, Key=key, ConsistentRead=True).get("Item")
        if marker is None:
            return None
        key = {"session_id": session, "seq": marker["event"]}
        answer = self._db.get_item(TableName=EVENTS, Key=key, ConsistentRead=True)
        return _read(answer["Item"])

    def append_tokens(self, session: str, turn: str, seq: int, text: str) -> None:
        """Streamed text of a running turn: unchained, expires; `seq` counts within the session."""
        now = self._clock()
        self._db.put_item(
            TableName=EVENTS,
            Item={
                "session_id": f"{session}#tokens",
                "seq": seq,
                "turn": turn,
                "kind": EventKind.TOKEN,
                "at": now.isoformat(),
                "data": to_json({"text": text}),
                "hash": "",
                "ttl": int((now + TOKENS_LIVE).timestamp()),
            },
        )

    def tail_tokens(self, session: str, after: int = 0) -> list[Event]:
        """Streamed text with a higher number."""
        return [_read(item) for item in self._pages(f"{session}#tokens", after)]

    def _pages(self, key: str, after: int) -> Iterator[Item]:
        return query(
            self._db,
            TableName=EVENTS,
            KeyConditionExpression="session_id = :s AND seq > :n",
            ExpressionAttributeValues={":s": key, ":n": after},
            ConsistentRead=True,
            Limit=_PAGE,
        )


def _writes(event: Event, head: Head, once: str | None) -> list[dict[str, Any]]:
    change, values = _to_tell(once)
    advance = {
        "Update": {
            "TableName": SESSIONS,
            "Key": {"session_id": event.session},
            "UpdateExpression": f"SET seq = :n, #h = :h, updated_at = :t{change}",
            "ConditionExpression": "seq = :m" if head.seq else "attribute_not_exists(seq)",
            "ExpressionAttributeNames": {"#h": "hash"},
            "ExpressionAttributeValues": {
                ":n": event.seq,
                ":h": event.hash,
                ":t": event.at.isoformat(),
                **values,
                **({":m": head.seq} if head.seq else {}),
            },
        }
    }
    item = {
        "session_id": event.session,
        "seq": event.seq,
        "turn": event.turn,
        "kind": event.kind,
        "at": event.at.isoformat(),
        "data": to_json(event.data),
        "hash": event.hash,
    }
    writes: list[dict[str, Any]] = [advance, {"Put": {"TableName": EVENTS, "Item": item}}]
    if once is not None:
        marker = {"session_id": _marked(event.session, once), "seq": 0, "event": event.seq}
        condition = "attribute_not_exists(session_id)"
        writes.append(
            {"Put": {"TableName": EVENTS, "Item": marker, "ConditionExpression": condition}}
        )
    return writes


def _marked(session: str, once: str) -> str:
    return f"{session}#once#{once}"


def _to_tell(once: str | None) -> tuple[str, dict[str, Any]]:
    """What an event changes in the set of plans whose end is still to be told."""
    key = once or ""
    if key.startswith(REPORTED):
        plan_id = key.removeprefix(REPORTED)
        return ", last_plan = :plan ADD untold :plans", {":plan": plan_id, ":plans": {plan_id}}
    if key.startswith(TOLD):
        return " DELETE untold :plans", {":plans": {key.removeprefix(TOLD)}}
    return "", {}


def _read(item: Item) -> Event:
    try:
        return Event(
            session=item["session_id"].removesuffix("#tokens"),
            seq=int(item["seq"]),
            turn=item["turn"],
            kind=EventKind(item["kind"]),
            at=datetime.fromisoformat(item["at"]),
            data=json.loads(item["data"]),
            hash=item["hash"],
        )
    except (KeyError, TypeError, ValueError) as error:
        message = f"Event {item['seq']} of {item['session_id']} was altered: it cannot be read."
        raise FaultError("bad_event", message) from error


def _already_there(error: ClientError) -> bool:
    """The third write, the marker, is what failed."""
    return cancellation_reasons(error)[2:3] == [UNMET]


def _lost_race(error: ClientError) -> bool:
    """Somebody else advanced the head, or is about to; anything else is not mended by retrying."""
    reasons = {UNMET, "TransactionConflict"}
    conflict = error_code(error) == "TransactionConflictException"
    return conflict or bool(reasons.intersection(cancellation_reasons(error)))
