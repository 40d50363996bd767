"""What Converse and current Claude models refuse with a 400, so that a client that works here works there."""

import re
from typing import Any

_TOOL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_TOOL_USE_ID = re.compile(r"[a-zA-Z0-9_.:-]{1,64}")
_SAMPLING = ("temperature", "topP", "stopSequences")
_MORE_SAMPLING = ("temperature", "top_p", "top_k", "thinking")
_MAX_CACHE_POINTS = 4

Message = dict[str, Any]


class Invalid(Exception):
    """The words of a ValidationException."""


class Sent:
    """The reasoning that a server has sent: by signature, and by the tool calls that followed it."""

    def __init__(self) -> None:
        self.signed: dict[str, str] = {}
        self.before_call: dict[str, list[dict[str, Any]]] = {}

    def add(self, content: list[dict[str, Any]]) -> None:
        reasoning = [b["reasoningContent"] for b in content if "reasoningContent" in b]
        for block in reasoning:
            text = block.get("reasoningText", {})
            if "signature" in text:
                self.signed[text["signature"]] = text.get("text", "")
        for block in content:
            if "toolUse" in block and reasoning:
                self.before_call[block["toolUse"]["toolUseId"]] = reasoning


def check(body: dict[str, Any], sent: Sent) -> None:
    """Raises Invalid."""
    _check_options(body)
    messages = body.get("messages") or []
    _check_order(messages)
    for message in messages:
        _check_blocks(message)
    _check_calls(messages)
    _check_reasoning(messages, sent)


def _check_options(body: dict[str, Any]) -> None:
    inference = body.get("inferenceConfig") or {}
    more = body.get("additionalModelRequestFields") or {}
    for name in _SAMPLING:
        _require(name not in inference, f"`{name}` is not supported by this model.")
    for name in _MORE_SAMPLING:
        _require(name not in more, f"`{name}` is not supported by this model.")
    config = body.get("toolConfig")
    if config is not None:
        choice = config.get("toolChoice") or {}
        forced = "any" in choice or "tool" in choice
        _require(not forced, "forced tool use is not supported when thinking is enabled.")
        _check_tools([t["toolSpec"] for t in config["tools"] if "toolSpec" in t])
    points = str(body).count("'cachePoint'")
    _require(points <= _MAX_CACHE_POINTS, f"at most {_MAX_CACHE_POINTS} cache points.")


def _check_tools(specs: list[dict[str, Any]]) -> None:
    names = [spec["name"] for spec in specs]
    _require(bool(names), "tools must not be empty.")
    _require(len(names) == len(set(names)), "Tool names must be unique.")
    for spec in specs:
        _require(_TOOL_NAME.fullmatch(spec["name"]) is not None, f"tool name {spec['name']!r}")
        schema = spec["inputSchema"]["json"]
        _require(schema.get("type") == "object", f"{spec['name']}: input_schema.type: object")


def _check_order(messages: list[Message]) -> None:
    roles = [message["role"] for message in messages]
    _require(roles[:1] == ["user"], "A conversation must start with a user message.")
    _require(roles[-1] == "user", "The model does not support assistant message prefill.")
    alternate = all(a != b for a, b in zip(roles, roles[1:], strict=False))
    _require(alternate, "roles must alternate between user and assistant.")


def _check_blocks(message: Message) -> None:
    _require(bool(message["content"]), "The content field is empty.")
    for block in message["content"]:
        if "text" in block:
            _require(bool(block["text"].strip()), "The text field in a content block is blank.")
        if "toolUse" in block:
            use = block["toolUse"]
            _require(isinstance(use["input"], dict), "toolUse.input must be an object.")
            _require(_TOOL_NAME.fullmatch(use["name"]) is not None, "toolUse.name is malformed.")
            known = _TOOL_USE_ID.fullmatch(use["toolUseId"]) is not None
            _require(known, "toolUse.toolUseId is malformed.")


def _check_calls(messages: list[Message]) -> None:
    """Each call has its result in the next message, each result its call in the last one."""
    seen: set[str] = set()
    asked: list[str] = []
    for number, message in enumerate(messages):
        answered = [b["toolResult"]["toolUseId"] for b in message["content"] if "toolResult" in b]
        where = f"messages.{number}"
        _require(len(answered) == len(set(answered)), f"{where}: toolResult given twice.")
        unasked = f"{where}: unexpected `tool_use_id` found in `tool_result` blocks."
        _require(set(answered) <= set(asked), unasked)
        missing = f"{where}: `tool_use` ids were found without `tool_result` blocks."
        _require(set(asked) <= set(answered), missing)
        asked = [b["toolUse"]["toolUseId"] for b in message["content"] if "toolUse" in b]
        unique = len(asked) == len(set(asked)) and not seen & set(asked)
        _require(unique, f"{where}: `tool_use` ids must be unique.")
        seen |= set(asked)


def _check_reasoning(messages: list[Message], sent: Sent) -> None:
    """Signed text is as it was sent; in the running loop of tool calls none may be missing."""
    people = [n for n, m in enumerate(messages) if m["role"] == "user" and not _is_result(m)]
    for number, message in enumerate(messages):
        blocks = [b["reasoningContent"] for b in message["content"] if "reasoningContent" in b]
        for block in blocks:
            text = block.get("reasoningText", {})
            known = sent.signed.get(text.get("signature", ""))
            _require(
                not text or known == text.get("text", ""),
                f"messages.{number}: Invalid `signature` in `thinking` block.",
            )
        if number > people[-1]:
            _require(blocks == _wanted(message, sent), f"messages.{number}: Expected `thinking`.")


def _wanted(message: Message, sent: Sent) -> list[dict[str, Any]]:
    """What was sent before the calls of this message; its own blocks when it has no such call."""
    for block in message["content"]:
        known = sent.before_call.get(block.get("toolUse", {}).get("toolUseId", ""))
        if known is not None:
            return known
    return [b["reasoningContent"] for b in message["content"] if "reasoningContent" in b]


def _is_result(message: Message) -> bool:
    return any("toolResult" in block for block in message["content"])


def _require(holds: bool, message: str) -> None:
    if not holds:
        raise Invalid(f"The model returned the following errors: {message}")
