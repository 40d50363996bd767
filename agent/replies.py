"""Converse stream events in, one assistant message out, whatever a model sends: bounded, and fit to be sent back."""

import json
import re
import uuid
from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict

from agent.storable import clean, storable

MAX_ARGUMENT_CHARS = 16_000
MAX_ANSWER_CHARS = 60_000
"""Of one answer's text, and of its reasoning; several times what the output limit allows."""
MAX_BLOCKS = 64
MAX_MESSAGE_BYTES = 300_000
"""Of all that is kept of one answer: a message is stored as one item of at most 400 kB."""
MAX_STREAM_CHARS = 10_000_000
UNREADABLE = "unreadable"
"""Key of a tool input whose JSON could not be taken; its value says why."""

_NAME_CHARS = 64
# The service takes more, some of its models do not; a conversation may go on with another one.
_TOOL_USE_ID = re.compile(rf"[a-zA-Z0-9_-]{{1,{_NAME_CHARS}}}")
_NOT_IN_NAMES = re.compile(r"[^a-zA-Z0-9_-]")
_CUT = "… (cut: the answer was too long)"

OnText = Callable[[str], None]
_Part = TypeVar("_Part", str, bytes)


class Usage(BaseModel):
    """Tokens of one call as the service counted them; `input_tokens` are those neither read from
    nor written to the cache. `at_most`: the service did not say, these are bounds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    at_most: bool = False


class Reply(BaseModel):
    """One assistant message, why it ended, and what it used: None when the service did not say."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    message: dict[str, Any]
    stop_reason: str
    usage: Usage | None
    trace: dict[str, Any] = {}


class MalformedError(ValueError):
    """An event that fits no message."""


class Assembly:
    """Puts a streamed message together; reasoning is kept verbatim, with signature.

    `taken` are the ids of earlier tool calls: an id that is malformed or used again is replaced,
    since a conversation that holds one would be refused ever after.
    """

    def __init__(self, on_text: OnText, taken: Collection[str] = ()):
        self._on_text = on_text
        self._taken = set(taken)
        self._blocks: dict[int, dict[str, Any]] = {}
        self._usage: dict[str, int] = {}
        self._trace: dict[str, Any] = {}
        self._chars = self._text_chars = self._reasoning_chars = self._kept_bytes = 0
        self.stop_reason = ""

    @property
    def chars(self) -> int:
        """How much of an answer came, names and redacted parts too."""
        return self._chars

    def add(self, event: Mapping[str, Any]) -> None:
        """MalformedError for an event that makes no sense, or when there is no end to them."""
        try:
            self._add(*next(iter(event.items())))
        except (AttributeError, KeyError, TypeError) as error:
            raise MalformedError(f"an event that fits no message: {error!r}") from error
        if self._chars > MAX_STREAM_CHARS:
            raise MalformedError("an answer without end")

    def usage(self) -> Usage | None:
        """None until the service has told it."""
        if not self._usage:
            return None
        return Usage(
            input_tokens=self._usage.get("inputTokens", 0),
            output_tokens=self._usage.get("outputTokens", 0),
            cache_read_tokens=self._usage.get("cacheReadInputTokens", 0),
            cache_write_tokens=self._usage.get("cacheWriteInputTokens", 0),
        )

    def reply(self) -> Reply:
        """A call that the output limit cut off is left out: its arguments may be half of what was meant."""
        blocks = [self._blocks[index] for index in sorted(self._blocks)]
        if self.stop_reason == "max_tokens" and blocks and "toolUse" in blocks[-1]:
            blocks.pop()
        finished = [self._finished(block) for block in blocks]
        # A blank text block would be refused when the message is sent back.
        content = [b for b in finished if "text" not in b or b["text"].strip()]
        return Reply(
            message={"role": "assistant", "content": content},
            stop_reason=self.stop_reason,
            usage=self.usage(),
            trace=self._trace,
        )

    def _add(self, kind: str, body: Mapping[str, Any]) -> None:
        if kind == "contentBlockStart" and "toolUse" in body["start"]:
            self._start_call(body["contentBlockIndex"], body["start"]["toolUse"])
        elif kind == "contentBlockDelta":
            self._add_delta(body["contentBlockIndex"], body["delta"])
        elif kind == "messageStop":
            self.stop_reason = body["stopReason"]
        elif kind == "metadata":
            self._usage = body.get("usage", {})
            self._trace = body.get("trace", {})

    def _start_call(self, index: int, use: Mapping[str, Any]) -> None:
        call_id, name = str(use.get("toolUseId", "")), str(use.get("name", ""))
        self._chars += len(call_id) + len(name)
        if self._has_room(index):
            self._blocks[index] = {
                "toolUse": {
                    # One character more than is allowed: still too long when it is judged.
                    "toolUseId": self._kept(call_id[: _NAME_CHARS + 1]),
                    "name": self._kept(name[:_NAME_CHARS]),
                    "input": "",
                    "length": 0,
                }
            }

    def _add_delta(self, index: int, delta: Mapping[str, Any]) -> None:
        has_room = self._has_room(index)
        if "text" in delta:
            self._chars += len(delta["text"])
            if has_room:
                self._add_text(self._blocks.setdefault(index, {"text": ""}), delta["text"])
        elif "toolUse" in delta:
            self._chars += len(delta["toolUse"]["input"])
            if has_room:
                self._add_input(self._blocks[index]["toolUse"], delta["toolUse"]["input"])
        elif "reasoningContent" in delta:
            parts = delta["reasoningContent"]
            self._chars += sum(len(part) for part in parts.values())
            if has_room:
                block = self._blocks.setdefault(index, {"reasoningContent": {}})
                self._add_reasoning(block["reasoningContent"], parts)

    def _has_room(self, index: int) -> bool:
        """What comes in blocks beyond the last one is counted and not kept."""
        return index in self._blocks or len(self._blocks) < MAX_BLOCKS

    def _add_text(self, block: dict[str, Any], more: str) -> None:
        room = MAX_ANSWER_CHARS - self._text_chars
        if room <= 0:
            return
        self._text_chars += len(more)
        said = clean(more) if len(more) <= room else clean(more[:room]) + _CUT
        block["text"] += self._kept(said)
        self._on_text(said)

    def _add_input(self, use: dict[str, Any], more: str) -> None:
        """What is too long is counted and not kept."""
        use["length"] += len(more)
        if use["length"] <= MAX_ARGUMENT_CHARS:
            use["input"] += self._kept(more)

    def _add_reasoning(self, content: dict[str, Any], delta: Mapping[str, Any]) -> None:
        if "redactedContent" in delta:
            more = self._kept(bytes(delta["redactedContent"]))
            content["redactedContent"] = content.get("redactedContent", b"") + more
            return
        reasoning = content.setdefault("reasoningText", {"text": ""})
        text = delta.get("text", "")
        self._reasoning_chars += len(text)
        if self._reasoning_chars > MAX_ANSWER_CHARS:
            raise MalformedError("reasoning without end")
        reasoning["text"] += self._kept(text)
        if "signature" in delta:
            signature = self._kept(delta["signature"])
            reasoning["signature"] = reasoning.get("signature", "") + signature

    def _kept(self, part: _Part) -> _Part:
        """The part, counted; MalformedError when all parts together could not be stored."""
        self._kept_bytes += len(part.encode("utf-8", "replace") if isinstance(part, str) else part)
        if self._kept_bytes > MAX_MESSAGE_BYTES:
            raise MalformedError("an answer too large to be kept")
        return part

    def _finished(self, block: dict[str, Any]) -> dict[str, Any]:
        """A tool's input as an object; what cannot be read is marked, for the gate to refuse."""
        if "toolUse" not in block:
            return block
        use = block["toolUse"]
        call_id = self._own_id(use["toolUseId"])
        name = _NOT_IN_NAMES.sub("_", use["name"]) or "unnamed"
        arguments = _input(use["input"], use["length"])
        return {"toolUse": {"toolUseId": call_id, "name": name, "input": arguments}}

    def _own_id(self, given: str) -> str:
        known = _TOOL_USE_ID.fullmatch(given) and given not in self._taken
        own = given if known else f"call-{uuid.uuid4().hex[:16]}"
        self._taken.add(own)
        return own


def too_long(length: int) -> str:
    return f"{length} characters, at most {MAX_ARGUMENT_CHARS} are allowed"


def _input(text: str, length: int) -> dict[str, Any]:
    if length > MAX_ARGUMENT_CHARS:
        return {UNREADABLE: too_long(length)}
    try:
        value = json.loads(text or "{}")
    except (ValueError, RecursionError):
        return {UNREADABLE: "not valid JSON"}
    if not isinstance(value, dict):
        return {UNREADABLE: "not a JSON object"}
    try:
        return storable(value)
    except ValueError as error:
        return {UNREADABLE: str(error)}
