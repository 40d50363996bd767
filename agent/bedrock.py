"""A conversation in, one assistant message out, through boto3's ConverseStream; text is passed on as it comes."""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from botocore.eventstream import ParserError
from botocore.exceptions import BotoCoreError, EventStreamError
from pydantic import BaseModel, ConfigDict
from urllib3.exceptions import HTTPError

from mlops.aws.clients import Aws, translate, translated
from mlops.aws.tokens import ALLOWANCE_OUTPUT_TOKENS
from mlops.errors import Alternative, FaultError
from mlops.tools import ToolSpec

MAX_OUTPUT_TOKENS = ALLOWANCE_OUTPUT_TOKENS
MAX_ARGUMENT_CHARS = 16_000
UNREADABLE = "unreadable"
"""Key of a tool input whose JSON could not be taken; its value says why."""

_ATTEMPTS = 3
_PAUSE_SECONDS = 0.5
_CACHE_POINT = {"cachePoint": {"type": "default"}}
# What can break while a stream is read; botocore retries none of it.
_BROKEN = (EventStreamError, BotoCoreError, HTTPError, ParserError, OSError)

OnText = Callable[[str], None]


class Reply(BaseModel):
    """One assistant message; `input_tokens` counts cached ones as what they cost, rounded up."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    message: dict[str, Any]
    stop_reason: str
    input_tokens: int
    output_tokens: int


class Model(Protocol):
    """Whatever answers a conversation."""

    def reply(
        self,
        messages: Sequence[Mapping[str, Any]],
        system: str,
        tools: Sequence[ToolSpec],
        on_text: OnText,
    ) -> Reply: ...


class BedrockModel:
    """The model named by the settings. No sampling parameters, no forced tools: current models
    refuse them."""

    def __init__(self, aws: Aws, pause: Callable[[float], None] = time.sleep):
        self._client = aws.client("bedrock-runtime")
        self._model_id = aws.settings.bedrock_model_id
        self._pause = pause

    def reply(
        self,
        messages: Sequence[Mapping[str, Any]],
        system: str,
        tools: Sequence[ToolSpec],
        on_text: OnText,
    ) -> Reply:
        """A stream that breaks is asked for again as a whole; FaultError after three attempts."""
        request = self._request(messages, system, tools)
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                return self._stream(request, on_text)
            except _BROKEN as error:
                if attempt == _ATTEMPTS or not _may_pass(error):
                    raise _explain(error) from error
                self._pause(_PAUSE_SECONDS * attempt)
        raise AssertionError("unreachable")

    def _request(
        self, messages: Sequence[Mapping[str, Any]], system: str, tools: Sequence[ToolSpec]
    ) -> dict[str, Any]:
        """The same tools in the same order each time: what the provider caches is a prefix."""
        cache = [] if self._model_id.startswith("local.") else [_CACHE_POINT]
        specs = [_tool(spec) for spec in sorted(tools, key=lambda spec: spec.name)]
        return {
            "modelId": self._model_id,
            "messages": list(messages),
            "system": [{"text": system}, *cache],
            "toolConfig": {"tools": [*specs, *cache], "toolChoice": {"auto": {}}},
            "inferenceConfig": {"maxTokens": MAX_OUTPUT_TOKENS},
        }

    def _stream(self, request: dict[str, Any], on_text: OnText) -> Reply:
        with translated():
            stream = self._client.converse_stream(**request)["stream"]
        assembly = _Assembly(on_text)
        try:
            for event in stream:
                assembly.add(event)
        finally:
            stream.close()
        if not assembly.stop_reason:
            raise ConnectionError("the stream ended before the message did")
        return assembly.reply()


def too_long(length: int) -> str:
    return f"{length} characters, at most {MAX_ARGUMENT_CHARS} are allowed"


class _Assembly:
    """Puts a streamed message together; reasoning is kept verbatim, with signature."""

    def __init__(self, on_text: OnText):
        self._on_text = on_text
        self._blocks: dict[int, dict[str, Any]] = {}
        self._usage: dict[str, int] = {}
        self.stop_reason = ""

    def add(self, event: Mapping[str, Any]) -> None:
        kind, body = next(iter(event.items()))
        if kind == "contentBlockStart" and "toolUse" in body["start"]:
            use = {**body["start"]["toolUse"], "input": ""}
            self._blocks[body["contentBlockIndex"]] = {"toolUse": use}
        elif kind == "contentBlockDelta":
            self._add_delta(body["contentBlockIndex"], body["delta"])
        elif kind == "messageStop":
            self.stop_reason = body["stopReason"]
        elif kind == "metadata":
            self._usage = body.get("usage", {})

    def reply(self) -> Reply:
        blocks = [_finished(self._blocks[index]) for index in sorted(self._blocks)]
        usage = self._usage
        written = usage.get("cacheWriteInputTokens", 0)
        return Reply(
            # A blank text block would be refused when the message is sent back.
            message={
                "role": "assistant",
                "content": [b for b in blocks if "text" not in b or b["text"].strip()],
            },
            stop_reason=self.stop_reason,
            # Writing to the cache costs 1.25 times the input price; reading less than once.
            input_tokens=usage.get("inputTokens", 0)
            + usage.get("cacheReadInputTokens", 0)
            + -(-written * 5 // 4),
            output_tokens=usage.get("outputTokens", 0),
        )

    def _add_delta(self, index: int, delta: Mapping[str, Any]) -> None:
        if "text" in delta:
            block = self._blocks.setdefault(index, {"text": ""})
            block["text"] += delta["text"]
            self._on_text(delta["text"])
        elif "toolUse" in delta:
            self._blocks[index]["toolUse"]["input"] += delta["toolUse"]["input"]
        elif "reasoningContent" in delta:
            self._add_reasoning(index, delta["reasoningContent"])

    def _add_reasoning(self, index: int, delta: Mapping[str, Any]) -> None:
        content = self._blocks.setdefault(index, {"reasoningContent": {}})["reasoningContent"]
        if "redactedContent" in delta:
            content["redactedContent"] = content.get("redactedContent", b"") + bytes(
                delta["redactedContent"]
            )
            return
        reasoning = content.setdefault("reasoningText", {"text": ""})
        reasoning["text"] += delta.get("text", "")
        if "signature" in delta:
            reasoning["signature"] = reasoning.get("signature", "") + delta["signature"]


def _finished(block: dict[str, Any]) -> dict[str, Any]:
    """A tool's input as an object; what cannot be read is marked, for the gate to refuse."""
    if "toolUse" not in block:
        return block
    return {"toolUse": {**block["toolUse"], "input": _input(block["toolUse"]["input"])}}


def _input(text: str) -> dict[str, Any]:
    if len(text) > MAX_ARGUMENT_CHARS:
        return {UNREADABLE: too_long(len(text))}
    try:
        value = json.loads(text or "{}")
    except ValueError:
        return {UNREADABLE: "not valid JSON"}
    return value if isinstance(value, dict) else {UNREADABLE: "not a JSON object"}


def _tool(spec: ToolSpec) -> dict[str, Any]:
    schema = {"json": spec.model_schema()}
    return {
        "toolSpec": {
            "name": spec.name,
            "description": spec.description,
            "inputSchema": schema,
        }
    }


def _may_pass(error: Exception) -> bool:
    """Whatever is wrong with the request itself stays wrong."""
    if not isinstance(error, EventStreamError):
        return True
    return error.response.get("Error", {}).get("Code") != "validationException"


def _explain(error: Exception) -> Exception:
    if isinstance(error, EventStreamError | BotoCoreError):
        return translate(error)
    return FaultError(
        "model_interrupted",
        "The model's answer broke off; nothing was done.",
        (Alternative(kind="retry", message="Ask again"),),
    )
