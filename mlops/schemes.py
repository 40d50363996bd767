"""Entity label schemes: BIO, IOB1, BIOES and BILOU labels in, BIO labels out."""

import re
from collections.abc import Iterable, Sequence
from enum import StrEnum
from functools import lru_cache

_LABEL = re.compile(r"([BIESLU])-(\S{1,100})")
_INSIDE = frozenset("IEL")
_CLOSING = frozenset("ESLU")


class Scheme(StrEnum):
    BIO = "BIO"
    IOB1 = "IOB1"
    BIOES = "BIOES"
    BILOU = "BILOU"


def simple_label(label: str) -> str | None:
    """The label without a second one joined by a comma; None when its form is unknown."""
    first = label.partition(",")[0].strip()
    if first == "O" or (_LABEL.fullmatch(first) and first.isprintable()):
        return first
    return None


def detect(sentences: Iterable[Sequence[str]]) -> Scheme:
    """The scheme of a whole file's labels.

    IOB1 writes `B-` only between two touching entities of one type. So a single `B-` elsewhere
    makes the file BIO, and entities that start with `I-` are then faults of that file.
    """
    inside_starts = begin_starts = 0
    prefixes: set[str] = set()
    for labels in sentences:
        before = "O"
        for label in labels:
            if label != "O":
                prefixes.add(label[0])
                if before[2:] != label[2:]:
                    begin_starts += label[0] == "B"
                    inside_starts += label[0] == "I"
            before = label
    if prefixes & {"E", "S"}:
        return Scheme.BIOES
    if prefixes & {"L", "U"}:
        return Scheme.BILOU
    return Scheme.IOB1 if inside_starts and not begin_starts else Scheme.BIO


def to_bio(labels: Sequence[str]) -> tuple[list[str], list[int]]:
    """BIO labels, and the positions where an inside label had to become `B-`.

    In IOB1 such positions are the rule; in the other schemes they are faults, repaired.
    """
    bio: list[str] = []
    repaired: list[int] = []
    open_type = ""
    for position, label in enumerate(labels):
        if label == "O":
            bio.append(label)
            open_type = ""
            continue
        prefix, entity_type = _parts(label)
        continues = prefix in _INSIDE and entity_type == open_type
        if prefix in _INSIDE and not continues:
            repaired.append(position)
        bio.append(f"{'I' if continues else 'B'}-{entity_type}")
        open_type = "" if prefix in _CLOSING else entity_type
    return bio, repaired


@lru_cache(maxsize=1024)
def _parts(label: str) -> tuple[str, str]:
    return label[0], label[2:]
