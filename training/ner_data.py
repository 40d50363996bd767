"""The `training` channel (train.tsv, validation.tsv, test.tsv, manifest.json) read into a Corpus.

Every refusal is an InputError whose message names file and line, for the job's failure reason.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SPLITS = ("train", "validation", "test")


class InputError(Exception):
    """What was asked or uploaded cannot be trained on; the message says what to mend."""


@dataclass(frozen=True)
class Sentence:
    tokens: tuple[str, ...]
    labels: tuple[str, ...]


@dataclass(frozen=True)
class Corpus:
    name: str
    synthetic: bool
    license: str
    fingerprint: str
    """SHA-256 over the three split files, in hex."""
    splits: dict[str, tuple[Sentence, ...]]

    def types(self, split: str) -> set[str]:
        """Entity types that occur in one split."""
        return {label[2:] for s in self.splits[split] for label in s.labels if label != "O"}


def read_corpus(folder: Path) -> Corpus:
    """Read and check the whole channel; an unusable train split is refused here."""
    manifest = _read_manifest(folder / "manifest.json")
    contents = {split: _read_bytes(folder / f"{split}.tsv") for split in SPLITS}
    splits = {
        split: tuple(_sentences(f"{split}.tsv", content)) for split, content in contents.items()
    }
    for split, sentences in splits.items():
        if not sentences:
            raise InputError(f"{split}.tsv:1: no sentences. Prepare the dataset again.")
    corpus = Corpus(
        name=manifest["name"],
        synthetic=manifest["synthetic"],
        license=str(manifest.get("license") or "not stated"),
        fingerprint=hashlib.sha256(b"\0".join(contents.values())).hexdigest(),
        splits=splits,
    )
    if not corpus.types("train"):
        raise InputError(
            "train.tsv:1: every label is O, so there is nothing to learn. Add labels."
        )
    return corpus


def _read_manifest(path: Path) -> dict[str, Any]:
    try:
        manifest = json.loads(_read_bytes(path))
    except ValueError as error:
        raise InputError(f"{path.name}:1: not valid JSON. Prepare the dataset again.") from error
    if not isinstance(manifest, dict) or not isinstance(manifest.get("name"), str):
        raise InputError(f"{path.name}:1: `name` is missing. Prepare the dataset again.")
    if not isinstance(manifest.get("synthetic"), bool):
        raise InputError(f"{path.name}:1: `synthetic` must be true or false.")
    return manifest


def _read_bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise InputError(
            f"{path.name}: the file is missing from the `training` channel. "
            "Prepare the dataset and give the job its prepared folder."
        ) from error


def _sentences(file: str, content: bytes) -> Iterator[Sentence]:
    tokens: list[str] = []
    labels: list[str] = []
    # Only "\n" ends a line: str.splitlines would also break tokens that hold U+2028 or U+0085.
    for number, raw in enumerate(content.removeprefix(b"\xef\xbb\xbf").split(b"\n"), start=1):
        row = _row(file, number, raw.rstrip(b"\r"))
        if row is None:
            if tokens:
                yield Sentence(tuple(tokens), tuple(labels))
                tokens, labels = [], []
            continue
        tokens.append(row[0])
        labels.append(row[1])
    if tokens:
        yield Sentence(tuple(tokens), tuple(labels))


def _row(file: str, number: int, raw: bytes) -> tuple[str, str] | None:
    if not raw.strip():
        return None
    try:
        columns = raw.decode("utf-8").split("\t")
    except UnicodeDecodeError as error:
        raise InputError(f"{file}:{number}: not UTF-8. Save the file as UTF-8.") from error
    if len(columns) != 2:
        raise InputError(f"{file}:{number}: expected token<TAB>label, got {len(columns)} columns.")
    token, label = columns
    if not token:
        raise InputError(f"{file}:{number}: a label without a token.")
    if label != "O" and (label[:2] not in ("B-", "I-") or len(label) == 2):
        raise InputError(f"{file}:{number}: a label must be O, B-TYPE or I-TYPE.")
    return token, label
