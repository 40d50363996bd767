"""Converse messages read back as facts: what was said last, what tools answered since, what "that" means.

Agent and offline planner share it, so that with or without a model the same words mean the same.
"""

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict

from mlops.constraints import Parsed, parse
from mlops.dialogue.exchanges import Message, ToolOutcome, exchanges, note, outcomes, result_of
from mlops.dialogue.language import Language, language_of
from mlops.dialogue.memory import REQUESTS, Memory, keeps
from mlops.dialogue.references import in_context

__all__ = [
    "Action",
    "Call",
    "Conversation",
    "ToolOutcome",
    "assistant_message",
    "noted",
    "read",
    "understand",
]


class Conversation(BaseModel):
    """The last thing a person said, the outcomes since then, what there was before, and the id of
    the plan that waits for a decision."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: str
    outcomes: tuple[ToolOutcome, ...]
    before: Memory = Memory()
    waiting: str | None = None

    @property
    def open_plan(self) -> dict[str, Any] | None:
        """The plan that a person can still decide on."""
        return next((p for p in self.before.plans if p["plan_id"] == self.waiting), None)

    @property
    def language(self) -> Language:
        return language_of((*self.before.said, self.text))

    def result(self, tool: str) -> dict[str, Any] | None:
        """The latest successful result of a tool in this turn."""
        return result_of(tool, self.outcomes)


class Call(BaseModel):
    """A tool and its arguments."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    tool: str
    arguments: dict[str, Any]


class Action(BaseModel):
    """What to do next: calls that do not depend on each other, or the final answer in words."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    calls: tuple[Call, ...] = ()
    text: str = ""


def read(messages: Sequence[Message]) -> Conversation:
    """The turn that runs: everything after the last words of the person."""
    found = exchanges(messages)
    if not found:
        return Conversation(text="", outcomes=outcomes(messages))
    return Conversation(
        text=found[-1].text,
        outcomes=found[-1].outcomes,
        before=_before(messages),
        waiting=found[-1].noted.waiting if found[-1].noted else None,
    )


def understand(messages: Sequence[Message]) -> Parsed:
    """The last words in the light of what was said before: corrections, choices, "it", "that"."""
    found = exchanges(messages)
    if not found:
        return parse("")
    noted = found[-1].noted
    return noted.parsed if noted else in_context(found[-1].text, _before(messages))


def noted(
    message: Message, parsed: Parsed, messages: Sequence[Message], waiting: str | None = None
) -> dict[str, Any]:
    """A person's message with how code understood it, with the request that stays open and the plan
    that waits."""
    before = _before(messages)
    begins = parsed.intent in REQUESTS and not keeps(parsed) and not before.is_what_if(parsed)
    request = None if begins else before.request
    return {**message, "content": [*message["content"], note(parsed, request, waiting)]}


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


def _before(messages: Sequence[Message]) -> Memory:
    """What the exchanges before the last one leave behind."""
    memory = Memory()
    for exchange in exchanges(messages)[:-1]:
        noted = exchange.noted
        parsed = noted.parsed if noted else in_context(exchange.text, memory)
        memory = memory.after(exchange, parsed)
    return memory
