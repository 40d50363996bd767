"""Which file is which split, and how missing splits are carved out of the training sentences."""

import re
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from pathlib import PurePosixPath

from pydantic import BaseModel, ConfigDict

from mlops.sentences import Sentence

SPLITS = ("train", "validation", "test")
CARVED_SHARE = 0.10

_WORDS = {
    "train": "train(?:ing|set)?",
    "validation": "dev(?:el|elopment|set)?|val(?:id|idation)?|testa",
    "test": "test(?:ing|set|b)?",
}
_SIDE_FILES = ("metadata.json", "manifest.json", "label_map.json")
_SIDE_STEMS = ("readme", "license", "licence", "copying", "citation")


class Assignment(BaseModel):
    """File names by split; `unused` files belong to none beside files that do."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    train: tuple[str, ...] = ()
    validation: tuple[str, ...] = ()
    test: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()

    def of(self, split: str) -> tuple[str, ...]:
        return {"train": self.train, "validation": self.validation, "test": self.test}[split]


def assign_splits(files: Iterable[str]) -> Assignment:
    """Splits by file name; hidden files, metadata and README are passed over.

    Files whose name says nothing are the training data when no other file is; so is a single
    file, whatever its name says.
    """
    names = sorted(name for name in files if not _is_side_file(name))
    if len(names) == 1:
        return Assignment(train=tuple(names))
    groups: dict[str | None, list[str]] = {}
    for name in names:
        groups.setdefault(_split_of(name), []).append(name)
    unnamed = groups.get(None, [])
    return Assignment(
        train=tuple(groups.get("train", unnamed)),
        validation=tuple(groups.get("validation", ())),
        test=tuple(groups.get("test", ())),
        unused=tuple(unnamed if "train" in groups else ()),
    )


def carve(given: Mapping[str, Sequence[Sentence]]) -> dict[str, tuple[Sentence, ...]]:
    """All three splits: each missing one takes 10 % of the training sentences.

    Sentences are taken in order of the hash of their tokens, so the cut does not depend on the
    order of the file, and equal sentences stay in one split.
    """
    missing = [split for split in ("test", "validation") if not given.get(split)]
    train = given.get("train", ())
    taken = _taken(train, missing) if missing else {}
    carved: dict[str, tuple[Sentence, ...]] = {}
    for split in SPLITS:
        if split in missing or (split == "train" and missing):
            carved[split] = tuple(s for s in train if taken.get(sentence_key(s), "train") == split)
        else:
            carved[split] = tuple(given.get(split, ()))
    return carved


def sentence_key(sentence: Sentence) -> bytes:
    """The same 16 bytes for the same tokens, whatever their labels."""
    return sha256("\t".join(sentence.tokens).encode()).digest()[:16]


def _is_side_file(name: str) -> bool:
    path = PurePosixPath(name)
    if any(part.startswith((".", "__")) for part in path.parts):
        return True
    return path.name.lower() in _SIDE_FILES or path.name.lower().startswith(_SIDE_STEMS)


def _split_of(name: str) -> str | None:
    """By the file's own name first, then by its folders; whole words before parts of words."""
    path = PurePosixPath(name.lower())
    for text in (path.name, str(path.parent)):
        for pattern in ("(?<![a-z])(?:{})(?![a-z])", "{}"):
            hits = {s: re.search(pattern.format(words), text) for s, words in _WORDS.items()}
            found = {split: hit.start() for split, hit in hits.items() if hit}
            if found:
                return max(found, key=lambda split: found[split])
    return None


def _taken(train: Sequence[Sentence], missing: Sequence[str]) -> dict[bytes, str]:
    """The split of each sentence key that leaves the training split."""
    counts: dict[bytes, int] = {}
    for sentence in train:
        key = sentence_key(sentence)
        counts[key] = counts.get(key, 0) + 1
    quota = max(1, round(len(train) * CARVED_SHARE))
    keys = iter(sorted(counts))
    taken: dict[bytes, str] = {}
    for split in missing:
        size = 0
        while size < quota and (key := next(keys, None)) is not None:
            taken[key] = split
            size += counts[key]
    return taken
