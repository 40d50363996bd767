"""Large bodies stream: the server of 160 MB objects stays small, and a crash leaves no stray files."""

import hashlib
import io
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from boto3.s3.transfer import TransferConfig

from localaws import home as data
from localaws import stack
from tests.localaws.conftest import new_client
from tests.patience import eventually

SIZE = 160 * 1024 * 1024
GROWTH_KIB = 64 * 1024
BUCKET = "large-bodies"

pytestmark = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc")


class Pattern(io.RawIOBase):
    """Bytes that are made as they are read."""

    def __init__(self):
        self._block = os.urandom(1 << 20)
        self._left = SIZE
        self.digest = hashlib.sha256()

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        wanted = min(size if size >= 0 else self._left, self._left)
        taken = (self._block * (wanted // len(self._block) + 1))[:wanted]
        self._left -= wanted
        self.digest.update(taken)
        return taken


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    stack.stop(tmp_path)


def peak_kib(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


def blobs(home: Path) -> int:
    return sum(1 for path in (home / "blobs").rglob("*") if path.is_file())


def test_bodies_pass_through_the_server_in_pieces(home: Path):
    endpoint = stack.ensure(home)
    s3 = new_client(endpoint.url, "s3")
    s3.create_bucket(Bucket=BUCKET)
    s3.put_object(Bucket=BUCKET, Key="warm", Body=b"x")
    before = peak_kib(endpoint.pid)
    body = Pattern()
    config = TransferConfig(multipart_chunksize=32 << 20, max_concurrency=2)
    s3.upload_fileobj(body, BUCKET, "large", Config=config)
    assert s3.head_object(Bucket=BUCKET, Key="large")["ContentLength"] == SIZE
    s3.copy_object(Bucket=BUCKET, Key="copy", CopySource=f"{BUCKET}/large")
    assert _digest(s3, "copy") == body.digest.hexdigest()
    assert peak_kib(endpoint.pid) - before < GROWTH_KIB
    s3.close()


def test_a_crash_in_the_middle_of_a_body_leaves_nothing(home: Path):
    endpoint = stack.ensure(home)
    s3 = new_client(endpoint.url, "s3")
    s3.create_bucket(Bucket=BUCKET)
    s3.put_object(Bucket=BUCKET, Key="kept", Body=b"whole")
    stray = home / "blobs/s3/00" / ("0" * 32)
    stray.parent.mkdir(parents=True, exist_ok=True)
    stray.write_bytes(b"half of a body")
    count = blobs(home)
    os.kill(endpoint.pid, signal.SIGKILL)
    eventually(lambda: data.lock_holder(home) is None)
    s3 = new_client(stack.ensure(home).url, "s3")
    assert s3.get_object(Bucket=BUCKET, Key="kept")["Body"].read() == b"whole"
    assert (stray.exists(), blobs(home)) == (False, count - 1)
    s3.close()


def _digest(s3: Any, key: str) -> str:
    digest = hashlib.sha256()
    for chunk in s3.get_object(Bucket=BUCKET, Key=key)["Body"].iter_chunks(1 << 20):
        digest.update(chunk)
    return digest.hexdigest()
