"""The Bedrock Runtime service: Converse and ConverseStream, answered by a deterministic planner.

One model, `local.planner-v1`, which is no language model and is labelled so wherever it is shown.
Refuses what current Claude models refuse, so that a client that works here also works there.
"""

import json
import re
import time
from collections.abc import Callable, Iterator
from typing import Any

from localaws.errors import invalid

MODEL_ID = "local.planner-v1"
_INPUT_FRAGMENT_CHARS = 24
_WORDS = re.compile(r"\s*\S+\s*")
_WORDS_PER_CHUNK = 3
_SAMPLING = ("temperature", "topP")
_MORE_SAMPLING = ("top_k", "top_p", "temperature")

Reply = Callable[[dict[str, Any]], dict[str, Any]]
"""Converse body in; {"content": [blocks], "stopReason": ..., "usage": {...}} out."""


class Bedrock:
    """`reply` is the planner."""

    service_name = "bedrock-runtime"

    def __init__(self, reply: Reply):
        self._reply = reply

    def converse(self, request: dict[str, Any]) -> dict[str, Any]:
        reply, latency = self._ask(request)
        return {
            "output": {"message": {"role": "assistant", "content": reply["content"]}},
            "stopReason": reply["stopReason"],
            "usage": _usage(reply),
            "metrics": {"latencyMs": latency},
        }

    def converse_stream(self, request: dict[str, Any]) -> dict[str, Any]:
        reply, latency = self._ask(request)
        return {"stream": _stream(reply, latency)}

    def _ask(self, request: dict[str, Any]) -> tuple[dict[str, Any], int]:
        _check(request)
        started = time.perf_counter()
        reply = self._reply(request)
        return reply, int((time.perf_counter() - started) * 1000)


def _check(request: dict[str, Any]) -> None:
    if request.get("modelId") != MODEL_ID:
        raise invalid("The provided model identifier is invalid.")
    inference = request.get("inferenceConfig") or {}
    for name in _SAMPLING:
        if inference.get(name) is not None:
            raise invalid(f"The model returned the following errors: `{name}` is not supported.")
    for name in _MORE_SAMPLING:
        if name in (request.get("additionalModelRequestFields") or {}):
            raise invalid(f"The model returned the following errors: `{name}` is not supported.")
    choice = (request.get("toolConfig") or {}).get("toolChoice") or {}
    if "any" in choice or "tool" in choice:
        raise invalid(
            "The model returned the following errors: tool_choice: forced tool use is not"
            " supported when thinking is enabled."
        )
    _check_messages(request.get("messages") or [])


def _check_messages(messages: list[dict[str, Any]]) -> None:
    if not messages or messages[0]["role"] != "user":
        raise invalid("A conversation must start with a user message. Try again with a user turn.")
    if messages[-1]["role"] != "user":
        raise invalid("The model does not support assistant message prefill.")
    for index, message in enumerate(messages[:-1]):
        asked = {b["toolUse"]["toolUseId"] for b in message["content"] if "toolUse" in b}
        following = messages[index + 1]["content"]
        answered = {b["toolResult"]["toolUseId"] for b in following if "toolResult" in b}
        if asked - answered:
            raise invalid(
                f"messages.{index}: `tool_use` ids were found without `tool_result` blocks"
                f" immediately after: {', '.join(sorted(asked - answered))}."
            )


def _usage(reply: dict[str, Any]) -> dict[str, int]:
    usage = reply["usage"]
    return usage | {"totalTokens": usage["inputTokens"] + usage["outputTokens"]}


def _stream(reply: dict[str, Any], latency: int) -> Iterator[dict[str, Any]]:
    """Events in the order that a model sends them, each sent when it is made."""
    yield {"messageStart": {"role": "assistant"}}
    for index, block in enumerate(reply["content"]):
        if "toolUse" in block:
            use = block["toolUse"]
            start = {"toolUse": {"toolUseId": use["toolUseId"], "name": use["name"]}}
            yield {"contentBlockStart": {"contentBlockIndex": index, "start": start}}
        for delta in _deltas(block):
            yield {"contentBlockDelta": {"contentBlockIndex": index, "delta": delta}}
        yield {"contentBlockStop": {"contentBlockIndex": index}}
    yield {"messageStop": {"stopReason": reply["stopReason"]}}
    yield {"metadata": {"usage": _usage(reply), "metrics": {"latencyMs": latency}}}


def _deltas(block: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if "toolUse" in block:
        text = json.dumps(block["toolUse"]["input"], ensure_ascii=False)
        for start in range(0, len(text), _INPUT_FRAGMENT_CHARS):
            yield {"toolUse": {"input": text[start : start + _INPUT_FRAGMENT_CHARS]}}
    elif "reasoningContent" in block:
        reasoning = block["reasoningContent"]["reasoningText"]
        for chunk in _chunks(reasoning["text"]):
            yield {"reasoningContent": {"text": chunk}}
        if "signature" in reasoning:
            yield {"reasoningContent": {"signature": reasoning["signature"]}}
    else:
        for chunk in _chunks(block["text"]):
            yield {"text": chunk}


def _chunks(text: str) -> Iterator[str]:
    """A few words at a time; joined, they are the text."""
    words = _WORDS.findall(text) or [text]
    for start in range(0, len(words), _WORDS_PER_CHUNK):
        yield "".join(words[start : start + _WORDS_PER_CHUNK])
