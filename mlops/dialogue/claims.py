"""An answer's words in, the amounts, scores, times and counts that nothing said before contains out.

Rounding is allowed (0.9117 is 91.17 %, 91.2 % and 91 %); years, list numbers and names are no claims.
"""

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NamedTuple, cast

from mlops.reading.lexicon import LEXICON
from mlops.reading.quantities import Reading
from mlops.reading.quantities import read as read_quantities
from mlops.reading.words import Token, fold

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
_KINDS = (
    (_MONEY, (_ONE,)),
    (_CENTS, (_ONE, _HUNDRED)),
    (_PERCENT, (_ONE, _HUNDRED)),
    (_SCORE, (_ONE, _HUNDRED, _CENT)),
    (_MEMORY, tuple(Decimal(base) ** n for base in (1000, 1024) for n in range(-4, 3))),
)
_SECONDS_OF_UNITS = tuple(Decimal(n) for n in (1, 60, 3600, 86_400))
_LONGEST = 18  # digits of a number that is looked at
# "an hour", "a dollar", "the 1990s".
_SAYING = re.compile(r"(?:an?|eine?[nrms]?)\s|(?:19|20)\d0s$", re.IGNORECASE)
_LETTERS = re.compile(r"[^\W\d_]+")
_MARKS = " \t\n.,;:!?()*_\"'"
_MAY_CLAIM = re.compile(r"[\d$€¢%]")


@dataclass(frozen=True)
class Known:
    """What was said before: its numbers, the sums of a field over the rows of a result, both in
    order, and how many elements the longest list has: whatever is counted may be some of them."""

    numbers: tuple[Decimal, ...]
    totals: tuple[Decimal, ...] = ()
    longest: int = 0

    def has(self, low: Decimal, high: Decimal, with_totals: bool = False) -> bool:
        """Whether a number lies between the two, both included."""
        found = _has_between(self.numbers, low, high)
        return found or (with_totals and _has_between(self.totals, low, high))


class _Claim(NamedTuple):
    at: int
    shown: str


def known(sources: Iterable[Any]) -> Known:
    """Of texts and of JSON values."""
    numbers: set[Decimal] = set()
    totals: set[Decimal] = set()
    longest = 0
    left = list(sources)
    while left:
        value = left.pop()
        if isinstance(value, dict | list):
            rows = _elements(cast("dict[str, Any] | list[Any]", value))
            longest = max(longest, len(rows) if isinstance(value, list) else 0)
            totals.update(_totals(rows))
            left += [*(value if isinstance(value, dict) else ()), *rows]
        else:
            numbers.update(_values_in(str(value)))
    return Known(tuple(sorted(numbers)), tuple(sorted(totals)), longest)


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
    for pattern, scales in _KINDS:
        for match in pattern.finditer(text):
            if not any(_is_known(value, scales, said) for value in _claimed(match)):
                shown = match["score"] if pattern is _SCORE else match[0]
                yield _Claim(match.start(), shown.strip())


def _claimed(match: re.Match[str]) -> list[Decimal]:
    """The values that a claim can mean."""
    groups = match.groupdict()
    thousand = groups.pop("thousand", None)
    values = _readings(next(raw for raw in groups.values() if raw))
    return [value * 1000 for value in values] if thousand else values


def _is_known(claim: Decimal, scales: Iterable[Decimal], said: Known) -> bool:
    """Up to rounding; what something costs is rounded up to cents elsewhere."""
    unit = Decimal(1).scaleb(int(claim.as_tuple().exponent))
    reach = unit / 2 if unit > _CENT else min(unit, _CENT)
    return any(said.has((claim - reach) / scale, (claim + reach) / scale) for scale in scales)


def _counts(text: str, said: Known) -> Iterator[_Claim]:
    """12,000 may stand for 12,345: zeros at the end may be rounded ones."""
    for match in _COUNT.finditer(text):
        values = _readings(match["count"])
        listed = any(value <= max(said.longest, 1) for value in values)
        if not listed and not any(
            said.has(value - reach, value + reach, with_totals=True)
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
    """In any unit, up to half of the claim's smallest one."""
    entries = (LEXICON.get(fold(word)) for word in reversed(_LETTERS.findall(shown)))
    unit = next((entry.number for entry in entries if entry and entry.tag == "U"), _ONE)
    low, high = seconds - unit / 2, seconds + unit / 2
    return any(said.has(low / scale, high / scale, True) for scale in _SECONDS_OF_UNITS)


def _is_known_amount(reading: Reading, number: int, said: Known) -> bool:
    """ "four dollars twenty" is one amount."""
    token, after = reading.tokens[number], reading.tokens[number + 1 : number + 2]
    amount = token.number
    if token.tag == "Y":
        return _is_known(_plain(amount * 100), (_ONE, _HUNDRED), said)
    if after and after[0].tag == "N" and not re.match(r"\d", after[0].key):
        amount += after[0].number / 100
    return _is_known(amount, (_ONE,), said)


def _plain(value: Decimal) -> Decimal:
    """Without zeros behind the point: how exact a claim is follows from its last digit."""
    return value.to_integral_value() if value == value.to_integral_value() else value.normalize()


def _elements(value: dict[str, Any] | list[Any]) -> list[Any]:
    return list(value.values()) if isinstance(value, dict) else value


def _totals(rows: Iterable[Any]) -> Iterator[Decimal]:
    """Each whole-numbered field summed over the rows that have it."""
    sums: dict[str, int] = {}
    for row in rows:
        for field, value in cast("dict[str, Any]", row if isinstance(row, dict) else {}).items():
            if isinstance(value, int):
                sums[field] = sums.get(field, 0) + value
    return map(Decimal, sums.values())


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
