"""An answer's words in, the amounts, scores, times and counts that nothing said before contains out.

Rounding is allowed (0.9117 is 91.17 %, 91.2 % and 91 %); years, list numbers and names are no claims.
A figure whose field names its unit ("billed_seconds") confirms that unit only; any other, and a number
in a text, confirms whatever has its value.
"""

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any, NamedTuple, cast

from mlops.reading.lexicon import LEXICON
from mlops.reading.quantities import Reading
from mlops.reading.quantities import read as read_quantities
from mlops.reading.words import Token, fold


class Unit(StrEnum):
    """What a number is; times are in seconds."""

    ANY = ""
    MONEY = "money"
    SCORE = "score"
    TIME = "time"


_NUMBER = r"\d+(?:[.,]\d+)*"
_MONEY = re.compile(
    rf"(?:US)?[$€]\s?(?P<before>{_NUMBER})(?P<thousand>k\b)?"
    rf"|(?<![\w.,-])(?P<after>{_NUMBER})\s?(?:[$€]|(?:US[ -]?)?dollars?\b|USD\b|bucks\b|euros?\b)",
    re.IGNORECASE,
)
_CENTS = re.compile(rf"(?<![\w.,-])(?P<cents>{_NUMBER})\s?(?:¢|cents?\b)", re.IGNORECASE)
_PERCENT = re.compile(
    rf"(?<![\w.,-])(?P<percent>{_NUMBER})\s?(?:%|percent(?:age points)?\b|per cent\b|Prozent\b)",
    re.IGNORECASE,
)
_SCORE = re.compile(
    r"\b(?:f1|precision|recall|accuracy|score|genauigkeit|präzision)\b[^.,;\n\d$%]{0,24}?"
    rf"(?<![\w.,-])(?P<score>{_NUMBER})(?![\w%]|\s?(?:%|percent|prozent|seconds|min|hour))",
    re.IGNORECASE,
)
_COUNT = re.compile(
    rf"(?<![\w.,-])(?P<count>{_NUMBER})[\s-](?:training[\s-])?(?:sentences?|sätzen?|documents?"
    r"|dokumenten?|examples?|beispielen?|rows?|zeilen?|questions?|fragen?|epochs?|epochen?|gpus?"
    r"|jobs?|runs?|läufen?|datasets?|datensätzen?|instan(?:ces?|zen?))\b",
    re.IGNORECASE,
)
_MEMORY = re.compile(rf"(?<![\w.,-])(?P<memory>{_NUMBER})\s?[kmgt]i?b\b", re.IGNORECASE)
_ANY = re.compile(r"(?<![\w.])\d+(?:[.,]\d+)*(?:e-?\d+)?", re.IGNORECASE)
_CENT = Decimal("0.01")
_ONE, _HUNDRED = Decimal(1), Decimal(100)
# What a number of a source may be multiplied by to be the one that is claimed.
_BYTES = tuple(Decimal(base) ** n for base in (1000, 1024) for n in range(-4, 3))
_KINDS = (
    (_MONEY, Unit.MONEY, (_ONE,)),
    (_CENTS, Unit.MONEY, (_ONE, _HUNDRED)),
    (_PERCENT, Unit.SCORE, (_ONE, _HUNDRED)),
    (_SCORE, Unit.SCORE, (_ONE, _HUNDRED, _CENT)),
    (_MEMORY, Unit.ANY, _BYTES),
)
# What names of fields say, and what their figures are multiplied by.
_FIELDS = (
    (re.compile(r"usd"), Unit.MONEY, 1),
    (re.compile(r"seconds$"), Unit.TIME, 1),
    (re.compile(r"minutes$"), Unit.TIME, 60),
    (re.compile(r"hours$"), Unit.TIME, 3600),
    (re.compile(r"(?:^|_)(?:f1|precision|recall|accuracy)(?:_|$)"), Unit.SCORE, 1),
)
_FIGURE = re.compile(r"-?\d+(?:\.\d+)?(?:e-?\d+)?")
_SECONDS_OF_UNITS = tuple(Decimal(n) for n in (1, 60, 3600, 86_400))
_LONGEST = 18  # digits of a number that is looked at
# "an hour", "a dollar", "the 1990s".
_SAYING = re.compile(r"(?:an?|eine?[nrms]?)\s|(?:19|20)\d0s$", re.IGNORECASE)
_LETTERS = re.compile(r"[^\W\d_]+")
_MARKS = " \t\n.,;:!?()*_\"'"
_MAY_CLAIM = re.compile(r"[\d$€¢%]")


@dataclass(frozen=True)
class Known:
    """What was said before: its numbers by unit, the sums of a field over the rows of a result, both
    in order, and how many elements the longest list has: whatever is counted may be some of them."""

    numbers: Mapping[Unit, Sequence[Decimal]]
    totals: Mapping[Unit, Sequence[Decimal]]
    longest: int

    def has(self, low: Decimal, high: Decimal, unit: Unit, with_totals: bool = False) -> bool:
        """Whether a number of the unit, or of any, lies between the two, both included."""
        return any(
            _has_between(found.get(of, ()), low, high)
            for found in (self.numbers, *((self.totals,) if with_totals else ()))
            for of in {unit, Unit.ANY}
        )


class _Claim(NamedTuple):
    at: int
    shown: str


def known(sources: Iterable[Any]) -> Known:
    """Of texts and of JSON values."""
    numbers: dict[Unit, set[Decimal]] = {unit: set() for unit in Unit}
    totals: dict[Unit, set[Decimal]] = {unit: set() for unit in Unit}
    longest = 0
    left: list[tuple[str, Any]] = [("", source) for source in sources]
    while left:
        field, value = left.pop()
        if isinstance(value, dict | list):
            parts = _parts(field, cast("dict[str, Any] | list[Any]", value))
            longest = max(longest, len(parts) if isinstance(value, list) else 0)
            for name, total in _totals(part for _, part in parts).items():
                unit, scale = _unit_of(name)
                totals[unit].add(Decimal(total) * scale)
            left += parts
        else:
            text = str(value)
            unit, scale = _unit_of(field) if _FIGURE.fullmatch(text) else (Unit.ANY, 1)
            numbers[unit].update(found * scale for found in _values_in(text))
    return Known(_in_order(numbers), _in_order(totals), longest)


def may_claim(word: str) -> bool:
    """Whether a word could be part of a claim: it has a digit or sign of one, or is a number."""
    if _MAY_CLAIM.search(word):
        return True
    entry = LEXICON.get(fold(word.strip(_MARKS)).partition("-")[0])
    return entry is not None and entry.tag in "NH"


def unconfirmed(text: str, said: Known) -> list[str]:
    """Claims as written, in order, that nothing known contains."""
    found = [*_figures(text, said), *_counts(text, said), *_words(text, said)]
    return list(dict.fromkeys(claim.shown for claim in sorted(found)))


def _figures(text: str, said: Known) -> Iterator[_Claim]:
    for pattern, unit, scales in _KINDS:
        for match in pattern.finditer(text):
            if not any(_is_known(value, unit, scales, said) for value in _claimed(match)):
                shown = match["score"] if pattern is _SCORE else match[0]
                yield _Claim(match.start(), shown.strip())


def _claimed(match: re.Match[str]) -> list[Decimal]:
    """The values that a claim can mean."""
    groups = match.groupdict()
    thousand = groups.pop("thousand", None)
    values = _readings(next(raw for raw in groups.values() if raw))
    return [value * 1000 for value in values] if thousand else values


def _is_known(claim: Decimal, unit: Unit, scales: Iterable[Decimal], said: Known) -> bool:
    """Up to rounding; what something costs is rounded up to cents elsewhere."""
    digit = Decimal(1).scaleb(int(claim.as_tuple().exponent))
    reach = digit / 2 if digit > _CENT else min(digit, _CENT)
    low, high = claim - reach, claim + reach
    return any(said.has(low / scale, high / scale, unit) for scale in scales)


def _counts(text: str, said: Known) -> Iterator[_Claim]:
    """12,000 may stand for 12,345: zeros at the end may be rounded ones."""
    for match in _COUNT.finditer(text):
        values = _readings(match["count"])
        listed = any(value <= max(said.longest, 1) for value in values)
        if not listed and not any(
            said.has(value - reach, value + reach, Unit.ANY, with_totals=True)
            for value in values
            for reach in [Decimal(10 ** _zeros(value)) / 2]
        ):
            yield _Claim(match.start(), match[0])


def _zeros(value: Decimal) -> int:
    """At the end of a whole number, as long as two digits stand before them."""
    digits = f"{value:f}"
    return min(len(digits) - len(digits.rstrip("0")), max(len(digits) - 2, 0))


def _words(text: str, said: Known) -> Iterator[_Claim]:
    """Times, and amounts and percentages in words: as a person's request is read, in both languages."""
    reading = read_quantities(text)
    for number, token in enumerate(reading.tokens):
        shown = text[token.start : token.end]
        if token.tag not in "MEYZ" or _is_part_of_a_name(text, token) or _SAYING.match(shown):
            continue
        if token.tag == "Z":
            wrong = not all(_is_known_time(n, shown, said) for n in {token.low, token.number})
        else:
            wrong = not re.search(r"\d", shown) and not _is_known_amount(reading, number, said)
        if wrong:
            yield _Claim(token.start, shown)


def _is_part_of_a_name(text: str, token: Token) -> bool:
    """ "llmops-cier-12-s1": joined to letters or a dash on either side."""
    return bool(re.search(r"[\w.-]$", text[: token.start][-1:])) or bool(
        re.match(r"[\w-]", text[token.end : token.end + 1])
    )


def _is_known_time(seconds: Decimal, shown: str, said: Known) -> bool:
    """Up to half of the claim's smallest unit; a number that names no unit may be in any of time."""
    entries = (LEXICON.get(fold(word)) for word in reversed(_LETTERS.findall(shown)))
    unit = next((entry.number for entry in entries if entry and entry.tag == "U"), _ONE)
    low, high = seconds - unit / 2, seconds + unit / 2
    return said.has(low, high, Unit.TIME, True) or any(
        said.has(low / scale, high / scale, Unit.ANY, True) for scale in _SECONDS_OF_UNITS
    )


def _is_known_amount(reading: Reading, number: int, said: Known) -> bool:
    """ "four dollars twenty" is one amount."""
    token, after = reading.tokens[number], reading.tokens[number + 1 : number + 2]
    amount = token.number
    if token.tag == "Y":
        return _is_known(_plain(amount * 100), Unit.SCORE, (_ONE, _HUNDRED), said)
    if after and after[0].tag == "N" and not re.match(r"\d", after[0].key):
        amount += after[0].number / 100
    return _is_known(amount, Unit.MONEY, (_ONE,), said)


def _plain(value: Decimal) -> Decimal:
    """Without zeros behind the point: how exact a claim is follows from its last digit."""
    return value.to_integral_value() if value == value.to_integral_value() else value.normalize()


def _parts(field: str, value: dict[str, Any] | list[Any]) -> list[tuple[str, Any]]:
    """Each with the name of its field; names are parts too, elements of a list have the list's."""
    if isinstance(value, list):
        return [(field, part) for part in value]
    return [*(("", name) for name in value), *value.items()]


def _unit_of(field: str) -> tuple[Unit, int]:
    found = ((unit, scale) for name, unit, scale in _FIELDS if name.search(field))
    return next(found, (Unit.ANY, 1))


def _in_order(found: Mapping[Unit, set[Decimal]]) -> Mapping[Unit, Sequence[Decimal]]:
    return {unit: sorted(numbers) for unit, numbers in found.items()}


def _totals(rows: Iterable[Any]) -> dict[str, int]:
    """Each whole-numbered field summed over the rows that have it."""
    sums: dict[str, int] = {}
    for row in rows:
        for field, value in cast("dict[str, Any]", row if isinstance(row, dict) else {}).items():
            if isinstance(value, int):
                sums[field] = sums.get(field, 0) + value
    return sums


def _has_between(numbers: Sequence[Decimal], low: Decimal, high: Decimal) -> bool:
    first = bisect_left(numbers, low)
    return first < len(numbers) and numbers[first] <= high


def _values_in(source: str) -> Iterator[Decimal]:
    for match in _ANY.finditer(source):
        yield from _readings(match[0])


def _readings(raw: str) -> list[Decimal]:
    """ "1,500.50" and "0,44" are one number each; "1.000" and "1,000" may be two."""
    if len(raw) > _LONGEST:
        return []
    if "e" in raw.lower():
        value = Decimal(raw.replace(",", "."))
        # A part of an id, such as 7e1234567, is no number; computing with it would overflow.
        return [value] if abs(value.adjusted()) < _LONGEST else []
    marks = [c for c in raw if c in ".,"]
    if not marks:
        return [Decimal(raw)]
    last = marks[-1]
    other = "," if last == "." else "."
    plain = raw.replace(other, "")
    grouped = Decimal(re.sub("[.,]", "", raw))
    if plain.count(last) > 1:
        return [grouped]
    decimal = Decimal(plain.replace(last, "."))
    may_group = len(raw.rpartition(last)[2]) == 3 and not raw.startswith("0")
    return [decimal, grouped] if may_group else [decimal]
