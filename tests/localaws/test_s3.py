"""S3 through boto3: objects, conditions, ranges, listings, multipart uploads, and what is left on disk."""

import hashlib
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.localaws.buckets import BUCKET, blobs, body, refused


def test_buckets(s3: Any, connect: Callable[[str, str], Any]):
    assert BUCKET in [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]
    s3.create_bucket(Bucket=BUCKET)
    elsewhere = {"LocationConstraint": "eu-central-1"}
    again = {"Bucket": BUCKET, "CreateBucketConfiguration": elsewhere}
    assert refused(s3.create_bucket, **again) == ("BucketAlreadyOwnedByYou", 409)
    assert s3.head_bucket(Bucket=BUCKET)["BucketRegion"] == "us-east-1"
    assert s3.get_bucket_location(Bucket=BUCKET)["LocationConstraint"] is None
    assert refused(s3.head_bucket, Bucket="absent") == ("404", 404)
    assert refused(s3.create_bucket, Bucket="Bad_Name") == ("InvalidBucketName", 400)
    s3.create_bucket(Bucket="passing")
    s3.put_object(Bucket="passing", Key="k", Body=b"")
    assert refused(s3.delete_bucket, Bucket="passing") == ("BucketNotEmpty", 409)
    s3.delete_object(Bucket="passing", Key="k")
    s3.delete_bucket(Bucket="passing")
    assert refused(s3.list_objects_v2, Bucket="passing") == ("NoSuchBucket", 404)


def test_objects_keep_body_and_headers(s3: Any, key: str):
    put = s3.put_object(
        Bucket=BUCKET,
        Key=key,
        Body=b"hello",
        ContentType="text/plain",
        CacheControl="no-cache",
        Metadata={"Owner": "me"},
    )
    assert put["ETag"] == f'"{hashlib.md5(b"hello").hexdigest()}"'
    assert put["ChecksumCRC32"]
    found = s3.get_object(Bucket=BUCKET, Key=key)
    assert found["Body"].read() == b"hello"
    head = s3.head_object(Bucket=BUCKET, Key=key)
    for answer in (found, head):
        assert (answer["ContentLength"], answer["ContentType"]) == (5, "text/plain")
        assert (answer["Metadata"], answer["CacheControl"]) == ({"owner": "me"}, "no-cache")
        assert answer["ETag"] == put["ETag"]
        assert answer["LastModified"].tzinfo is not None


def test_what_is_absent(s3: Any):
    assert refused(s3.get_object, Bucket=BUCKET, Key="no") == ("NoSuchKey", 404)
    assert refused(s3.head_object, Bucket=BUCKET, Key="no") == ("404", 404)
    assert refused(s3.get_object, Bucket="absent", Key="no") == ("NoSuchBucket", 404)
    assert refused(s3.put_object, Bucket="absent", Key="no") == ("NoSuchBucket", 404)
    s3.delete_object(Bucket=BUCKET, Key="no")


def test_overwriting_and_deleting_leave_no_blob(s3: Any, local: Any, key: str):
    before = blobs(local)
    for text in (b"one", b"two"):
        s3.put_object(Bucket=BUCKET, Key=key, Body=text)
    assert body(s3, key) == b"two"
    assert len(blobs(local) - before) == 1
    s3.delete_object(Bucket=BUCKET, Key=key)
    assert blobs(local) == before


def test_conditional_puts(s3: Any, key: str):
    first = s3.put_object(Bucket=BUCKET, Key=key, Body=b"1", IfNoneMatch="*")
    again = {"Bucket": BUCKET, "Key": key, "Body": b"2"}
    assert refused(s3.put_object, **again, IfNoneMatch="*") == ("PreconditionFailed", 412)
    assert refused(s3.put_object, **again, IfMatch='"other"') == ("PreconditionFailed", 412)
    s3.put_object(**again, IfMatch=first["ETag"])
    assert body(s3, key) == b"2"


def test_put_if_absent_has_one_winner(s3: Any, key: str, local: Any):
    before = blobs(local)
    won: list[bool] = []

    def put(n: int) -> None:
        try:
            s3.put_object(Bucket=BUCKET, Key=key, Body=str(n).encode(), IfNoneMatch="*")
            won.append(True)
        except ClientError:
            won.append(False)

    threads = [threading.Thread(target=put, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(won) == 1
    assert len(blobs(local) - before) == 1


def test_conditional_gets(s3: Any, key: str):
    etag = s3.put_object(Bucket=BUCKET, Key=key, Body=b"x")["ETag"]
    wanted = {"Bucket": BUCKET, "Key": key}
    assert refused(s3.get_object, **wanted, IfNoneMatch=etag) == ("304", 304)
    assert refused(s3.get_object, **wanted, IfMatch='"other"') == ("PreconditionFailed", 412)
    assert body(s3, key, IfMatch=etag, IfNoneMatch='"other"') == b"x"


@pytest.mark.parametrize(
    ("wanted", "expected", "content_range"),
    [
        ("bytes=2-4", b"234", "bytes 2-4/10"),
        ("bytes=7-", b"789", "bytes 7-9/10"),
        ("bytes=-2", b"89", "bytes 8-9/10"),
        ("bytes=8-99", b"89", "bytes 8-9/10"),
        ("bytes=-99", b"0123456789", "bytes 0-9/10"),
        ("nonsense", b"0123456789", None),
    ],
)
def test_ranges(s3: Any, wanted: str, expected: bytes, content_range: str | None):
    s3.put_object(Bucket=BUCKET, Key="digits", Body=b"0123456789")
    answer = s3.get_object(Bucket=BUCKET, Key="digits", Range=wanted)
    assert (answer["Body"].read(), answer.get("ContentRange")) == (expected, content_range)
    assert refused(s3.get_object, Bucket=BUCKET, Key="digits", Range="bytes=10-") == (
        "InvalidRange",
        416,
    )


def test_wrong_checksums_are_refused_and_leave_nothing(s3: Any, local: Any, key: str):
    before = blobs(local)
    wrong = {"Bucket": BUCKET, "Key": key, "Body": b"x"}
    assert refused(s3.put_object, **wrong, ContentMD5="AAAAAAAAAAAAAAAAAAAAAA==")[0] == "BadDigest"
    assert refused(s3.put_object, **wrong, ChecksumCRC32="AAAAAA==")[0] == "BadDigest"
    assert refused(s3.head_object, Bucket=BUCKET, Key=key)[1] == 404
    assert blobs(local) == before


def test_copies(s3: Any, key: str):
    s3.put_object(Bucket=BUCKET, Key=key, Body=b"abc", Metadata={"a": "1"})
    source = {"Bucket": BUCKET, "Key": key}
    s3.copy_object(Bucket=BUCKET, Key="copy", CopySource=source)
    changed = {"MetadataDirective": "REPLACE", "Metadata": {"b": "2"}}
    s3.copy_object(Bucket=BUCKET, Key="changed", CopySource=source, **changed)
    s3.copy_object(Bucket=BUCKET, Key=key, CopySource=source, **changed)
    itself = {"Bucket": BUCKET, "Key": key, "CopySource": source}
    assert refused(s3.copy_object, **itself)[0] == "InvalidRequest"
    s3.delete_object(Bucket=BUCKET, Key=key)
    for name, metadata in (("copy", {"a": "1"}), ("changed", {"b": "2"})):
        found = s3.get_object(Bucket=BUCKET, Key=name)
        assert (found["Body"].read(), found["Metadata"]) == (b"abc", metadata)


def test_only_a_put_copies(s3: Any, local: Any):
    s3.put_object(Bucket=BUCKET, Key="origin", Body=b"origin")
    s3.put_object(Bucket=BUCKET, Key="read", Body=b"read")
    credential = "Credential=a/20261122/us-east-1/s3/aws4_request"
    headers = {"Authorization": f"AWS4-HMAC-SHA256 {credential}"}
    headers["x-amz-copy-source"] = f"{BUCKET}/origin"
    url = f"{local.server.endpoint}/{BUCKET}/read"
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers)) as answer:
        assert answer.read() == b"read"
    assert body(s3, "read") == b"read"


def test_deleting_many(s3: Any):
    for n in range(3):
        s3.put_object(Bucket=BUCKET, Key=f"many/{n}", Body=b"x")
    wanted = [{"Key": f"many/{n}"} for n in (0, 2, 9)]
    answer = s3.delete_objects(Bucket=BUCKET, Delete={"Objects": wanted})
    assert len(answer["Deleted"]) == 3
    left = s3.list_objects_v2(Bucket=BUCKET, Prefix="many/")["Contents"]
    assert [entry["Key"] for entry in left] == ["many/1"]
    quiet = {"Objects": [{"Key": "many/1"}], "Quiet": True}
    assert "Deleted" not in s3.delete_objects(Bucket=BUCKET, Delete=quiet)


@pytest.mark.parametrize("version", ["s3", "s3v4"])
def test_presigned_urls_end(local: Any, connect: Callable[..., Any], key: str, version: str):
    """boto3 signs with the real clock."""
    s3 = connect(local.server.endpoint, "s3", signature_version=version)
    s3.put_object(Bucket=BUCKET, Key=key, Body=b"shared")
    wanted = {"Bucket": BUCKET, "Key": key, "ResponseContentType": "text/csv"}
    local.clock.seconds = datetime.now(UTC).timestamp()
    url = s3.generate_presigned_url("get_object", Params=wanted, ExpiresIn=60)
    s3.close()
    with urllib.request.urlopen(url) as answer:
        assert (answer.read(), answer.headers["content-type"]) == (b"shared", "text/csv")
    local.clock.seconds += 3600
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(url)
    assert caught.value.code == 403
    caught.value.close()


@pytest.mark.parametrize("expiry", ["Expires=soon", "X-Amz-Expires=60", "X-Amz-Expires=x"])
def test_an_expiry_that_cannot_be_read_is_refused(local: Any, expiry: str):
    url = f"{local.server.endpoint}/{BUCKET}/k?AWSAccessKeyId=a&{expiry}"
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(url)
    with caught.value as error:
        assert (error.code, b"AuthorizationQueryParametersError" in error.read()) == (400, True)


def test_buckets_in_the_host_name(s3: Any, local: Any):
    s3.put_object(Bucket=BUCKET, Key="by-host", Body=b"found")
    credential = "Credential=a/20261122/us-east-1/s3/aws4_request"
    request = urllib.request.Request(
        f"{local.server.endpoint}/by-host",
        headers={"Host": f"{BUCKET}.localhost", "Authorization": f"AWS4-HMAC-SHA256 {credential}"},
    )
    with urllib.request.urlopen(request) as answer:
        assert answer.read() == b"found"


def test_subresources_that_are_not_here_are_named(s3: Any):
    with pytest.raises(ClientError, match=r"s3.GET /data-bucket\?versioning is not part"):
        s3.get_bucket_versioning(Bucket=BUCKET)
    assert refused(s3.get_object_tagging, Bucket=BUCKET, Key="k") == ("NotImplemented", 501)
