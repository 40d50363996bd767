"""S3's REST interface: bodies stream to disk, everything else is one call in a thread."""

import logging
import time
import uuid
from collections.abc import Callable

from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.responses import Response

from localaws import s3_listings as listings
from localaws import s3_reads as reads
from localaws import s3_writes as writes
from localaws.errors import AwsError
from localaws.intake import read_body
from localaws.s3_body import Blob, BodyReader, receive
from localaws.s3_objects import Objects
from localaws.s3_request import S3Request, operation, read_request, refuse_expired
from localaws.s3_uploads import Uploads
from localaws.s3_xml import error_document
from localaws.store import Store

_LOG = logging.getLogger(__name__)
_OBJECT_OPERATIONS = {
    "ListBuckets": listings.list_buckets,
    "HeadBucket": listings.head_bucket,
    "DeleteBucket": listings.delete_bucket,
    "GetBucketLocation": listings.get_bucket_location,
    "ListObjects": listings.list_objects,
    "ListObjectsV2": listings.list_objects_v2,
    "GetObject": reads.get_object,
    "HeadObject": reads.head_object,
    "DeleteObject": writes.delete_object,
    "CopyObject": writes.copy_object,
}
_BODY_OPERATIONS = {
    "CreateBucket": listings.create_bucket,
    "DeleteObjects": writes.delete_objects,
}
_UPLOAD_OPERATIONS = {
    "ListMultipartUploads": listings.list_multipart_uploads,
    "CreateMultipartUpload": writes.create_multipart_upload,
    "AbortMultipartUpload": writes.abort_multipart_upload,
    "ListParts": writes.list_parts,
}
_STREAMED_OPERATIONS = ("PutObject", "UploadPart")
_OTHER_OPERATIONS = ("UploadPartCopy", "CompleteMultipartUpload")


class S3:
    """The S3 handler of the wire; `objects` is the same state for callers in this process."""

    def __init__(self, store: Store, now: Callable[[], float] = time.time):
        self.objects = Objects(store, now)
        self._uploads = Uploads(store, self.objects, now)
        self._now = now

    @staticmethod
    def operations() -> list[str]:
        """What is here, by botocore's names."""
        methods = (*_OBJECT_OPERATIONS, *_BODY_OPERATIONS, *_UPLOAD_OPERATIONS)
        return sorted((*methods, *_STREAMED_OPERATIONS, *_OTHER_OPERATIONS))

    async def __call__(self, request: Request) -> Response:
        wanted = read_request(request)
        request_id = uuid.uuid4().hex[:16].upper()
        try:
            response = await self._answer(wanted, request)
        except AwsError as error:
            return error_document(error, wanted.resource, request_id, wanted.method == "HEAD")
        except Exception as error:
            _LOG.exception("s3 %s %s failed", wanted.method, wanted.resource)
            fault = AwsError("InternalError", f"{type(error).__name__}: {error}", 500)
            return error_document(fault, wanted.resource, request_id, wanted.method == "HEAD")
        response.headers["x-amz-request-id"] = request_id
        return response

    async def _answer(self, wanted: S3Request, request: Request) -> Response:
        refuse_expired(wanted, self._now())
        name = operation(wanted)
        if name in _STREAMED_OPERATIONS:
            return await self._with_blob(name, wanted, request)
        return await run_sync(self._call, name, wanted, await read_body(request))

    async def _with_blob(self, name: str, wanted: S3Request, request: Request) -> Response:
        """The blob is the object's once its row is committed; otherwise it goes."""
        blob = await run_sync(self.objects.new_blob)
        try:
            reader = BodyReader(blob, wanted.headers)
            rest = await receive(request, reader)
            return await run_sync(self._store_blob, name, wanted, blob, reader, rest)
        except BaseException:
            blob.discard()
            raise

    def _store_blob(
        self, name: str, wanted: S3Request, blob: Blob, reader: BodyReader, rest: bytes
    ) -> Response:
        reader.feed(rest)
        checksums = reader.finish()
        if name == "PutObject":
            response = writes.put_object(self.objects, wanted, blob)
        else:
            response = writes.upload_part(self._uploads, wanted, blob)
        response.headers.update(checksums)
        return response

    def _call(self, name: str, wanted: S3Request, body: bytes) -> Response:
        if name == "UploadPartCopy":
            return writes.upload_part_copy(self.objects, self._uploads, wanted)
        if name == "CompleteMultipartUpload":
            return writes.complete_multipart_upload(self._uploads, wanted, body)
        if name in _BODY_OPERATIONS:
            return _BODY_OPERATIONS[name](self.objects, wanted, body)
        if name in _UPLOAD_OPERATIONS:
            return _UPLOAD_OPERATIONS[name](self._uploads, wanted)
        return _OBJECT_OPERATIONS[name](self.objects, wanted)
