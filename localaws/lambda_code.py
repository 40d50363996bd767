"""Unpacked function code under home/lambda: zips in, import paths out.

Modules at a zip's root lie in a folder of their own; its packages lie in a folder that functions
with the same packages share, so that these are unpacked and compiled once. The third part of an
import path is the runtime: boto3 and what it needs, as on AWS, and nothing else of ours.
"""

import hashlib
import importlib.util
import io
import shutil
import threading
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from localaws.errors import AwsError

_RUNTIME = ("boto3", "botocore", "s3transfer", "jmespath", "dateutil", "six", "urllib3")
_MAX_UNPACKED_BYTES = 250 * 1024 * 1024


@dataclass(frozen=True)
class Code:
    """One uploaded zip: digests that name its two folders."""

    sha256: str
    packages: str
    size_bytes: int


class CodeFolder:
    """home/lambda: code/<sha256>, packages/<digest>, runtime, and tmp for what functions write."""

    def __init__(self, folder: Path):
        self._code = folder / "code"
        self._packages = folder / "packages"
        self._runtime = folder / "runtime"
        self.scratch = folder / "tmp"
        shutil.rmtree(self.scratch, ignore_errors=True)
        for path in (self._code, self._packages, self.scratch):
            path.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        _link_runtime(self._runtime)

    def add(self, content: bytes) -> Code:
        """Raises InvalidParameterValueException for what is not a zip, or unpacks too large."""
        try:
            with self._lock, zipfile.ZipFile(io.BytesIO(content)) as archive:
                return self._unpack(archive, content)
        except (zipfile.BadZipFile, EOFError, NotImplementedError) as error:
            message = "Could not unzip uploaded file. Please check your file, then try again."
            raise AwsError("InvalidParameterValueException", message) from error

    def import_path(self, code: Code) -> tuple[Path, ...]:
        own, packages = self._code / code.sha256, self._packages / code.packages
        return (own, packages, self._runtime)

    def keep_only(self, codes: Iterable[Code]) -> None:
        """Removes what no function uses any more; called when no child runs."""
        kept = {name for code in codes for name in (code.sha256, code.packages)}
        for path in (*self._code.iterdir(), *self._packages.iterdir()):
            if path.name not in kept:
                shutil.rmtree(path, ignore_errors=True)

    def _unpack(self, archive: zipfile.ZipFile, content: bytes) -> Code:
        entries = [entry for entry in archive.infolist() if not entry.is_dir()]
        if sum(entry.file_size for entry in entries) > _MAX_UNPACKED_BYTES:
            message = f"Unzipped size must be smaller than {_MAX_UNPACKED_BYTES} bytes"
            raise AwsError("InvalidParameterValueException", message)
        own = [entry for entry in entries if "/" not in entry.filename]
        packaged = [entry for entry in entries if "/" in entry.filename]
        code = Code(hashlib.sha256(content).hexdigest(), _digest(packaged), len(content))
        _extract(archive, own, self._code / code.sha256)
        _extract(archive, packaged, self._packages / code.packages)
        return code


def _digest(entries: list[zipfile.ZipInfo]) -> str:
    """From the directory alone (name, size, CRC): nothing is decompressed to recognise it."""
    lines = sorted(f"{e.filename} {e.file_size} {e.CRC}" for e in entries)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _extract(archive: zipfile.ZipFile, entries: list[zipfile.ZipInfo], into: Path) -> None:
    if into.exists():
        return
    partial = into.with_name(f"{into.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    archive.extractall(partial, entries)
    partial.rename(into)


def _link_runtime(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name in _RUNTIME:
        spec = importlib.util.find_spec(name)
        if spec is None or spec.origin is None:
            continue
        origin = Path(spec.origin)
        source = origin.parent if origin.name == "__init__.py" else origin
        (folder / source.name).symlink_to(source)
