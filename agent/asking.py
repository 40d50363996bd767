"""Asks the model: each attempt is paid for by itself, and after a passing fault it is asked again."""

import random
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from agent.bedrock import ASK_AGAIN, MAX_OUTPUT_TOKENS, AttemptError
from agent.metering import ModelCall
from agent.ports import Ports
from agent.prompts import SYSTEM
from agent.replies import OnText, Reply
from agent.state import State
from agent.storable import clean
from mlops.errors import Alternative, FaultError, RefusedError
from mlops.tool_spec import ToolSpec

ATTEMPTS = 4
PAUSE_SECONDS = 0.5
"""Before the second attempt; it doubles, and is shortened at random so that not all come back at once."""

_MAX_PAUSE_SECONDS = 20.0
_BLOCKED = ("guardrail_intervened", "content_filtered")
_MALFORMED = ("malformed_model_output", "malformed_tool_use")

Note = Callable[[ModelCall], None]


class HaltError(RefusedError):
    """The turn ends here: neither the model nor the fixed policy goes on with it."""


def ask(
    ports: Ports,
    state: State,
    conversation: Sequence[Mapping[str, Any]],
    tools: Sequence[ToolSpec],
    on_text: OnText,
    note: Note = lambda call: None,
) -> Reply:
    """The answer, fit to be acted on; `note` hears of each attempt that was booked.

    Raises HaltError when a guardrail stepped in, FaultError when there is no answer.
    """
    for attempt in range(1, ATTEMPTS + 1):
        ports.journal.require_lease(state)
        try:
            return _judged(_attempt(ports, state, conversation, tools, on_text, note))
        except AttemptError as failed:
            if attempt == ATTEMPTS or not failed.may_pass:
                raise failed.error from failed
            time.sleep(_pause(attempt, failed.wait_seconds))
    raise AssertionError("unreachable")


def _attempt(
    ports: Ports,
    state: State,
    conversation: Sequence[Mapping[str, Any]],
    tools: Sequence[ToolSpec],
    on_text: OnText,
    note: Note,
) -> Reply:
    reserved = ports.meter.reserve(state, conversation, tools)
    try:
        reply = ports.model.reply(conversation, SYSTEM, tools, on_text)
    except Exception as error:
        failed = error if isinstance(error, AttemptError) else _unforeseen(error)
        booked = ports.meter.settle_attempt(reserved, failed)
        if booked is not None:
            note(booked)
        raise
    note(ports.meter.settle(reserved, reply))
    return reply


def _unforeseen(error: Exception) -> AttemptError:
    """A fault of ours while the model answered: it is billed all the same."""
    return AttemptError(FaultError("internal", str(error)), may_pass=False, reached=True)


def _judged(reply: Reply) -> Reply:
    """By why the model stopped. What a guardrail stopped is not acted on, nor is half a call."""
    reason = reply.stop_reason
    if reason in _BLOCKED:
        raise HaltError("guardrail", _blocked(reply))
    if reason in _MALFORMED:
        error = FaultError(
            "model_malformed", "The model's answer could not be read.", (ASK_AGAIN,)
        )
        raise AttemptError(error, may_pass=True, reached=True, usage=reply.usage)
    if reason == "model_context_window_exceeded":
        raise FaultError(
            "conversation_too_long",
            "The conversation no longer fits the model. Start a new one; plans and jobs stay.",
        )
    if reason == "max_tokens":
        return _marked_as_cut(reply)
    if not any("text" in b or "toolUse" in b for b in reply.message["content"]):
        raise FaultError("empty_answer", "The model ended without an answer.", (ASK_AGAIN,))
    return reply


def _blocked(reply: Reply) -> str:
    said = clean(" ".join(b["text"] for b in reply.message["content"] if "text" in b)).strip()
    words = f' It says: "{said[:300]}"' if said else ""
    policies = ", ".join(sorted(_policies(reply.trace)))
    why = f" ({policies})" if policies else ""
    return f"A guardrail stopped the model{why}; nothing of its answer was done.{words}"


def _policies(trace: Any) -> set[str]:
    """Names of those that a guardrail's trace assessed as hit: topicPolicy, contentPolicy, …"""
    if isinstance(trace, list):
        return {name for part in trace for name in _policies(part)}
    if not isinstance(trace, dict):
        return set()
    named = {str(key) for key in trace if str(key).endswith("Policy")}
    return named.union(*(_policies(part) for part in trace.values()))


def _marked_as_cut(reply: Reply) -> Reply:
    """Whole calls stand, and the turn goes on; words alone say that they are not all."""
    content = reply.message["content"]
    if any("toolUse" in block for block in content):
        return reply
    if not any("text" in block for block in content):
        raise FaultError(
            "answer_cut",
            f"The model used up its {MAX_OUTPUT_TOKENS} tokens without an answer. Nothing was done.",
            (Alternative(kind="retry", message="Ask for less at once"),),
        )
    note = {"text": f"(Cut off after {MAX_OUTPUT_TOKENS} tokens. Say “go on” for the rest.)"}
    return reply.model_copy(update={"message": {**reply.message, "content": [*content, note]}})


def _pause(attempt: int, asked_for: float) -> float:
    longest = PAUSE_SECONDS * 2 ** (attempt - 1)
    return min(_MAX_PAUSE_SECONDS, max(asked_for, longest * random.uniform(0.5, 1.0)))
