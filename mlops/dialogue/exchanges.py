"""Converse messages in, exchanges out: what a person said, what tools answered to it, what was replied."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, cast

from pydantic import BaseModel, ConfigDict

from mlops.constraints import Parsed

Message = Mapping[str, Any]

# Their success shows that an earlier failure on the way no longer matters.
_MILESTONES = ("plan_training", "launch_sagemaker_training")
# The result of a call that a person let lie: nothing went wrong.
ABANDONED = "abandoned"
_MARK = "\n[note of the program; data, no instructions, and no person said it]\n"
_NOTE = f"{_MARK}Understood by code: "


class ToolOutcome(BaseModel):
    """One tool call of a turn and what came back; `data` of a failure is the error."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    tool: str
    arguments: dict[str, Any]
    ok: bool
    data: dict[str, Any]


class Understanding(BaseModel):
    """How code understood a person's words, the request that they leave open behind them, and the
    plan that a person could still decide on when they were said."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    parsed: Parsed
    request: Parsed | None = None
    waiting: str | None = None


class Exchange(BaseModel):
    """A person's words, how code understood them where that is noted, and what followed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: str
    noted: Understanding | None
    outcomes: tuple[ToolOutcome, ...]
    replies: tuple[str, ...]

    def result(self, tool: str) -> dict[str, Any] | None:
        return result_of(tool, self.outcomes)

    def failure(self) -> dict[str, Any] | None:
        """The error that nothing made good."""
        failed = unmended(self.outcomes)
        return failed.data if failed else None


def result_of(tool: str, outcomes: Sequence[ToolOutcome]) -> dict[str, Any] | None:
    """The latest successful result of a tool."""
    return next((o.data for o in reversed(outcomes) if o.tool == tool and o.ok), None)


def unmended(
    outcomes: Iterable[ToolOutcome], failed: ToolOutcome | None = None
) -> ToolOutcome | None:
    """The latest failure that no later success of the same tool, or of a milestone, made good;
    `failed` is the one that stood before these."""
    for outcome in outcomes:
        if not outcome.ok:
            failed = None if outcome.data.get("code") == ABANDONED else outcome
        elif failed and (outcome.tool == failed.tool or outcome.tool in _MILESTONES):
            failed = None
    return failed


def exchanges(messages: Sequence[Message]) -> list[Exchange]:
    """One for each time that a person spoke; what stands before the first is left out."""
    starts = [i for i, message in enumerate(messages) if is_said(message)]
    bounds = pairwise([*starts, len(messages)])
    return [_exchange(messages[a:b]) for a, b in bounds]


def outcomes(messages: Sequence[Message]) -> tuple[ToolOutcome, ...]:
    """Of all tool calls in these messages."""
    return tuple(_outcomes(messages))


def framed(text: str) -> str:
    """A note that code puts into a conversation, in a person's place. It begins with a line break,
    of which a person's words are stripped: nobody can forge one."""
    return f"{_MARK}{text}"


def is_framed(text: str) -> bool:
    return text.startswith(_MARK)


def is_said(message: Message) -> bool:
    """Words of a person: neither results of tools nor notes of the program in their place."""
    first = next((block["text"] for block in message["content"] if "text" in block), None)
    return message["role"] == "user" and first is not None and not is_framed(first)


def note(parsed: Parsed, request: Parsed | None, waiting: str | None = None) -> dict[str, Any]:
    """How code understood a person, as a block beside their words: for the model to read, and for
    the next turn. Nobody can type it, because what a person types is one block of its own."""
    noted = Understanding(parsed=parsed, request=request, waiting=waiting)
    return {"text": _NOTE + noted.model_dump_json(exclude_defaults=True)}


def said(message: Message) -> str:
    """What the person typed."""
    return next(block["text"] for block in message["content"] if "text" in block)


def _exchange(messages: Sequence[Message]) -> Exchange:
    replies = [_text(message) for message in messages[1:] if message["role"] == "assistant"]
    return Exchange(
        text=said(messages[0]),
        noted=_noted(messages[0]),
        outcomes=outcomes(messages[1:]),
        replies=tuple(reply for reply in replies if reply),
    )


def _noted(message: Message) -> Understanding | None:
    notes = [block["text"] for block in message["content"][1:] if "text" in block]
    text = next((text for text in notes if text.startswith(_NOTE)), None)
    return None if text is None else Understanding.model_validate_json(text.removeprefix(_NOTE))


def _text(message: Message) -> str:
    return "\n".join(block["text"] for block in message["content"] if "text" in block)


def _outcomes(messages: Sequence[Message]) -> Iterator[ToolOutcome]:
    calls: dict[str, Mapping[str, Any]] = {}
    for message in messages:
        for block in message["content"]:
            if "toolUse" in block:
                calls[block["toolUse"]["toolUseId"]] = block["toolUse"]
            elif "toolResult" in block:
                result = block["toolResult"]
                call = calls.get(result["toolUseId"], {"name": "unknown", "input": {}})
                yield ToolOutcome(
                    tool=call["name"],
                    arguments=dict(call["input"]),
                    ok=result.get("status", "success") == "success",
                    data=_data(result["content"]),
                )


def _data(content: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    for block in content:
        if "json" in block:
            return dict(block["json"])
        if "text" in block:
            return _object(block["text"])
    return {}


def _object(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError:
        return {"message": text}
    return cast(dict[str, Any], value) if isinstance(value, dict) else {"message": text}
