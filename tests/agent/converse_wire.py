"""Converse answers as the bytes of application/vnd.amazon.eventstream."""

import json
from binascii import crc32
from collections.abc import Iterator
from struct import pack
from typing import Any

USAGE = {"inputTokens": 100, "outputTokens": 10}
_CHARS_PER_DELTA = 200_000

Answer = dict[str, Any]
"""{"content": [blocks], "stopReason": …, "usage": {…}}; "text" as bytes and toolUse "input" as text
go out as they are. stopReason and usage may be left out."""


def frame(headers: dict[str, str], payload: bytes) -> bytes:
    """One message of application/vnd.amazon.eventstream."""
    named = b"".join(
        pack("B", len(name)) + name.encode() + b"\x07" + pack(">H", len(value)) + value.encode()
        for name, value in headers.items()
    )
    prelude = pack(">II", 16 + len(named) + len(payload), len(named))
    body = prelude + pack(">I", crc32(prelude)) + named + payload
    return body + pack(">I", crc32(body))


def event_headers(kind: str) -> dict[str, str]:
    return {
        ":event-type": kind,
        ":content-type": "application/json",
        ":message-type": "event",
    }


def exception_headers(code: str) -> dict[str, str]:
    return {
        ":exception-type": code,
        ":content-type": "application/json",
        ":message-type": "exception",
    }


def events(answer: Answer) -> Iterator[tuple[str, bytes]]:
    yield "messageStart", _json({"role": "assistant"})
    for index, block in enumerate(answer["content"]):
        at = {"contentBlockIndex": index}
        if "toolUse" in block:
            use = block["toolUse"]
            start = {"toolUse": {"toolUseId": use["toolUseId"], "name": use["name"]}}
            yield "contentBlockStart", _json({**at, "start": start})
        for delta in _deltas(block):
            yield (
                "contentBlockDelta",
                delta if isinstance(delta, bytes) else _json({**at, "delta": delta}),
            )
        yield "contentBlockStop", _json(at)
    yield "messageStop", _json({"stopReason": answer.get("stopReason", "end_turn")})
    usage = answer.get("usage", USAGE)
    total = usage.get("inputTokens", 0) + usage.get("outputTokens", 0)
    more = {"trace": answer["trace"]} if "trace" in answer else {}
    told = {"usage": {"totalTokens": total, **usage}, "metrics": {"latencyMs": 1}, **more}
    yield "metadata", _json(told)


def _deltas(block: dict[str, Any]) -> Iterator[dict[str, Any] | bytes]:
    if "toolUse" in block:
        given = block["toolUse"]["input"]
        for part in _pieces(given if isinstance(given, str) else json.dumps(given)):
            yield {"toolUse": {"input": part}}
    elif "reasoningContent" in block:
        reasoning = block["reasoningContent"].get("reasoningText", {})
        if "text" in reasoning:
            yield {"reasoningContent": {"text": reasoning["text"]}}
        if "signature" in reasoning:
            yield {"reasoningContent": {"signature": reasoning["signature"]}}
        if "redactedContent" in block["reasoningContent"]:
            yield {"reasoningContent": block["reasoningContent"]}
    elif isinstance(block["text"], bytes):
        yield b'{"contentBlockIndex": 0, "delta": {"text": "' + block["text"] + b'"}}'
    else:
        for part in _pieces(block["text"]):
            yield {"text": part}


def _pieces(text: str) -> Iterator[str]:
    """A few deltas, however long the text is; small texts come in two."""
    length = min(_CHARS_PER_DELTA, -(-len(text) // 2) or 1)
    for start in range(0, len(text), length):
        yield text[start : start + length]


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()
