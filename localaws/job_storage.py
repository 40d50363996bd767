"""What a training job moves to and from S3: channels and code in, model and outputs out.

Talks plain S3 to the embedded AWS; bodies stream between S3 and files. The server may read what a
confined script may not, so links that a script left are never followed.
"""

import contextlib
import os
import shutil
import stat
import tarfile
import tempfile
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

from boto3.s3.transfer import TransferConfig
from botocore.exceptions import ClientError

_ONE_THREAD = TransferConfig(use_threads=False)
_MAX_CODE_BYTES = 500 * 1024 * 1024


class StorageError(Exception):
    """The job cannot get its input: what FailureReason says."""


@dataclass(frozen=True)
class Location:
    """An s3:// address."""

    bucket: str
    key: str

    @classmethod
    def of(cls, uri: str) -> "Location":
        parsed = urlparse(uri)
        if parsed.scheme != "s3" or not parsed.netloc:
            raise StorageError(f"ClientError: {uri} is not an s3:// address")
        return cls(parsed.netloc, parsed.path.lstrip("/"))

    def below(self, name: str) -> "Location":
        return Location(self.bucket, f"{self.key.rstrip('/')}/{name}".lstrip("/"))

    @property
    def uri(self) -> str:
        return f"s3://{self.bucket}/{self.key}"


def download_prefix(s3: Any, uri: str, into: Path, cancelled: threading.Event) -> int:
    """All objects under a prefix, by their path below it; returns how many."""
    place = Location.of(uri)
    into.mkdir(parents=True, exist_ok=True)
    count = 0
    for key in _keys(s3, place):
        if cancelled.is_set():
            break
        target = _inside(into, key, place.key)
        target.parent.mkdir(parents=True, exist_ok=True)
        s3.download_file(place.bucket, key, str(target), Config=_ONE_THREAD)
        count += 1
    return count


def download_channel(s3: Any, uri: str, into: Path, cancelled: threading.Event) -> None:
    """A channel without objects fails the job, as on AWS."""
    if download_prefix(s3, uri, into, cancelled) or cancelled.is_set():
        return
    raise StorageError(
        f'ClientError: Data download failed: No S3 objects found under S3 URL "{uri}" given in'
        " input data source. Please ensure that the bucket exists and that objects exist under"
        " that S3 prefix."
    )


def download_code(s3: Any, uri: str, into: Path, scratch: Path) -> None:
    """Unpacks a source archive; links out of the folder, devices and absolute paths are refused."""
    place = Location.of(uri)
    archive = scratch / "sourcedir.tar.gz"
    try:
        s3.download_file(place.bucket, place.key, str(archive), Config=_ONE_THREAD)
        with tarfile.open(archive, "r:*") as tar:
            if sum(member.size for member in tar.getmembers()) > _MAX_CODE_BYTES:
                raise StorageError(
                    f"ClientError: {uri} unpacks to more than {_MAX_CODE_BYTES} bytes"
                )
            tar.extractall(into, filter="data")
    except ClientError as error:
        raise StorageError(f"ClientError: the code {uri} could not be read: {error}") from error
    except (tarfile.TarError, EOFError, OSError) as error:
        raise StorageError(f"ClientError: {uri} is not a source archive: {error}") from error
    finally:
        archive.unlink(missing_ok=True)


def left_text(path: Path, max_chars: int) -> str:
    """The beginning of a file that a script left; "" where there is none. `path` has no links."""
    if path.resolve() != path or not path.is_file():
        return ""
    with path.open(errors="replace") as file:
        return file.read(max_chars).strip()


def upload_folder(s3: Any, folder: Path, to: Location, scratch: Path) -> bool:
    """Packs a folder that a script left as tar.gz and uploads it; False when there is nothing in it.

    `folder` has no links; `scratch` is out of the script's reach.
    """
    if folder.resolve() != folder or not folder.is_dir() or not any(folder.iterdir()):
        return False
    packed = scratch / Path(to.key).name
    with tarfile.open(packed, "w:gz", compresslevel=1) as tar:
        for path in sorted(folder.iterdir()):
            tar.add(path, arcname=path.name)
    s3.upload_file(str(packed), to.bucket, to.key, Config=_ONE_THREAD)
    packed.unlink()
    return True


@dataclass
class CheckpointSync:
    """Keeps S3 equal to the local checkpoint folder, file by file, as these change.

    `folder` has no links.
    """

    s3: Any
    to: Location
    folder: Path
    _seen: dict[str, tuple[int, int]] = field(default_factory=dict)

    def restore(self, cancelled: threading.Event) -> None:
        download_prefix(self.s3, self.to.below("").uri, self.folder, cancelled)
        self._seen = self._now()

    def push(self) -> None:
        """Uploads what changed; a file that is gone meanwhile waits for the next push."""
        now = self._now()
        for name in [n for n, state in now.items() if self._seen.get(n) != state]:
            try:
                self._upload(name)
            except FileNotFoundError:
                del now[name]
        for name in self._seen.keys() - now.keys():
            place = self.to.below(name)
            self.s3.delete_object(Bucket=place.bucket, Key=place.key)
        self._seen = now

    def _upload(self, name: str) -> None:
        """A copy: the script may write or replace the file meanwhile, and S3 is told its size before."""
        place = self.to.below(name)
        with (self.folder / name).open("rb") as file, tempfile.TemporaryFile() as copy:
            shutil.copyfileobj(file, copy)
            copy.seek(0)
            self.s3.upload_fileobj(copy, place.bucket, place.key, Config=_ONE_THREAD)

    def _now(self) -> dict[str, tuple[int, int]]:
        """Time and size by name; a script may remove files and folders meanwhile."""
        found: dict[str, tuple[int, int]] = {}
        if self.folder.resolve() != self.folder:
            return found
        for folder, _, names in os.walk(self.folder):
            for path in (Path(folder, name) for name in names):
                with contextlib.suppress(FileNotFoundError):
                    state = path.lstat()
                    if stat.S_ISREG(state.st_mode):
                        name = path.relative_to(self.folder).as_posix()
                        found[name] = (state.st_mtime_ns, state.st_size)
        return found


def _keys(s3: Any, place: Location) -> list[str]:
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=place.bucket, Prefix=place.key)
    try:
        found = [item["Key"] for page in pages for item in page.get("Contents", [])]
    except ClientError as error:
        raise StorageError(f"ClientError: {place.uri} could not be listed: {error}") from error
    return [key for key in found if not key.endswith("/")]


def _inside(folder: Path, key: str, prefix: str) -> Path:
    """An object equal to the prefix keeps its own name; the rest keep their path below it."""
    below = key[prefix.rfind("/") + 1 :] if not prefix.endswith("/") else key[len(prefix) :]
    if prefix and key.startswith(f"{prefix.rstrip('/')}/"):
        below = key[len(prefix.rstrip("/")) + 1 :]
    target = (folder / below).resolve()
    if not target.is_relative_to(folder.resolve()) or target == folder.resolve():
        raise StorageError(
            f"ClientError: the object key {key} does not name a file below {prefix}"
        )
    return target
