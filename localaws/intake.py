"""What the server lets in: programs and pages of this machine, and bodies that its memory holds.

Bodies of S3 objects do not pass here: they stream to disk.
"""

import zlib
from urllib.parse import urlsplit

from starlette.requests import Request

from localaws.errors import AwsError

MAX_BODY_BYTES = 100 * 1024 * 1024
"""More than any request of AWS needs; the largest is the zip of a function, 50 MB before base64."""
_HOSTS = ("127.0.0.1", "localhost")
_GZIP = 31


def is_local(request: Request) -> bool:
    """Neither a rebound name nor a web page of another origin gets in."""
    origin = request.headers.get("origin")
    try:
        names = [request.url.hostname, *([urlsplit(origin).hostname] if origin else [])]
    except ValueError:
        return False
    return all(name in _HOSTS or (name or "").endswith(".localhost") for name in names)


async def read_body(request: Request, limit_bytes: int = MAX_BODY_BYTES) -> bytes:
    """The rest of a body that is too large is read and dropped, so that its sender hears why."""
    body, size = bytearray(), 0
    async for chunk in request.stream():
        size += len(chunk)
        if size <= limit_bytes:
            body += chunk
    if size > limit_bytes:
        raise _too_large(limit_bytes)
    return bytes(body)


def unpacked(body: bytes, encoding: str | None) -> bytes:
    """boto3 compresses large PutMetricData bodies."""
    if encoding != "gzip":
        return body
    unpacking = zlib.decompressobj(_GZIP)
    try:
        content = unpacking.decompress(body, MAX_BODY_BYTES)
    except zlib.error as error:
        raise AwsError("SerializationException", f"not gzip: {error}") from error
    if unpacking.unconsumed_tail:
        raise _too_large(MAX_BODY_BYTES)
    if not unpacking.eof or unpacking.unused_data:
        raise AwsError("SerializationException", "not gzip: cut off, or followed by more")
    return content


def _too_large(limit_bytes: int) -> AwsError:
    message = f"A request takes at most {limit_bytes} bytes"
    return AwsError("RequestEntityTooLargeException", message, 413)
