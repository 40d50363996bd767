"""An answer's words in, the amounts, percentages and scores that nothing said before contains out.

Rounding is allowed (0.9117 is 91.17 %, 91.2 % and 91 %); years, list numbers and names are no claims.
"""

import re
from collections.abc import Iterable
from decimal import Decimal

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
_ANY = re.compile(r"(?<![\w.])\d+(?:[.,]\d+)*(?:e-?\d+)?", re.IGNORECASE)
_CENT = Decimal("0.01")
_ONE, _HUNDRED = Decimal(1), Decimal(100)
# What a number of a source may be multiplied by to be the one that is claimed.
_KINDS = (
    (_MONEY, (_ONE,)),
    (_CENTS, (_ONE, _HUNDRED)),
    (_PERCENT, (_ONE, _HUNDRED)),
    (_SCORE, (_ONE, _HUNDRED, _CENT)),
)
_LONGEST = 18  # digits of a number that is looked at


def unconfirmed(text: str, sources: Iterable[str]) -> list[str]:
    """Claims as written, in order, that stand in none of the sources."""
    known = {value for source in sources for value in _values_in(source)}
    found: list[tuple[int, str]] = []
    for pattern, scales in _KINDS:
        for match in pattern.finditer(text):
            if not any(_is_known(value, scales, known) for value in _claimed(match)):
                shown = match["score"] if pattern is _SCORE else match[0]
                found.append((match.start(), shown.strip()))
    return list(dict.fromkeys(shown for _, shown in sorted(found)))


def _claimed(match: re.Match[str]) -> list[Decimal]:
    """The values that a claim can mean."""
    groups = match.groupdict()
    thousand = groups.pop("thousand", None)
    values = _readings(next(raw for raw in groups.values() if raw))
    return [value * 1000 for value in values] if thousand else values


def _is_known(claim: Decimal, scales: Iterable[Decimal], known: Iterable[Decimal]) -> bool:
    """Up to rounding; what something costs is rounded up to cents elsewhere."""
    unit = Decimal(1).scaleb(int(claim.as_tuple().exponent))
    reach = unit / 2 if unit > _CENT else min(unit, _CENT)
    return any(abs(value * scale - claim) <= reach for value in known for scale in scales)


def _values_in(source: str) -> Iterable[Decimal]:
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
