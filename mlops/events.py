"""The one log: typed events, numbered and hash-chained per session; screens, commands and replays read it."""

import hashlib
import json
import re
from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from typing import Any, cast

from pydantic import BaseModel, ConfigDict

GENESIS = "0" * 64
# Keys of events that are written once: the end of a plan's run, and that end put into words.
REPORTED, TOLD = "report#", "told#"
CUT = "cut"
"""Key of an event's data that says what is missing from it: an event is one item of at most 400 kB."""
MOST_DATA_BYTES = 400_000

_HALVES = re.compile("[\ud800-\udfff]")
# How many characters of a text and elements of a list are kept, until the rest fits.
_CUTS = ((20_000, 2_000), (5_000, 500), *((1_000, n) for n in (200, 100, 50, 20, 10, 5, 2)))
_LEFT_OUT_CHARS = 1_000


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


def to_json(data: dict[str, Any]) -> str:
    """As stored and sent: characters as they are; halves of surrogate pairs, which UTF-8 has not,
    are escaped."""
    text = json.dumps(data, ensure_ascii=False)
    return _HALVES.sub(lambda half: f"\\u{ord(half[0]):04x}", text)


def fitted(data: dict[str, Any], note: bool = True) -> dict[str, Any]:
    """The data, or as much of it as can be stored, with a note of what was cut."""
    if _fits(data):
        return data
    for chars, elements in _CUTS:
        said = (
            f"texts hold at most {chars} of their characters, lists {elements} of their elements"
        )
        found = {**cut(data, chars, elements), **({CUT: said} if note else {})}
        if _fits(found):
            return found
    left = {key: part for key, part in data.items() if len(str(part)) <= _LEFT_OUT_CHARS}
    missing = ", ".join(str(key) for key in data if key not in left)
    return {**left, CUT: f"left out, since it is too large: {missing}"[:_LEFT_OUT_CHARS]}


def cut(value: Any, chars: int, elements: int) -> Any:
    """The same shape, with shorter texts and lists."""
    if isinstance(value, dict):
        entries = cast("dict[str, Any]", value)
        return {key: cut(part, chars, elements) for key, part in entries.items()}
    if isinstance(value, list):
        return [cut(part, chars, elements) for part in cast("list[Any]", value)[:elements]]
    return f"{value[:chars]}…" if isinstance(value, str) and len(value) > chars else value


def _fits(data: dict[str, Any]) -> bool:
    return len(to_json(data).encode()) <= MOST_DATA_BYTES


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


def canonical(value: dict[str, Any]) -> str:
    """The one way to write it: what hashes and exports are made of."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def _digest(previous: str, event: Event) -> str:
    text = previous + canonical(event.model_dump(mode="json", exclude={"hash"}))
    return hashlib.sha256(text.encode()).hexdigest()
