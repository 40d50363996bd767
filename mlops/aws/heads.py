"""Session ids in, where their logs end and what they are busy with out: one request for many sessions."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict

from mlops.aws.clients import Aws, Item
from mlops.aws.tables import SESSIONS

# The most keys that one BatchGetItem takes.
_BATCH = 100


class SessionHead(BaseModel):
    """`seq` numbers the last event; `turn` is what runs now, or died: then its lease is in the past."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    seq: int = 0
    turn: str | None = None
    lease_until: datetime | None = None


def read_heads(aws: Aws, session_ids: Sequence[str]) -> dict[str, SessionHead]:
    """By session id; a session of which nothing is stored is left out."""
    found: dict[str, SessionHead] = {}
    for start in range(0, len(session_ids), _BATCH):
        keys = [{"session_id": name} for name in session_ids[start : start + _BATCH]]
        for item in _items(aws, keys):
            found[item["session_id"]] = _read(item)
    return found


def _items(aws: Aws, keys: list[dict[str, str]]) -> Iterator[Item]:
    """A part of the keys may come back unread: it is asked for again."""
    request: Any = {
        SESSIONS: {
            "Keys": keys,
            "ConsistentRead": True,
            "ProjectionExpression": "session_id, seq, turn, lease_until",
        }
    }
    while request:
        answer = aws.dynamodb.batch_get_item(RequestItems=request)
        yield from answer["Responses"].get(SESSIONS, ())
        request = answer.get("UnprocessedKeys")


def _read(item: Item) -> SessionHead:
    until = item.get("lease_until")
    return SessionHead(
        seq=int(item.get("seq", 0)),
        turn=item.get("turn") if until else None,
        lease_until=datetime.fromisoformat(until) if until else None,
    )
