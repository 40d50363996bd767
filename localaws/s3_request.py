"""What an HTTP request means to S3: bucket, key, operation."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import parse_qsl, unquote

from starlette.requests import Request

from localaws.errors import AwsError, not_implemented

_HOSTS = (".localhost", ".127.0.0.1")
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
        """A whole number from the query, at most 1,000 by default."""
        text = self.query.get(name, "")
        if text and not text.isdigit():
            raise AwsError("InvalidArgument", f"Argument {name} must be an integer")
        return min(int(text), 10_000) if text else default


def read_request(request: Request) -> S3Request:
    """Path style, or the bucket as a part of the host name."""
    path = unquote(request.scope["raw_path"].decode("ascii"))[1:]
    host = request.url.hostname or ""
    for suffix in _HOSTS:
        if host.endswith(suffix):
            path = f"{host.removesuffix(suffix)}/{path}"
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
    if "X-Amz-Expires" in request.query:
        signed_at = datetime.strptime(request.query["X-Amz-Date"], "%Y%m%dT%H%M%SZ")
        lifetime_seconds = int(request.query["X-Amz-Expires"])
        ends_at = signed_at.replace(tzinfo=UTC).timestamp() + lifetime_seconds
    else:
        ends_at = float(request.query.get("Expires", "inf"))
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


def _operation(request: S3Request, subresource: str | None) -> str | None:
    method = request.method
    if not request.bucket:
        return _SERVICE.get(method)
    if not request.key:
        if subresource is not None:
            return _BUCKET_SUBRESOURCES.get((method, subresource))
        return _BUCKET.get(method)
    if subresource is not None:
        starts = (method, subresource) == ("POST", "uploads")
        return "CreateMultipartUpload" if starts else None
    return (_UPLOAD if "uploadId" in request.query else _OBJECT).get(method)


def _subresource(request: S3Request) -> str | None:
    """A query parameter that is neither a plain parameter nor part of a signature."""
    for name in request.query:
        lower = name.lower()
        if lower not in _PLAIN_PARAMETERS and not lower.startswith(("x-amz-", "response-")):
            return lower
    return None
