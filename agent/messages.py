"""Converse messages made by code, and what is kept of large results."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from mlops.dialogue.exchanges import framed
from mlops.events import cut

Message = dict[str, Any]

MAX_RESULT_CHARS = 20_000
_MAX_STRING_CHARS = 1_000
_LIST_LIMITS = (200, 100, 50, 20, 10, 5, 2)


def user(text: str) -> Message:
    return {"role": "user", "content": [{"text": text}]}


def noted(text: str) -> Message:
    """What a person did not say, in a person's place."""
    return user(framed(text))


def assistant(text: str) -> Message:
    return {"role": "assistant", "content": [{"text": text}]}


def text_of(message: Mapping[str, Any]) -> str:
    return "\n".join(b["text"] for b in message["content"] if "text" in b).strip()


def reasoning_of(message: Mapping[str, Any]) -> str:
    """What a model thought aloud; redacted parts cannot be shown."""
    blocks = (b["reasoningContent"] for b in message["content"] if "reasoningContent" in b)
    return "\n".join(b["reasoningText"]["text"] for b in blocks if "reasoningText" in b).strip()


def calls_of(message: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The tool calls of an assistant message, in its order."""
    uses = (block["toolUse"] for block in message["content"] if "toolUse" in block)
    return [{"id": u["toolUseId"], "tool": u["name"], "arguments": u["input"]} for u in uses]


def results_message(results: Sequence[Mapping[str, Any]]) -> Message:
    """One user message that answers every call."""
    return {"role": "user", "content": [_result_block(result) for result in results]}


def closed(messages: Sequence[Mapping[str, Any]]) -> list[Message]:
    """What must be added so that a person may speak next.

    A turn that broke off leaves a call without result, or words without answer; both would be
    refused by the model's protocol.
    """
    if not messages or messages[-1]["role"] == "user":
        return [assistant("This was not finished.")] if messages else []
    open_calls = calls_of(messages[-1])
    if not open_calls:
        return []
    error = {"code": "abandoned", "message": "The person went on without approving this."}
    results = [{"id": call["id"], "ok": False, "data": error} for call in open_calls]
    return [results_message(results), assistant("Nothing was launched.")]


def shorten(data: dict[str, Any], limit: int = MAX_RESULT_CHARS) -> tuple[dict[str, Any], str]:
    """Data that fits and a note of what was cut; ("" when nothing was)."""
    if size(data) <= limit:
        return data, ""
    for length in _LIST_LIMITS:
        kept = cut(data, _MAX_STRING_CHARS, length)
        if size(kept) <= limit:
            return kept, f"Shortened: lists hold at most {length} of their elements."
    return {"message": "The result is too large to be shown."}, "Left out."


def size(value: Any) -> int:
    """Characters of its JSON."""
    return len(json.dumps(value, default=str, ensure_ascii=False))


def _result_block(result: Mapping[str, Any]) -> dict[str, Any]:
    note = result.get("note")
    return {
        "toolResult": {
            "toolUseId": result["id"],
            "content": [{"json": result["data"]}, *([{"text": note}] if note else [])],
            "status": "success" if result["ok"] else "error",
        }
    }
