"""Bodies on their way to disk: multipart uploads, the aws-chunked encoding, what a restart finds."""

import io
from pathlib import Path
from typing import Any

import pytest
from boto3.s3.transfer import TransferConfig

from localaws.errors import AwsError
from localaws.s3 import S3
from localaws.s3_body import Blob, BodyReader
from localaws.store import Store
from tests.localaws.buckets import BUCKET, blobs, body, refused

MIB = 1024 * 1024


def test_multipart_uploads_join(s3: Any, local: Any, key: str):
    before = blobs(local)
    content = bytes(range(256)) * (12 * MIB // 256) + b"tail"
    transfer = TransferConfig(multipart_threshold=5 * MIB, multipart_chunksize=5 * MIB)
    s3.upload_fileobj(io.BytesIO(content), BUCKET, key, Config=transfer)
    assert s3.head_object(Bucket=BUCKET, Key=key)["ETag"].endswith('-3"')
    into = io.BytesIO()
    s3.download_fileobj(BUCKET, key, into, Config=transfer)
    assert into.getvalue() == content
    assert len(blobs(local) - before) == 1
    s3.copy({"Bucket": BUCKET, "Key": key}, BUCKET, "joined-copy", Config=transfer)
    assert body(s3, "joined-copy", Range="bytes=12582912-") == b"tail"


def test_multipart_rules(s3: Any, local: Any, key: str):
    before = blobs(local)
    place = {"Bucket": BUCKET, "Key": key}
    place["UploadId"] = s3.create_multipart_upload(**place)["UploadId"]
    parts = []
    for number in (1, 2):
        etag = s3.upload_part(**place, PartNumber=number, Body=b"small")["ETag"]
        parts.append({"PartNumber": number, "ETag": etag})
    assert [p["Size"] for p in s3.list_parts(**place)["Parts"]] == [5, 5]
    uploads = s3.list_multipart_uploads(Bucket=BUCKET)["Uploads"]
    assert [u["Key"] for u in uploads] == [key]

    def complete(*parts: dict[str, Any]) -> str:
        wanted = {"Parts": list(parts)}
        return refused(s3.complete_multipart_upload, **place, MultipartUpload=wanted)[0]

    assert complete(*parts) == "EntityTooSmall"
    assert complete(*parts[::-1]) == "InvalidPartOrder"
    assert complete({"PartNumber": 1, "ETag": '"other"'}) == "InvalidPart"
    s3.abort_multipart_upload(**place)
    assert refused(s3.list_parts, **place) == ("NoSuchUpload", 404)
    assert blobs(local) == before


def test_part_numbers_end_at_ten_thousand(s3: Any, key: str):
    place = {"Bucket": BUCKET, "Key": key}
    place["UploadId"] = s3.create_multipart_upload(**place)["UploadId"]
    s3.upload_part(**place, PartNumber=10_000, Body=b"last")
    assert refused(s3.upload_part, **place, PartNumber=10_001, Body=b"more") == (
        "InvalidArgument",
        400,
    )
    assert [part["Size"] for part in s3.list_parts(**place)["Parts"]] == [4]
    s3.abort_multipart_upload(**place)


def test_uploads_survive_a_restart_and_orphans_do_not(tmp_path: Path):
    store = Store(tmp_path)
    s3 = S3(store)
    s3.objects.create_bucket("kept")
    part = s3.objects.new_blob()
    part.write(b"part")
    upload_id = s3._uploads.create("kept", "k", {})
    etag = s3._uploads.put_part(upload_id, "kept", "k", 1, part).etag
    orphan = s3.objects.new_blob()
    orphan.write(b"nobody's")
    orphan.close()
    store.close()
    store = Store(tmp_path)
    again = S3(store)
    assert not orphan.path.exists()
    again._uploads.complete(upload_id, "kept", "k", [(1, etag)])
    stored, opened = again.objects.open("kept", "k")
    with opened:
        assert (opened.read(), stored.size) == (b"part", 4)
    store.close()


@pytest.mark.parametrize("step", [1, 3, 1000])
def test_aws_chunked_bodies_with_trailers(tmp_path: Path, step: int):
    blob = Blob("b", tmp_path / "b")
    reader = BodyReader(
        blob,
        {
            "content-encoding": "aws-chunked",
            "x-amz-trailer": "x-amz-checksum-crc32",
        },
    )
    wire = (
        b"5;chunk-signature=abc\r\nhello\r\n6\r\n world\r\n0\r\n"
        b"x-amz-checksum-crc32:DUoRhQ==\r\n\r\n"
    )
    for at in range(0, len(wire), step):
        reader.feed(wire[at : at + step])
    assert reader.finish() == {"x-amz-checksum-crc32": "DUoRhQ=="}
    assert (tmp_path / "b").read_bytes() == b"hello world"


def test_a_cut_aws_chunked_body_is_refused(tmp_path: Path):
    reader = BodyReader(Blob("b", tmp_path / "b"), {"content-encoding": "aws-chunked"})
    reader.feed(b"5\r\nhel")
    with pytest.raises(Exception, match="terminated"):
        reader.finish()


@pytest.mark.parametrize("wire", [b"-5\r\nhello", b"5_0\r\n", b";x\r\n", b"\xff\r\n", b"1" * 9000])
def test_a_malformed_aws_chunked_body_is_refused(tmp_path: Path, wire: bytes):
    blob = Blob("b", tmp_path / "b")
    with pytest.raises(AwsError, match="malformed"):
        BodyReader(blob, {"content-encoding": "aws-chunked"}).feed(wire)
    blob.close()
