"""What an HTTP request means to S3: bucket, key, operation."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import parse_qsl, unquote

from starlette.requests import Request

from localaws.errors import AwsError, not_implemented

_HOST = ".localhost"
_KEPT_HEADERS = (
    "content-type",
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "expires",
    "x-amz-storage-class",
)
_PLAIN_PARAMETERS = frozenset(
    (
        "awsaccesskeyid continuation-token delimiter encoding-type expires fetch-owner key-marker list-type marker "
        "max-keys max-parts max-uploads part-number-marker partnumber prefix signature start-after "
        "upload-id-marker uploadid x-id"
    ).split()
)
_SERVICE = {"GET": "ListBuckets"}
_BUCKET = {"GET": "ListObjects", "PUT": "CreateBucket", "HEAD": "HeadBucket"}
_BUCKET |= {"DELETE": "DeleteBucket"}
_BUCKET_SUBRESOURCES = {
    ("GET", "location"): "GetBucketLocation",
    ("GET", "uploads"): "ListMultipartUploads",
    ("POST", "delete"): "DeleteObjects",
}
_OBJECT = {"GET": "GetObject", "HEAD": "HeadObject", "PUT": "PutObject", "DELETE": "DeleteObject"}
_UPLOAD = {
    "GET": "ListParts",
    "PUT": "UploadPart",
    "POST": "CompleteMultipartUpload",
    "DELETE": "AbortMultipartUpload",
}


@dataclass(frozen=True)
class S3Request:
    """`bucket` and `key` are empty where the path names none."""

    method: str
    bucket: str
    key: str
    query: Mapping[str, str]
    headers: Mapping[str, str]

    @property
    def resource(self) -> str:
        return f"/{self.bucket}/{self.key}" if self.key else f"/{self.bucket}"

    def number(self, name: str, default: int) -> int:
        """A whole number from the query."""
        text = self.query.get(name, "")
        if text and not text.isdecimal():
            raise AwsError("InvalidArgument", f"Argument {name} must be an integer")
        return int(text) if text else default


def read_request(request: Request) -> S3Request:
    """Path style, or the bucket as a part of the host name."""
    path = unquote(request.scope["raw_path"].decode("ascii"))[1:]
    host = request.url.hostname or ""
    if host.endswith(_HOST):
        path = f"{host.removesuffix(_HOST)}/{path}"
    bucket, _, key = path.partition("/")
    query = dict(parse_qsl(request.url.query, keep_blank_values=True))
    return S3Request(request.method, bucket, key, query, request.headers)


def operation(request: S3Request) -> str:
    """The operation's name; one that is not here is refused by name."""
    found = _operation(request, _subresource(request))
    if found is None:
        extra = ",".join(sorted(request.query))
        raise not_implemented("s3", f"{request.method} {request.resource}?{extra}")
    return found


def refuse_expired(request: S3Request, now: float) -> None:
    """Presigned URLs end when they say; signatures themselves are not checked."""
    try:
        ends_at = _ends_at(request.query)
    except (KeyError, ValueError) as error:
        message = f"The expiry of the presigned URL cannot be read: {error}"
        raise AwsError("AuthorizationQueryParametersError", message) from error
    if ends_at < now:
        raise AwsError("AccessDenied", "Request has expired", 403)


def kept_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers that an object keeps: content headers and user metadata."""
    kept = {
        name: value
        for name, value in headers.items()
        if name in _KEPT_HEADERS or name.startswith("x-amz-meta-")
    }
    encodings = [e.strip() for e in kept.pop("content-encoding", "").split(",")]
    encoding = ",".join(e for e in encodings if e and e != "aws-chunked")
    if encoding:
        kept["content-encoding"] = encoding
    kept.setdefault("content-type", "binary/octet-stream")
    return kept


def _ends_at(query: Mapping[str, str]) -> float:
    if "X-Amz-Expires" not in query:
        return float(query.get("Expires", "inf"))
    signed_at = datetime.strptime(query["X-Amz-Date"], "%Y%m%dT%H%M%SZ")
    return signed_at.replace(tzinfo=UTC).timestamp() + int(query["X-Amz-Expires"])


def _operation(request: S3Request, subresource: str | None) -> str | None:
    method = request.method
    if not request.bucket:
        return _SERVICE.get(method)
    if not request.key:
        if subresource is not None:
            return _BUCKET_SUBRESOURCES.get((method, subresource))
        is_second = method == "GET" and request.query.get("list-type") == "2"
        return "ListObjectsV2" if is_second else _BUCKET.get(method)
    if subresource is not None:
        starts = (method, subresource) == ("POST", "uploads")
        return "CreateMultipartUpload" if starts else None
    if method == "PUT" and "x-amz-copy-source" in request.headers:
        return "UploadPartCopy" if "uploadId" in request.query else "CopyObject"
    return (_UPLOAD if "uploadId" in request.query else _OBJECT).get(method)


def _subresource(request: S3Request) -> str | None:
    """A query parameter that is neither a plain parameter nor part of a signature."""
    for name in request.query:
        lower = name.lower()
        if lower not in _PLAIN_PARAMETERS and not lower.startswith(("x-amz-", "response-")):
            return lower
    return None
