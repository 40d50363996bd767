"""Puts, copies, deletions and multipart uploads."""

from typing import BinaryIO
from urllib.parse import unquote

from starlette.responses import Response

from localaws.errors import AwsError
from localaws.s3_body import Blob
from localaws.s3_objects import Objects
from localaws.s3_request import S3Request, kept_headers
from localaws.s3_uploads import Uploads
from localaws.s3_xml import document, iso, malformed, parse_delete, parse_parts

_COPY_BYTES = 1024 * 1024
_MAX_DELETE = 1000


def put_object(objects: Objects, request: S3Request, blob: Blob) -> Response:
    stored = objects.put(
        request.bucket,
        request.key,
        blob,
        kept_headers(request.headers),
        if_match=request.headers.get("if-match"),
        if_none_match=request.headers.get("if-none-match") == "*",
    )
    return Response(headers={"etag": f'"{stored.etag}"'})


def upload_part(uploads: Uploads, request: S3Request, blob: Blob) -> Response:
    number = request.number("partNumber", 0)
    upload_id = request.query["uploadId"]
    part = uploads.put_part(upload_id, request.bucket, request.key, number, blob)
    return Response(headers={"etag": f'"{part.etag}"'})


def copy_object(objects: Objects, request: S3Request) -> Response:
    """The blob is shared on disk (a hard link): blobs never change."""
    source = objects.get(*_source(request))
    if request.headers.get("x-amz-metadata-directive", "COPY") == "REPLACE":
        headers = kept_headers(request.headers)
    elif _source(request) == (request.bucket, request.key):
        message = "This copy request is illegal: it copies an object to itself without changes."
        raise AwsError("InvalidRequest", message)
    else:
        headers = source.headers
    blob = objects.link(source)
    try:
        stored = objects.put(request.bucket, request.key, blob, headers, etag=source.etag)
    except BaseException:
        blob.discard()
        raise
    pairs = [("LastModified", iso(stored.modified_at)), ("ETag", f'"{stored.etag}"')]
    return document("CopyObjectResult", pairs)


def upload_part_copy(objects: Objects, uploads: Uploads, request: S3Request) -> Response:
    stored, body = objects.open(*_source(request))
    blob = objects.new_blob()
    try:
        with body:
            _copy_range(body, blob, stored.size, request.headers.get("x-amz-copy-source-range"))
        number, upload_id = request.number("partNumber", 0), request.query["uploadId"]
        part = uploads.put_part(upload_id, request.bucket, request.key, number, blob)
    except BaseException:
        blob.discard()
        raise
    pairs = [("LastModified", iso(part.modified_at)), ("ETag", f'"{part.etag}"')]
    return document("CopyPartResult", pairs)


def delete_object(objects: Objects, request: S3Request) -> Response:
    objects.delete(request.bucket, [request.key])
    return Response(status_code=204)


def delete_objects(objects: Objects, request: S3Request, body: bytes) -> Response:
    keys, quiet = parse_delete(body)
    if len(keys) > _MAX_DELETE:
        raise malformed()
    objects.delete(request.bucket, keys)
    deleted = [] if quiet else [("Deleted", [("Key", key)]) for key in keys]
    return document("DeleteResult", deleted)


def create_multipart_upload(uploads: Uploads, request: S3Request) -> Response:
    upload_id = uploads.create(request.bucket, request.key, kept_headers(request.headers))
    pairs = [("Bucket", request.bucket), ("Key", request.key), ("UploadId", upload_id)]
    return document("InitiateMultipartUploadResult", pairs)


def complete_multipart_upload(uploads: Uploads, request: S3Request, body: bytes) -> Response:
    stored = uploads.complete(
        request.query["uploadId"], request.bucket, request.key, parse_parts(body)
    )
    pairs = [
        ("Location", request.resource),
        ("Bucket", request.bucket),
        ("Key", request.key),
        ("ETag", f'"{stored.etag}"'),
    ]
    return document("CompleteMultipartUploadResult", pairs)


def abort_multipart_upload(uploads: Uploads, request: S3Request) -> Response:
    uploads.abort(request.query["uploadId"], request.bucket, request.key)
    return Response(status_code=204)


def list_parts(uploads: Uploads, request: S3Request) -> Response:
    upload_id = request.query["uploadId"]
    after = request.number("part-number-marker", 0)
    count = min(request.number("max-parts", 1000), 1000)
    parts = [p for p in uploads.parts(upload_id, request.bucket, request.key) if p.number > after]
    entries = [
        (
            "Part",
            [
                ("PartNumber", part.number),
                ("LastModified", iso(part.modified_at)),
                ("ETag", f'"{part.etag}"'),
                ("Size", part.size),
            ],
        )
        for part in parts[:count]
    ]
    more = len(parts) > count
    pairs = [
        ("Bucket", request.bucket),
        ("Key", request.key),
        ("UploadId", upload_id),
        ("NextPartNumberMarker", parts[count - 1].number if more else None),
        ("IsTruncated", more),
    ]
    return document("ListPartsResult", [*pairs, *entries])


def _source(request: S3Request) -> tuple[str, str]:
    path = unquote(request.headers["x-amz-copy-source"].split("?")[0]).removeprefix("/")
    bucket, _, key = path.partition("/")
    return bucket, key


def _copy_range(body: BinaryIO, blob: Blob, size: int, header: str | None) -> None:
    first, _, last = (header or f"bytes=0-{size - 1}").removeprefix("bytes=").partition("-")
    body.seek(int(first))
    left = int(last) + 1 - int(first)
    while left > 0 and (chunk := body.read(min(left, _COPY_BYTES))):
        blob.write(chunk)
        left -= len(chunk)
