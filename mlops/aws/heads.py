"""Session ids in, where their logs end and what they are busy with out: one request for many sessions."""

from collections.abc import Sequence
from datetime import datetime

from pydantic import BaseModel, ConfigDict

from mlops.aws.clients import Aws, Item
from mlops.aws.items import read_keys
from mlops.aws.tables import SESSIONS


class SessionHead(BaseModel):
    """`seq` numbers the last event; `turn` is what runs now, or died: then its lease is in the past."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    seq: int = 0
    turn: str | None = None
    lease_until: datetime | None = None


def read_heads(aws: Aws, session_ids: Sequence[str]) -> dict[str, SessionHead]:
    """By session id; a session of which nothing is stored is left out."""
    keys = [{"session_id": name} for name in session_ids]
    found = read_keys(aws.dynamodb, SESSIONS, keys, "session_id, seq, turn, lease_until")
    return {item["session_id"]: _read(item) for item in found}


def _read(item: Item) -> SessionHead:
    until = item.get("lease_until")
    return SessionHead(
        seq=int(item.get("seq", 0)),
        turn=item.get("turn") if until else None,
        lease_until=datetime.fromisoformat(until) if until else None,
    )
