"""A short answer and what was offered in, the one that is meant out: "B", "the second", "the cheaper one"."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict

from mlops.errors import Alternative
from mlops.money import parse_usd
from mlops.reading.words import fold


class Choice(BaseModel):
    """One way that was offered, as it was lettered; `size` are the sentences of a dataset."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    message: str
    kind: str = ""
    cost_usd: str | None = None
    minutes: int | None = None
    changes: dict[str, str | int | float | bool] = {}
    size: int | None = None


LETTERS = "ABCDEFGHIJ"

_WORD = re.compile(r"[^\W_]+(?:-[^\W_]+)*")
_FILLERS = frozenset(
    "ok okay yes please take use choose pick go for with lets let us do i ill we want would like "
    "prefer the one option way choice variant alternative number no nr nummer dataset datensatz "
    "job weg variante moeglichkeit nimm nehme ich bitte dann and then so well hm die den das der "
    "dem mit auf on train trainiere my answer is of them it be yeah ja gut gerne stop stoppe "
    "cancel und lieber wir nehmen machen mach thanks danke".split()
)
_COUNTED = frozenset("option number way choice variant alternative".split())
_ORDINALS = (
    ("1", "1st", "first", "erste", "ersten", "erster", "erstes", "one", "eins"),
    ("2", "2nd", "second", "zweite", "zweiten", "zweiter", "zweites", "two", "zwei"),
    ("3", "3rd", "third", "dritte", "dritten", "dritter", "drittes", "three", "drei"),
    ("4", "4th", "fourth", "vierte", "vierten", "vierter", "viertes", "four", "vier"),
    ("5", "5th", "fifth", "fuenfte", "fuenften", "fuenfter", "fuenftes", "five", "fuenf"),
)
_POSITION = {word: n for n, words in enumerate(_ORDINALS) for word in words}
_LAST = ("last", "letzte", "letzten", "letzter", "letztes")
# A quality, whose measure decides, and whether the least or the most of it is meant.
_QUALITIES: tuple[tuple[str, str, bool], ...] = (
    ("cheap cheaper cheapest guenstige guenstigere guenstigste guenstigsten billige billigere "
     "billigste billigsten billigeren guenstigeren", "cost", False),
    ("expensive priciest teuerste teuersten", "cost", True),
    ("fast faster fastest quick quicker quickest schnelle schnellere schnellste schnellsten",
     "minutes", False),
    ("small smaller smallest little tiny kleine kleinen kleinere kleineren kleinste kleinsten",
     "size", False),
    ("big bigger biggest large larger largest grosse grossen groessere groesste groessten",
     "size", True),
)  # fmt: skip
_QUALITY = {w: (measure, most) for words, measure, most in _QUALITIES for w in words.split()}


def pick(text: str, offers: Sequence[Choice]) -> Choice | str | None:
    """The offer that is meant; a letter that was not offered as itself; None for no such answer."""
    word = core(text)
    if word is None or not offers:
        return None
    if len(word) == 1 and word.upper() in LETTERS:
        number = LETTERS.index(word.upper())
        return offers[number] if number < len(offers) else word.upper()
    if len(word) == 1 and word.isalpha():
        return word.upper()
    if word in _LAST:
        return offers[-1]
    if word in _POSITION:
        number = _POSITION[word]
        return offers[number] if number < len(offers) else word
    return _by_quality(word, offers)


def core(text: str) -> str | None:
    """The one word that matters: "ok, take option B please" → "b"; None when several do."""
    if len(text) > 80:
        return None
    words = [fold(word) for word in _WORD.findall(text)]
    left = [word for word in words if word not in _FILLERS]
    if not left and "one" in words and (len(words) == 1 or _COUNTED & set(words)):
        return "one"
    return left[0] if len(left) == 1 else None


def is_size(word: str | None) -> bool:
    """ "small", "größte"."""
    return word in _QUALITY and _QUALITY[word][0] == "size"


def choice_of(alternative: Mapping[str, Any]) -> Choice:
    """From an error's data."""
    way = Alternative.model_validate(alternative)
    return Choice(
        message=way.message,
        kind=way.kind,
        cost_usd=way.cost_usd,
        minutes=way.minutes,
        changes=way.changes,
    )


def lettered(messages: Sequence[str]) -> list[str]:
    """ "A. Raise the budget", as far as there are letters."""
    return [f"{letter}. {text}" for letter, text in zip(LETTERS, messages, strict=False)]


def _by_quality(word: str, offers: Sequence[Choice]) -> Choice | None:
    """None as well when two offers are the same in it: then nothing was named."""
    if word not in _QUALITY:
        return None
    measure, most = _QUALITY[word]
    measured = [(value, o) for o in offers if (value := _measure(o, measure)) is not None]
    if measure == "size" and len(measured) < len(offers):
        named = [o for o in offers if ("small" in o.message) is not most]
        return named[0] if len(named) == 1 else None
    if not measured:
        return None
    best = (max if most else min)(value for value, _ in measured)
    found = [offer for value, offer in measured if value == best]
    return found[0] if len(found) == 1 else None


def _measure(offer: Choice, measure: str) -> int | None:
    if measure == "cost":
        return parse_usd(offer.cost_usd) if offer.cost_usd is not None else None
    return offer.minutes if measure == "minutes" else offer.size
