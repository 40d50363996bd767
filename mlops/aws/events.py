"""The event log in DynamoDB: whoever writes advances sequence number, hash and head in one transaction."""

import json
import random
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from mlops.aws.clients import Aws, Item, cancellation_reasons, error_code, translate
from mlops.aws.tables import EVENTS, SESSIONS
from mlops.errors import FaultError
from mlops.events import Event, EventKind, Head, chain

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
    ) -> Event | None:
        """Writes one event; with `once`, a second event of that key is not written (None).

        Raises FaultError when other writers keep winning the race for the next number.
        """
        for attempt in range(_ATTEMPTS):
            head = self._heads.get(session) or self.head(session)
            draft = Event(
                session=session, seq=0, turn=turn, kind=kind, at=self._clock(), data=data
            )
            event = chain(head, draft)
            try:
                self._db.transact_write_items(TransactItems=_writes(event, head, once))
            except ClientError as error:
                if _already_there(error):
                    return None
                if not _lost_race(error):
                    raise translate(error) from error
                self._heads.pop(session, None)
                self._pause(random.uniform(0, 0.01 * (attempt + 1)))
                continue
            self._heads[session] = Head(seq=event.seq, hash=event.hash)
            return event
        raise FaultError("log_busy", "The session's log is too busy; try again.")

    def head(self, session: str) -> Head:
        """Where the chain of a session ends now."""
        answer = self._db.get_item(
            TableName=SESSIONS, Key={"session_id": session}, ConsistentRead=True
        )
        item = answer.get("Item", {})
        return Head(seq=int(item["seq"]), hash=item["hash"]) if "seq" in item else Head()

    def tail(self, session: str, after: int = 0) -> list[Event]:
        """Events with a higher number, oldest first; follows pages to the end."""
        return [_read(item) for item in self._pages(session, after)]

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
                "data": json.dumps({"text": text}),
                "hash": "",
                "ttl": int((now + TOKENS_LIVE).timestamp()),
            },
        )

    def tail_tokens(self, session: str, after: int = 0) -> list[Event]:
        """Streamed text with a higher number."""
        return [_read(item) for item in self._pages(f"{session}#tokens", after)]

    def _pages(self, key: str, after: int) -> Iterator[Item]:
        request: dict[str, Any] = {
            "TableName": EVENTS,
            "KeyConditionExpression": "session_id = :s AND seq > :n",
            "ExpressionAttributeValues": {":s": key, ":n": after},
            "ConsistentRead": True,
            "Limit": _PAGE,
        }
        while True:
            answer = self._db.query(**request)
            yield from answer["Items"]
            if "LastEvaluatedKey" not in answer:
                return
            request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]


def _writes(event: Event, head: Head, once: str | None) -> list[dict[str, Any]]:
    advance = {
        "Update": {
            "TableName": SESSIONS,
            "Key": {"session_id": event.session},
            "UpdateExpression": "SET seq = :n, #h = :h, updated_at = :t",
            "ConditionExpression": "seq = :m" if head.seq else "attribute_not_exists(seq)",
            "ExpressionAttributeNames": {"#h": "hash"},
            "ExpressionAttributeValues": {
                ":n": event.seq,
                ":h": event.hash,
                ":t": event.at.isoformat(),
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
        "data": json.dumps(event.data),
        "hash": event.hash,
    }
    writes: list[dict[str, Any]] = [advance, {"Put": {"TableName": EVENTS, "Item": item}}]
    if once is not None:
        marker = {"session_id": f"{event.session}#once#{once}", "seq": 0}
        condition = "attribute_not_exists(session_id)"
        writes.append(
            {"Put": {"TableName": EVENTS, "Item": marker, "ConditionExpression": condition}}
        )
    return writes


def _read(item: Item) -> Event:
    return Event(
        session=item["session_id"].removesuffix("#tokens"),
        seq=int(item["seq"]),
        turn=item["turn"],
        kind=EventKind(item["kind"]),
        at=datetime.fromisoformat(item["at"]),
        data=json.loads(item["data"]),
        hash=item["hash"],
    )


def _already_there(error: ClientError) -> bool:
    """The third write, the marker, is what failed."""
    reasons = cancellation_reasons(error)
    return len(reasons) == 3 and reasons[2] == "ConditionalCheckFailed"


def _lost_race(error: ClientError) -> bool:
    """Somebody else advanced the head, or is about to; anything else is not mended by retrying."""
    reasons = {"ConditionalCheckFailed", "TransactionConflict"}
    conflict = error_code(error) == "TransactionConflictException"
    return conflict or bool(reasons.intersection(cancellation_reasons(error)))
