"""Builds what is deployed, from paths alone: Lambda zips and the training archive.

The same sources give the same bytes: entries are sorted and carry a fixed date.
"""

import gzip
import hashlib
import importlib.util
import io
import tarfile
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

VENDORED = (
    "annotated_types",
    "pydantic",
    "pydantic_core",
    "typing_extensions",
    "typing_inspection",
)
RUNNING = ("infra", "lambdas", "localaws", "mlops", "training")
"""What the embedded AWS is made of: another digest of these means another server."""
_EPOCH = (1980, 1, 1, 0, 0, 0)
_FILE_MODE = 0o644
_SKIPPED_SUFFIXES = {".pyc", ".pyi", ".pyo"}


def lambda_zips(
    root: Path, handler_modules: Iterable[str], vendor: Path | None = None
) -> dict[str, bytes]:
    """A zip for each function: `<module>.py` at the root, `mlops/`, and pydantic; what they share
    is compressed once.

    `vendor` is a folder of unpacked packages (manylinux wheels, for AWS); without it they are
    taken from the running environment. The handler string is `<module>.lambda_handler`.
    """
    shared = _zip(sorted([*_sources(root / "mlops"), *_vendored(vendor)]))
    return {
        module: _zip([(f"{module}.py", root / "lambdas" / f"{module}.py")], onto=shared)
        for module in handler_modules
    }


def training_archive(root: Path) -> bytes:
    """The flat `sourcedir.tar.gz` of script mode: training/*.py and requirements.txt."""
    folder = root / "training"
    files = [path for path in folder.glob("*.py") if path.name != "__init__.py"]
    files += [path for path in [folder / "requirements.txt"] if path.exists()]
    packed = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", fileobj=packed, mtime=0) as zipped:
        with tarfile.open(fileobj=zipped, mode="w", format=tarfile.USTAR_FORMAT) as tar:
            for path in sorted(files):
                _add(tar, path)
    return packed.getvalue()


def source_digest(root: Path) -> str:
    """SHA-256 over names and contents of everything that the embedded AWS runs."""
    digest = hashlib.sha256()
    for folder in RUNNING:
        for name, path in sorted(_sources(root / folder)):
            content = path.read_bytes()
            digest.update(f"{name} {len(content)}\n".encode())
            digest.update(content)
    return digest.hexdigest()


def _vendored(vendor: Path | None) -> Iterator[tuple[str, Path]]:
    for name in VENDORED:
        yield from _sources(vendor / name if vendor else _installed(name))


def _installed(name: str) -> Path:
    """The folder or the single file of an importable module."""
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"{name} is not installed, so it cannot be packed")
    origin = Path(spec.origin)
    return origin.parent if origin.name == "__init__.py" else origin


def _sources(path: Path) -> Iterator[tuple[str, Path]]:
    """(name inside the archive, file) for a package folder or a module file."""
    if not path.is_dir():
        module = path if path.exists() else path.with_suffix(".py")
        yield module.name, module
        return
    for file in path.rglob("*"):
        inside = file.relative_to(path)
        if file.is_file() and _is_shipped(inside):
            yield f"{path.name}/{inside.as_posix()}", file


def _is_shipped(inside: Path) -> bool:
    return inside.suffix not in _SKIPPED_SUFFIXES and not {"__pycache__", "tests"} & set(
        inside.parts
    )


def _zip(entries: Iterable[tuple[str, Path]], onto: bytes = b"") -> bytes:
    packed = io.BytesIO(onto)
    with zipfile.ZipFile(packed, "a", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, path in entries:
            info = zipfile.ZipInfo(name, _EPOCH)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = _FILE_MODE << 16
            archive.writestr(info, path.read_bytes())
    return packed.getvalue()


def _add(tar: tarfile.TarFile, path: Path) -> None:
    content = path.read_bytes()
    info = tarfile.TarInfo(path.name)
    info.size, info.mode = len(content), _FILE_MODE
    tar.addfile(info, io.BytesIO(content))
