"""A reading as one line of words, so that phrases can be found in it: each token by its key, `@Z` a
duration (`@Zd` whole days), `@N` a number, `@D` a date, `@T` a date with its time, `@W` a time zone.
"""

from bisect import bisect_right
from collections.abc import Iterable
from decimal import Decimal
from typing import NamedTuple

from mlops.reading.quantities import Reading
from mlops.reading.words import Token


class Found(NamedTuple):
    """A field of `Constraints` as said in tokens `first` to `last`; from `hide` on they are no
    other clause."""

    field: str
    value: object
    first: int
    last: int
    hide: int


class Line(NamedTuple):
    """The words in one string, with the offset of each token in it."""

    text: str
    offsets: list[int]

    def tokens(self, start: int, end: int) -> tuple[int, int]:
        """The first and the last token of a part of the string."""
        return bisect_right(self.offsets, start) - 1, bisect_right(self.offsets, end - 1) - 1


def line(reading: Reading) -> Line:
    offsets: list[int] = []
    words: list[str] = []
    length = 0
    for token in reading.tokens:
        word = _word(token)
        offsets.append(length)
        words.append(word)
        length += len(word) + 1
    return Line(" ".join(words), offsets)


def without(reading: Reading, hidden: Iterable[tuple[int, int]]) -> Reading:
    """The reading with a comma in the place of each span; "spot" stays, and no date is a name."""
    gone = {i for first, last in hidden for i in range(first, last + 1)}
    gone = {i for i in gone if reading.tags[i] not in "PQ"}
    tokens = tuple(
        token._replace(key=",", tag=",")
        if i in gone
        else token._replace(tag="z" if token.tag in "mu" else token.tag)
        for i, token in enumerate(reading.tokens)
        if not (i in gone and i - 1 in gone)
    )
    return Reading(reading.text, tokens, "".join(token.tag for token in tokens))


def duration(tokens: Iterable[Token]) -> Decimal | None:
    """Seconds of the first one among them."""
    return next((token.number for token in tokens if token.tag == "Z"), None)


def _word(token: Token) -> str:
    if token.tag == "m":
        return "@T" if "T" in token.name else "@D"
    if token.tag == "u":
        return "@W"
    if token.tag == "Z" and token.number and token.number % 86400 == 0:
        return "@Zd"
    return f"@{token.tag}" if token.tag in "ZNMYE" else token.key or "-"
