"""Converse messages read back as facts: what was said last, what tools answered since, what "that" means.

Agent and offline planner share it, so that with or without a model the same words mean the same.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from pydantic import BaseModel, ConfigDict

from mlops.constraints import Constraints, Parsed, parse
from mlops.instances import catalog

Message = Mapping[str, Any]

_INSTANCE = re.compile(r"\bml\.[a-z0-9-]+\.[a-z0-9]+\b", re.IGNORECASE)


class Outcome(BaseModel):
    """One tool call of the running turn and what came back; `data` of a failure is the error."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    tool: str
    arguments: dict[str, Any]
    ok: bool
    data: dict[str, Any]


class Conversation(BaseModel):
    """The last thing a person said, and the outcomes since then."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: str
    earlier_texts: tuple[str, ...]
    outcomes: tuple[Outcome, ...]

    def result(self, tool: str) -> dict[str, Any] | None:
        """The latest successful result of a tool in this turn."""
        for outcome in reversed(self.outcomes):
            if outcome.tool == tool and outcome.ok:
                return outcome.data
        return None


class Call(BaseModel):
    """A tool and its arguments."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    tool: str
    arguments: dict[str, Any]


class Action(BaseModel):
    """What to do next: calls that do not depend on each other, or the final answer in words."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    calls: tuple[Call, ...] = ()
    text: str


def read(messages: Sequence[Message]) -> Conversation:
    """The turn that runs: everything after the last words of the person."""
    start = max((i for i, m in enumerate(messages) if _said(m)), default=-1)
    earlier = [text for m in messages[: max(start, 0)] if (text := _text(m))]
    return Conversation(
        text=_text(messages[start]) if start >= 0 else "",
        earlier_texts=tuple(earlier),
        outcomes=tuple(_outcomes(messages[start + 1 :])),
    )


def understand(messages: Sequence[Message]) -> Parsed:
    """The last words parsed, with "that instance" or "it" filled in from what was said before."""
    conversation = read(messages)
    parsed = parse(conversation.text)
    found = {
        field: value
        for reference in parsed.refers_to_previous
        for field, value in _recall(reference, messages, conversation).items()
        if getattr(parsed.constraints, field) is None
    }
    if not found:
        return parsed
    return parsed.model_copy(
        update={
            "constraints": parsed.constraints.model_copy(update=found),
            "evidence": parsed.evidence | dict.fromkeys(found, "as said before"),
        }
    )


def assistant_message(action: Action, call_id: str) -> dict[str, Any]:
    """An action as the Converse message of an assistant."""
    blocks: list[dict[str, Any]] = [{"text": action.text}] if action.text else []
    blocks += [
        {
            "toolUse": {
                "toolUseId": f"{call_id}-{number}",
                "name": call.tool,
                "input": call.arguments,
            }
        }
        for number, call in enumerate(action.calls, 1)
    ]
    return {"role": "assistant", "content": blocks}


def _said(message: Message) -> bool:
    """Words of a person, not the results of tools."""
    return message["role"] == "user" and any("text" in block for block in message["content"])


def _text(message: Message) -> str:
    return "\n".join(block["text"] for block in message["content"] if "text" in block)


def _outcomes(messages: Sequence[Message]) -> Iterator[Outcome]:
    calls: dict[str, Mapping[str, Any]] = {}
    for message in messages:
        for block in message["content"]:
            if "toolUse" in block:
                calls[block["toolUse"]["toolUseId"]] = block["toolUse"]
            elif "toolResult" in block:
                result = block["toolResult"]
                call = calls.get(result["toolUseId"], {"name": "unknown", "input": {}})
                yield Outcome(
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


def _recall(
    reference: str, messages: Sequence[Message], conversation: Conversation
) -> dict[str, Any]:
    """Constraint fields that a reference stands for, from the latest mention."""
    if reference == "instance":
        name = _last_instance(conversation.earlier_texts)
        return {"instance_type": name} if name else {}
    earlier = [_constraints(m) for m in messages if _said(m)][:-1]
    fields = {"dataset": ("dataset", "task"), "budget": ("budget_usd", "budget_comparator")}
    for constraints in reversed(earlier):
        values = {f: getattr(constraints, f) for f in fields.get(reference, ())}
        if any(values.values()):
            return {field: value for field, value in values.items() if value is not None}
    return {}


def _constraints(message: Message) -> Constraints:
    return parse(_text(message)).constraints


def _last_instance(texts: Sequence[str]) -> str | None:
    """The instance of the latest text that names one; its first mention is what it is about."""
    for text in reversed(texts):
        for match in _INSTANCE.finditer(text):
            if match[0].lower() in catalog():
                return match[0].lower()
    return None
