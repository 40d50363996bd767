"""Which rules decided: the product's version and a digest of the rules' own files, for the decision log."""

import hashlib
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable

VERSION = "0.1.0"
_DIGEST_CHARACTERS = 12


@cache
def rules_version() -> str:
    """ "0.1.0+3f2a…": the same in a checkout and in a Lambda, and another one after any change."""
    digest = hashlib.sha256()
    for name, entry in _sources(files("mlops")):
        digest.update(name.encode() + b"\0" + entry.read_bytes() + b"\0")
    return f"{VERSION}+{digest.hexdigest()[:_DIGEST_CHARACTERS]}"


def _sources(folder: Traversable, path: str = "") -> Iterator[tuple[str, Traversable]]:
    """In one order, folders too."""
    for entry in sorted(folder.iterdir(), key=lambda e: e.name):
        if entry.is_dir():
            yield from _sources(entry, f"{path}{entry.name}/")
        elif entry.name.endswith((".py", ".csv")):
            yield f"{path}{entry.name}", entry
