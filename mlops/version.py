"""Which rules decided: the product's version and a digest of the rules' own files, for the decision log."""

import hashlib
from functools import cache
from importlib.resources import files

VERSION = "0.1.0"
_DIGEST_CHARACTERS = 12


@cache
def rules_version() -> str:
    """ "0.1.0+3f2a…": the same in a checkout and in a Lambda, and another one after any change."""
    digest = hashlib.sha256()
    for entry in sorted(files("mlops").iterdir(), key=lambda e: e.name):
        if entry.name.endswith((".py", ".csv")):
            digest.update(entry.name.encode() + b"\0" + entry.read_bytes() + b"\0")
    return f"{VERSION}+{digest.hexdigest()[:_DIGEST_CHARACTERS]}"
