"""What an MCP server sent in, the one JSON-RPC message that was waited for out: from JSON or from SSE;
and what a tool said with it."""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from urllib3.response import BaseHTTPResponse

from agent.storable import clean, storable
from mlops.errors import FaultError

MAX_BYTES = 32 * 1024 * 1024
"""A Lambda answers at most 6 MB; MCP says it twice, once with every quote escaped."""
_CHUNK_BYTES = 64 * 1024


def read_reply(
    response: BaseHTTPResponse, id: int, check_time: Callable[[], None], max_bytes: int
) -> dict[str, Any]:
    """The message with this id; `check_time` raises when it takes too long.

    FaultError for what is too large, no JSON, or another message; urllib3's errors pass.
    """
    chunks = _chunks(response, check_time, max_bytes)
    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "text/event-stream":
        return _expected(b"".join(chunks), id)
    for data in events(chunks):
        message = _message(data)
        if message.get("id") == id and "method" not in message:
            return message
    raise FaultError("gateway_error", "The tool server's stream ended without an answer.")


def value_of(result: Mapping[str, Any]) -> Any:
    """A tool's structured content, else the JSON of its text; what cannot be kept as that is given
    as text, with blocks of other kinds named."""
    blocks = [block for block in result.get("content") or () if isinstance(block, dict)]
    texts = {n: str(b.get("text", "")) for n, b in enumerate(blocks) if b.get("type") == "text"}
    try:
        value = result.get("structuredContent")
        return storable(json.loads("\n".join(texts.values())) if value is None else value)
    except (ValueError, RecursionError):
        named = (texts.get(n, f"[{block.get('type')}]") for n, block in enumerate(blocks))
        return clean("\n".join(named))


def events(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The data of each server-sent event; comments and other fields are passed over."""
    data: list[bytes] = []
    for line in _lines(chunks):
        if line.startswith(b"data:"):
            data.append(line[5:].removeprefix(b" "))
        elif not line and data:
            yield b"\n".join(data)
            data = []


def _lines(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Lines end with LF or CR LF."""
    rest: list[bytes] = []
    for chunk in chunks:
        *whole, last = chunk.split(b"\n")
        for part in whole:
            yield b"".join([*rest, part]).removesuffix(b"\r")
            rest = []
        rest.append(last)


def _chunks(
    response: BaseHTTPResponse, check_time: Callable[[], None], max_bytes: int
) -> Iterator[bytes]:
    received = 0
    while chunk := response.read1(_CHUNK_BYTES):
        check_time()
        received += len(chunk)
        if received > max_bytes:
            raise FaultError(
                "too_large", f"The tool server's answer is larger than {max_bytes // 2**20} MiB."
            )
        yield chunk


def _expected(body: bytes, id: int) -> dict[str, Any]:
    message = _message(body)
    if message.get("id") not in (id, None):
        raise FaultError("gateway_error", "The tool server answered another request than ours.")
    return message


def _message(data: bytes) -> dict[str, Any]:
    try:
        message = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise FaultError("gateway_error", "The tool server answered no JSON.") from error
    if not isinstance(message, dict):
        raise FaultError("gateway_error", "The tool server answered no JSON-RPC message.")
    return message
