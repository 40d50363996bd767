"""A session's log as a file that proves itself without AWS: JSON lines, the head first, then the chain."""

import json
from collections.abc import Iterable

from pydantic import BaseModel, ConfigDict, ValidationError

from mlops.errors import RequestError
from mlops.events import Event, Flaw, Head, canonical, inspect

_FORMAT = "llmops-decisions-1"


class Export(BaseModel):
    """What a file holds, and what is wrong with it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    session: str
    events: tuple[Event, ...]
    head: Head
    flaw: Flaw | None


def export_lines(session: str, events: Iterable[Event], head: Head) -> list[str]:
    """JSON lines: one that names session and head, then one per event, canonical."""
    first = {"format": _FORMAT, "session": session, "head": head.model_dump(mode="json")}
    return [canonical(first), *(canonical(e.model_dump(mode="json")) for e in events)]


def read_export(lines: Iterable[str]) -> Export:
    """RequestError when it is no export; a file that was touched has a flaw."""
    rows = [line for line in lines if line.strip()]
    session, head = _opening(rows[0] if rows else "")
    events: list[Event] = []
    for number, row in enumerate(rows[1:], 1):
        try:
            event = Event.model_validate_json(row)
        except ValidationError:
            flaw = Flaw(seq=number, why="it is not an event")
            return Export(session=session, events=tuple(events), head=head, flaw=flaw)
        # Two writings of one event, such as a name given twice, could be read differently.
        if canonical(event.model_dump(mode="json")) != row.strip():
            flaw = Flaw(seq=number, why="it is not written as it was exported")
            return Export(session=session, events=tuple(events), head=head, flaw=flaw)
        events.append(event)
    flaw = inspect(session, events, head)
    return Export(session=session, events=tuple(events), head=head, flaw=flaw)


def _opening(row: str) -> tuple[str, Head]:
    try:
        first = json.loads(row)
        if first["format"] != _FORMAT or canonical(first) != row.strip():
            raise ValueError(_FORMAT)
        return str(first["session"]), Head.model_validate(first["head"])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        message = "This file is not an export of llmops decisions."
        raise RequestError("bad_export", message) from error
