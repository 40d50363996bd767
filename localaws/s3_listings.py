"""Buckets and listings: what is there, page by page."""

import re
from collections.abc import Iterator
from typing import Any

from starlette.responses import Response

from localaws.errors import REGION, AwsError
from localaws.paging import text_of, token_of
from localaws.s3_objects import Listing, Objects, StoredObject
from localaws.s3_request import S3Request
from localaws.s3_uploads import Uploads
from localaws.s3_xml import Pairs, document, iso, text_document, url_encoded

_MAX_KEYS = 1000
_BUCKET_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_OWNER = [("ID", "local"), ("DisplayName", "local")]


def create_bucket(objects: Objects, request: S3Request, body: bytes) -> Response:
    """Creating one's own bucket again succeeds in us-east-1 and is refused in other regions."""
    name = request.bucket
    if not _BUCKET_NAME.fullmatch(name):
        raise AwsError("InvalidBucketName", "The specified bucket is not valid.", BucketName=name)
    if not objects.create_bucket(name) and b"LocationConstraint" in body:
        message = (
            "Your previous request to create the named bucket succeeded and you already own it."
        )
        raise AwsError("BucketAlreadyOwnedByYou", message, 409, BucketName=name)
    return Response(headers={"location": f"/{name}"})


def head_bucket(objects: Objects, request: S3Request) -> Response:
    objects.require_bucket(request.bucket)
    return Response(headers={"x-amz-bucket-region": REGION})


def delete_bucket(objects: Objects, request: S3Request) -> Response:
    objects.delete_bucket(request.bucket)
    return Response(status_code=204)


def get_bucket_location(objects: Objects, request: S3Request) -> Response:
    """us-east-1 is an empty element, as on AWS."""
    objects.require_bucket(request.bucket)
    return text_document("LocationConstraint", "")


def list_buckets(objects: Objects, _: S3Request) -> Response:
    buckets = [
        ("Bucket", [("Name", name), ("CreationDate", iso(created_at))])
        for name, created_at in objects.buckets()
    ]
    return document("ListAllMyBucketsResult", [("Owner", _OWNER), ("Buckets", buckets)])


def list_objects(objects: Objects, request: S3Request) -> Response:
    marker = request.query.get("marker", "")
    prefix, delimiter = request.query.get("prefix", ""), request.query.get("delimiter", "")
    bound = _after_marker(marker, prefix, delimiter)
    listing = _page(objects, request, bound)
    last = _last(listing) if listing.next_bound is not None else None
    pairs = [
        ("Marker", _encoded(request, marker)),
        ("NextMarker", _encoded(request, last)),
    ]
    return document("ListBucketResult", [*_shared(request, listing), *pairs])


def list_objects_v2(objects: Objects, request: S3Request) -> Response:
    token = request.query.get("continuation-token")
    start_after = request.query.get("start-after")
    bound = (
        text_of(token, "InvalidArgument") if token else (start_after + "\0" if start_after else "")
    )
    listing = _page(objects, request, bound)
    following = listing.next_bound
    count = len(listing.objects) + len(listing.prefixes)
    pairs = [
        ("KeyCount", count),
        ("StartAfter", _encoded(request, start_after)),
        ("ContinuationToken", token),
        ("NextContinuationToken", token_of(following) if following is not None else None),
    ]
    return document("ListBucketResult", [*_shared(request, listing), *pairs])


def list_multipart_uploads(uploads: Uploads, request: S3Request) -> Response:
    found = uploads.open_uploads(request.bucket, request.query.get("prefix", ""))
    entries = [
        ("Upload", [("Key", key), ("UploadId", upload_id), ("Initiated", iso(created_at))])
        for key, upload_id, created_at in found[:_MAX_KEYS]
    ]
    pairs = [("Bucket", request.bucket), ("IsTruncated", len(found) > _MAX_KEYS)]
    return document("ListMultipartUploadsResult", [*pairs, *entries])


def _page(objects: Objects, request: S3Request, bound: str) -> Listing:
    prefix, delimiter = request.query.get("prefix", ""), request.query.get("delimiter", "")
    max_keys = min(request.number("max-keys", _MAX_KEYS), _MAX_KEYS)
    if max_keys == 0:
        objects.require_bucket(request.bucket)
        return Listing([], [], None)
    return objects.page(request.bucket, prefix, delimiter, bound, max_keys)


def _shared(request: S3Request, listing: Listing) -> Iterator[tuple[str, Any]]:
    query = request.query
    yield "Name", request.bucket
    yield "Prefix", _encoded(request, query.get("prefix", ""))
    yield "Delimiter", _encoded(request, query.get("delimiter"))
    yield "MaxKeys", min(request.number("max-keys", _MAX_KEYS), _MAX_KEYS)
    yield "EncodingType", query.get("encoding-type")
    yield "IsTruncated", listing.next_bound is not None
    for stored in listing.objects:
        yield "Contents", _contents(request, stored)
    for prefix in listing.prefixes:
        yield "CommonPrefixes", [("Prefix", _encoded(request, prefix))]


def _contents(request: S3Request, stored: StoredObject) -> Pairs:
    yield "Key", _encoded(request, stored.key)
    yield "LastModified", iso(stored.modified_at)
    yield "ETag", f'"{stored.etag}"'
    yield "Size", stored.size
    yield "StorageClass", "STANDARD"
    if request.query.get("fetch-owner") == "true" or "list-type" not in request.query:
        yield "Owner", _OWNER


def _encoded(request: S3Request, text: str | None) -> str | None:
    return url_encoded(text, request.query.get("encoding-type"))


def _last(listing: Listing) -> str:
    keys = [stored.key for stored in listing.objects[-1:]] + listing.prefixes[-1:]
    return max(keys)


def _after_marker(marker: str, prefix: str, delimiter: str) -> str:
    """A marker that is a common prefix skips everything below it."""
    if not marker:
        return ""
    is_prefix = delimiter and marker.endswith(delimiter) and marker.startswith(prefix)
    return marker + "\U0010ffff" if is_prefix else marker + "\0"
