"""GetObject and HeadObject: conditions, ranges, bodies streamed from disk."""

import re
from collections.abc import Iterator
from typing import BinaryIO

from starlette.responses import Response, StreamingResponse

from localaws.errors import AwsError
from localaws.s3_objects import Objects, StoredObject
from localaws.s3_request import S3Request
from localaws.s3_xml import http_date

_RANGE = re.compile(r"bytes=(\d*)-(\d*)")
_CHUNK_BYTES = 256 * 1024
_SMALL_BYTES = 1024 * 1024


def get_object(objects: Objects, request: S3Request) -> Response:
    stored, body = objects.open(request.bucket, request.key)
    try:
        start, end, partial = _checked(stored, request)
    except AwsError:
        body.close()
        raise
    headers = _headers(stored, request)
    if partial:
        headers["content-range"] = f"bytes {start}-{end - 1}/{stored.size}"
    headers["content-length"] = str(end - start)
    status = 206 if partial else 200
    body.seek(start)
    if end - start <= _SMALL_BYTES:
        with body:
            return Response(body.read(end - start), status, headers)
    return StreamingResponse(_chunks(body, end - start), status, headers)


def head_object(objects: Objects, request: S3Request) -> Response:
    stored = objects.get(request.bucket, request.key)
    start, end, partial = _checked(stored, request)
    headers = _headers(stored, request)
    if partial:
        headers["content-range"] = f"bytes {start}-{end - 1}/{stored.size}"
    headers["content-length"] = str(end - start)
    return Response(None, 206 if partial else 200, headers)


def _checked(stored: StoredObject, request: S3Request) -> tuple[int, int, bool]:
    """Start, end and whether it is a part; 412, 304 and 416 as errors."""
    wanted = _etags(request.headers.get("if-match"))
    if wanted and stored.etag not in wanted and "*" not in wanted:
        message = "At least one of the pre-conditions you specified did not hold"
        raise AwsError("PreconditionFailed", message, 412, Condition="If-Match")
    unwanted = _etags(request.headers.get("if-none-match"))
    if unwanted and (stored.etag in unwanted or "*" in unwanted):
        raise AwsError("NotModified", "Not Modified", 304)
    return _range(request.headers.get("range"), stored.size)


def _etags(header: str | None) -> list[str]:
    return [etag.strip().strip('"') for etag in header.split(",")] if header else []


def _range(header: str | None, size: int) -> tuple[int, int, bool]:
    """[start, end) of one byte range; a header that is none is ignored, as RFC 9110 has it."""
    found = _RANGE.fullmatch(header or "")
    if found is None or found.groups() == ("", ""):
        return 0, size, False
    first, last = found.groups()
    if not first:
        start, end = max(0, size - int(last)), size
    else:
        start, end = int(first), min(size, int(last) + 1) if last else size
    if start >= end:
        message = "The requested range is not satisfiable"
        raise AwsError("InvalidRange", message, 416, ActualObjectSize=size)
    return start, end, True


def _headers(stored: StoredObject, request: S3Request) -> dict[str, str]:
    overrides = {
        name.removeprefix("response-"): value
        for name, value in request.query.items()
        if name.startswith("response-")
    }
    return {
        **stored.headers,
        **overrides,
        "etag": f'"{stored.etag}"',
        "last-modified": http_date(stored.modified_at),
        "accept-ranges": "bytes",
    }


def _chunks(body: BinaryIO, left: int) -> Iterator[bytes]:
    with body:
        while left > 0:
            chunk = body.read(min(left, _CHUNK_BYTES))
            if not chunk:
                return
            left -= len(chunk)
            yield chunk
