"""The one log: typed events, numbered and hash-chained per session; screens, commands and replays read it."""

import hashlib
import json
from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict

GENESIS = "0" * 64
# Keys of events that are written once: the end of a plan's run, and that end put into words.
REPORTED, TOLD = "report#", "told#"


class EventKind(StrEnum):
    """What happened. `TOKEN` is streamed text: batched, outside the chain, and it expires."""

    USER = "user"
    THINKING = "thinking"
    STEP = "step"
    TOOL_CALL = "tool_call"
    TOOL_RESULT = "tool_result"
    PLAN = "plan"
    APPROVAL = "approval"
    JOB = "job"
    COST = "cost"
    ANSWER = "answer"
    REPORT = "report"
    ERROR = "error"
    DONE = "done"
    TOKEN = "token"


class Event(BaseModel):
    """One line of a session's log; `seq` starts at 1, `hash` covers the event and its predecessor."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    session: str
    seq: int
    turn: str
    kind: EventKind
    at: datetime
    data: dict[str, Any]
    hash: str = ""


class Head(BaseModel):
    """Where a session's chain ends."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    seq: int = 0
    hash: str = GENESIS


def chain(head: Head, event: Event) -> Event:
    """The event, numbered after the head and sealed with the chained hash."""
    numbered = event.model_copy(update={"seq": head.seq + 1})
    return numbered.model_copy(update={"hash": _digest(head.hash, numbered)})


def verify(events: Iterable[Event]) -> int | None:
    """None when the chain holds from its first event on, else the first wrong sequence number."""
    head = Head()
    for event in events:
        if event.seq != head.seq + 1 or event.hash != _digest(head.hash, event):
            return event.seq
        head = Head(seq=event.seq, hash=event.hash)
    return None


class Flaw(BaseModel):
    """The first sequence number at which a log is not what was written, and how."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    seq: int
    why: str


def inspect(session: str, events: Iterable[Event], end: Head) -> Flaw | None:
    """None when these are all events of the session, in order, as they were written, up to `end`."""
    head = Head()
    for event in events:
        if event.seq != head.seq + 1:
            missing = event.seq > head.seq + 1
            why = "it is missing" if missing else f"event {event.seq} stands in its place"
            return Flaw(seq=head.seq + 1, why=why)
        if event.session != session:
            return Flaw(seq=event.seq, why="it belongs to another session")
        if event.hash != _digest(head.hash, event):
            return Flaw(seq=event.seq, why="it was altered, or one before it was")
        head = Head(seq=event.seq, hash=event.hash)
    if head.seq < end.seq:
        return Flaw(seq=head.seq + 1, why=f"it is missing: the log went on to event {end.seq}")
    if head != end:
        return Flaw(seq=head.seq, why="the log does not end where its session says")
    return None


def _digest(previous: str, event: Event) -> str:
    body = event.model_dump(mode="json", exclude={"hash"})
    text = previous + json.dumps(body, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
