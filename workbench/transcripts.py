"""A conversation as a page of Markdown, to be read elsewhere."""

import re
from collections.abc import Iterator
from datetime import datetime

from pydantic import BaseModel, ConfigDict

from mlops.events import Event, EventKind, verify
from workbench import lines
from workbench.tables import plain

_AGENT = "AgenticAIOps"
_SPECIAL = re.compile(r"([\\`*_{}\[\]()#+\-.!|~<>:$&^=\"'/])")
# Renderers link bare addresses after unescaping; an invisible joiner prevents it.
_ADDRESS = re.compile(r"(https?(?=://)|www(?=\.)|@(?=[-\w]+\.))", re.IGNORECASE)
_JOINER = "\u2060"


def escape(text: str) -> str:
    """Words that others wrote as one line for any Markdown place: no markup of theirs survives."""
    one_line = plain(" ".join(str(text).split()))
    return _SPECIAL.sub(r"\\\1", _ADDRESS.sub(rf"\1{_JOINER}", one_line))


class Transcript(BaseModel):
    """`events` are those of the log as they are chained, without streamed text."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    session: str
    title: str
    person: str
    exported_at: datetime
    events: tuple[Event, ...]

    def as_markdown(self) -> str:
        """What was said, planned, run and reported; everything that others wrote is plain words."""
        return "\n".join([*self._head(), *self._body()]) + "\n"

    def _head(self) -> list[str]:
        broken = verify(self.events)
        chain = "holds" if broken is None else f"is broken at event {broken}"
        last = f"; the last hash is `{self.events[-1].hash}`" if self.events else ""
        return [
            f"# {escape(self.title) or 'Untitled'}",
            "",
            f"Conversation `{self.session}` of {escape(self.person)}, "
            f"exported on {self.exported_at:%Y-%m-%d %H:%M} UTC.  ",
            f"{len(self.events)} events; their hash chain {chain}{last}.",
        ]

    def _body(self) -> Iterator[str]:
        speaker = ""
        for event in self.events:
            said = _lines(event)
            if not said:
                continue
            speaks = self.person if event.kind is EventKind.USER else _AGENT
            if speaks != speaker or event.kind is EventKind.USER:
                speaker = speaks
                yield f"\n## {escape(speaks)} · {event.at:%Y-%m-%d %H:%M:%S} UTC\n"
            yield from (f"{escape(text)}  " for text in said)


def _lines(event: Event) -> list[str]:
    if event.kind is EventKind.USER:
        texts = [str(event.data["text"])]
    elif event.kind is EventKind.ERROR:
        texts = lines.of_refusal(event.data)
    else:
        texts = lines.of_event(event)
    return [line for text in texts for line in text.splitlines() if line.strip()]
