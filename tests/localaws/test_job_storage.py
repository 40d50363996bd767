"""Keys to files and back; archives that try to escape."""

import io
import os
import shutil
import tarfile
import threading
from pathlib import Path
from typing import Any

import pytest

from localaws.job_storage import (
    CheckpointSync,
    Location,
    StorageError,
    download_code,
    download_prefix,
    left_text,
    upload_folder,
)
from tests.patience import PATIENCE_SECONDS


class Bucket:
    """Stands for an S3 client with one bucket in memory."""

    def __init__(self, **objects: bytes):
        self.objects = objects

    def get_paginator(self, _: str) -> "Bucket":
        return self

    def paginate(self, Bucket: str, Prefix: str) -> list[dict[str, Any]]:
        return [{"Contents": [{"Key": k} for k in sorted(self.objects) if k.startswith(Prefix)]}]

    def download_file(self, bucket: str, key: str, path: str, Config: Any) -> None:
        Path(path).write_bytes(self.objects[key])

    def upload_file(self, path: str, bucket: str, key: str, Config: Any) -> None:
        self.objects[key] = Path(path).read_bytes()

    def upload_fileobj(self, file: Any, bucket: str, key: str, Config: Any) -> None:
        self.objects[key] = file.read()

    def delete_object(self, Bucket: str, Key: str) -> None:
        del self.objects[Key]


def bucket(**objects: bytes) -> Bucket:
    return Bucket(**objects)


def files(folder: Path) -> dict[str, bytes]:
    found = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("s3://b/data/set/", {"train.tsv", "sub/dev.tsv"}),
        ("s3://b/data/set", {"train.tsv", "sub/dev.tsv", "settings.json"}),
        ("s3://b/data/set/train.tsv", {"train.tsv"}),
        ("s3://b/none/", set()),
    ],
)
def test_objects_keep_their_path_below_the_prefix(tmp_path: Path, uri: str, expected: set[str]):
    keys = ("data/set/train.tsv", "data/set/sub/dev.tsv", "data/settings.json", "data/set/")
    s3 = bucket(**dict.fromkeys(keys, b"x"))
    count = download_prefix(s3, uri, tmp_path / "in", threading.Event())
    assert set(files(tmp_path / "in")) == expected
    assert count == len(expected)


def test_a_key_that_climbs_out_is_refused(tmp_path: Path):
    s3 = bucket(**{"data/../../evil": b"x"})
    with pytest.raises(StorageError, match="does not name a file"):
        download_prefix(s3, "s3://b/data/", tmp_path / "in", threading.Event())
    assert not (tmp_path / "evil").exists()


def archive(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as tar:
        info = tarfile.TarInfo(name)
        info.type, info.linkname = kind, link
        tar.addfile(info, io.BytesIO())
    return content.getvalue()


@pytest.mark.parametrize(
    "content",
    [archive("../evil.py"), archive("link", tarfile.SYMTYPE, "/etc/passwd"), b"not an archive"],
    ids=["path outside", "link", "no archive"],
)
def test_a_bad_source_archive_is_refused(tmp_path: Path, content: bytes):
    (tmp_path / "code").mkdir()
    s3 = bucket(**{"code.tar.gz": content})
    with pytest.raises(StorageError, match="not a source archive"):
        download_code(s3, "s3://b/code.tar.gz", tmp_path / "code", tmp_path)
    assert files(tmp_path) == {}


def test_a_folder_is_packed_flat_and_an_empty_one_is_not(tmp_path: Path):
    folder = tmp_path / "model"
    folder.mkdir()
    s3, to = bucket(), Location.of("s3://b/final/model.tar.gz")
    assert not upload_folder(s3, folder, to, tmp_path)
    (folder / "a.txt").write_text("a")
    assert upload_folder(s3, folder, to, tmp_path)
    with tarfile.open(fileobj=io.BytesIO(s3.objects["final/model.tar.gz"])) as tar:
        assert tar.getnames() == ["a.txt"]


def test_checkpoints_follow_both_ways(tmp_path: Path):
    s3 = bucket(**{"check/old": b"1"})
    sync = CheckpointSync(s3, Location.of("s3://b/check"), tmp_path)
    sync.restore(threading.Event())
    assert files(tmp_path) == {"old": b"1"}
    (tmp_path / "new").write_bytes(b"22")
    (tmp_path / "old").unlink()
    sync.push()
    assert s3.objects == {"check/new": b"22"}


def test_links_are_not_followed(tmp_path: Path):
    """What reads them is the server, which no one confines."""
    outside, inside = tmp_path / "outside", tmp_path / "inside"
    outside.mkdir()
    inside.mkdir()
    (outside / "secret").write_text("mine")
    (inside / "file").symlink_to(outside / "secret")
    (inside / "folder").symlink_to(outside)
    (tmp_path / "whole").symlink_to(outside)
    s3 = bucket()
    for folder in (inside, tmp_path / "whole"):
        CheckpointSync(s3, Location.of("s3://b/check"), folder).push()
    to = Location.of("s3://b/final/model.tar.gz")
    assert not upload_folder(s3, tmp_path / "whole", to, tmp_path)
    assert s3.objects == {}
    assert left_text(inside / "file", 100) == left_text(tmp_path / "whole" / "secret", 100) == ""
    assert left_text(outside / "secret", 3) == "min"


def test_a_file_that_is_no_file_is_not_waited_for(tmp_path: Path):
    os.mkfifo(tmp_path / "failure")
    assert left_text(tmp_path / "failure", 100) == ""


def test_checkpoints_that_are_removed_meanwhile_are_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    for name in ("checkpoint-1", "checkpoint-2"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "weights").write_text(name)
    look = Path.lstat

    def removing(path: Path) -> os.stat_result:
        shutil.rmtree(tmp_path / "checkpoint-1", ignore_errors=True)
        return look(path)

    s3 = bucket()
    sync = CheckpointSync(s3, Location.of("s3://b/check"), tmp_path)
    monkeypatch.setattr(Path, "lstat", removing)
    sync.push()
    assert s3.objects == {"check/checkpoint-2/weights": b"checkpoint-2"}


@pytest.mark.parametrize("uri", ["http://x/y", "b/k", "s3://"])
def test_what_is_no_address_is_refused(uri: str):
    with pytest.raises(StorageError, match="not an s3:// address"):
        Location.of(uri)


@pytest.mark.parametrize("after", [b"short", b"long " * 9])
def test_a_checkpoint_that_is_replaced_while_it_is_uploaded_is_stored_whole(
    local: Any, connect: Any, tmp_path: Path, after: bytes
):
    """S3 would wait for the rest of a body that is shorter than was said."""
    s3 = connect(local.server.endpoint, "s3", read_timeout=PATIENCE_SECONDS)
    s3.create_bucket(Bucket="replaced")

    def replace(**_: Any) -> None:
        (tmp_path / "partial").write_bytes(after)
        (tmp_path / "partial").replace(tmp_path / "time.json")

    (tmp_path / "time.json").write_bytes(b"as it was seen")
    s3.meta.events.register("before-parameter-build.s3.PutObject", replace)
    sync = CheckpointSync(s3, Location.of("s3://replaced/check"), tmp_path)
    sync.push()
    key = {"Bucket": "replaced", "Key": "check/time.json"}
    assert s3.get_object(**key)["Body"].read() == b"as it was seen"
    sync.push()
    assert s3.get_object(**key)["Body"].read() == after
    s3.delete_object(**key)
    s3.delete_bucket(Bucket="replaced")
    s3.close()


def test_a_checkpoint_that_vanishes_before_it_is_read_fails_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "model.partial").write_bytes(b"half")
    s3 = bucket()
    sync = CheckpointSync(s3, Location("b", "k"), tmp_path)
    upload = sync._upload

    def vanish(name: str) -> None:
        (tmp_path / name).unlink()
        upload(name)

    monkeypatch.setattr(sync, "_upload", vanish)
    sync.push()
    assert s3.objects == {}
