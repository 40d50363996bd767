"""Tagged tokens in, the same with amounts folded into one token each.

M money (USD), E money in another currency, Z a duration (seconds), Y a percentage (fraction),
N a plain number. A range is one token: `low` to `number`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from mlops.reading.words import Token, tokenize

_MULTIPLIERS = ("hundred", "hundert", "thousand", "tausend", "million")
_FOLDED = "MEZYN"
_ENDS = ("", ",", ".")
_NOUN_LIMITS = ("limit", "cap", "ceiling", "obergrenze", "within")


@dataclass(frozen=True)
class Reading:
    """A text, its folded tokens, and their tags as one string: `tags[i]` is `tokens[i].tag`."""

    text: str
    tokens: tuple[Token, ...]
    tags: str

    def words(self, first: int, last: int) -> str:
        return self.text[self.tokens[first].start : self.tokens[last].end]


def read(text: str) -> Reading:
    """One sweep for each layer: number words, amounts with their unit, ranges, negations."""
    tokens = _sweep(_sweep(_sweep(tokenize(text), _number_at), _amount_at), _range_at)
    _negate_comparators(tokens)
    return Reading(text, tuple(tokens), "".join(token.tag for token in tokens))


Reader = Callable[[list[Token], int], tuple[Token, int] | None]


def _sweep(tokens: list[Token], read: Reader) -> list[Token]:
    folded: list[Token] = []
    position = 0
    while position < len(tokens):
        found = read(tokens, position)
        token, position = found if found else (tokens[position], position + 1)
        folded.append(token)
    return folded


def _number_at(tokens: list[Token], i: int) -> tuple[Token, int] | None:
    """ "forty five", "a hundred", "two hundred and fifty", "2½", "one and a half" as one number."""
    first = tokens[i]
    if first.tag == "a" and _key(tokens, i + 1) in _MULTIPLIERS:
        first, i = first._replace(number=Decimal(1)), i + 1
    elif fraction := _fraction_at(tokens, i):
        return fraction
    elif first.tag == "N":
        i += 1
    else:
        return None
    total, end = first.number, first.end
    while i < len(tokens) and (step := _number_step(tokens, i, total)):
        total, i = step
        end = tokens[i - 1].end
    return _fold(first, "N", end, total), i


def _fraction_at(tokens: list[Token], i: int) -> tuple[Token, int] | None:
    """ "3/4" of an hour; "$1/2h" is a price."""
    parts = tokens[i : i + 3]
    if "".join(t.tag for t in parts) != "N/N" or _tag(tokens, i - 1) == "$":
        return None
    top, sign, bottom = parts
    glued = top.end == sign.start and sign.end == bottom.start
    if not glued or not 0 < top.number < bottom.number:
        return None
    return _fold(top, "N", bottom.end, top.number / bottom.number), i + 3


def _number_step(tokens: list[Token], i: int, total: Decimal) -> tuple[Decimal, int] | None:
    tags = "".join(token.tag for token in tokens[i : i + 4])
    token = tokens[i]
    if token.key in _MULTIPLIERS:
        return total * token.number, i + 1
    if tags.startswith("N") and _adds(total, token):
        return total + token.number, i + 1
    if tags.startswith("&N") and total % 100 == 0 and _adds(total, tokens[i + 1]):
        return total + tokens[i + 1].number, i + 2
    if tags.startswith("&aHU"):
        return total + Decimal("0.5"), i + 3
    return None


def _adds(total: Decimal, token: Token) -> bool:
    if not token.key[0].isdigit() and total % 100 == 0 and total:
        return token.number < 100
    tens = total >= 20 and total % 10 == 0 and 1 <= token.number < 10
    return not token.key[0].isdecimal() and (tens or token.number in _FRACTIONS)


_FRACTIONS = (Decimal("0.5"), Decimal("0.25"), Decimal("0.75"))


def _amount_at(tokens: list[Token], i: int) -> tuple[Token, int] | None:
    start = i
    sign = -1 if tokens[i].tag == "n" else 1
    i += tokens[i].tag == "n"
    found = _money_at(tokens, i) or _foreign_at(tokens, i) or _percent_at(tokens, i)
    found = found or _duration_at(tokens, i)
    if found is None and sign == -1 and _tag(tokens, i) == "N":
        found = tokens[i], i + 1
    if found is None:
        return None
    token, after = found
    number = sign * token.number
    return token._replace(start=tokens[start].start, number=number, low=number), after


def _money_at(tokens: list[Token], i: int) -> tuple[Token, int] | None:
    """ "$10", "$-10", "10 dollars", "5 dollars and 50 cents", "50 ¢", "a dollar", "half a dollar"."""
    first = tokens[i] if i < len(tokens) else None
    if first is None:
        return None
    if first.tag == "$":
        sign = _tag(tokens, i + 1) == "n"
        number = i + 1 + sign
        if _tag(tokens, number) != "N" or _is_glued_unit(tokens, number + 1):
            return None
        amount = tokens[number].number * (-1 if sign else 1)
        return _fold(first, "M", tokens[number].end, amount), number + 1
    if first.tag == "N" and _is_thousands(tokens, i):
        return first._replace(tag="M"), i + 1
    count, unit = _count_at(tokens, i)
    if _key(tokens, unit) == "grand" and count:
        unit += _tag(tokens, unit + 1) == "s"
        return _fold(first, "M", tokens[unit].end, count * 1000), unit + 1
    if _tag(tokens, unit) == "c":
        return _fold(first, "M", tokens[unit].end, count / 100), unit + 1
    if _tag(tokens, unit) not in ("s", "$") or not count or _is_prefix(tokens, unit):
        return None
    if (said := _spoken_cents(tokens, unit)) is not None:
        return _fold(first, "M", tokens[unit + 1].end, count + said / 100), unit + 2
    cents = unit + 1 + (_tag(tokens, unit + 1) == "&")
    if _tag(tokens, cents) == "N" and _tag(tokens, cents + 1) == "c":
        total = count + tokens[cents].number / 100
        return _fold(first, "M", tokens[cents + 1].end, total), cents + 2
    return _fold(first, "M", tokens[unit].end, count), unit + 1


def _spoken_cents(tokens: list[Token], unit: int) -> Decimal | None:
    """The fifty of "zwei Dollar fünfzig"; not of "two dollars fifty epochs"."""
    after = tokens[unit + 1] if unit + 1 < len(tokens) else None
    is_word = after is not None and after.tag == "N" and after.key.isalpha()
    if after is None or not is_word or not tokens[unit].key.isalpha():
        return None
    ends = _tag(tokens, unit + 2) in ("", ",", ".", "&", "i", "p", "w")
    return after.number if ends and 0 < after.number < 100 else None


def _is_thousands(tokens: list[Token], i: int) -> bool:
    """The "5k" of "for 5k"; "5k sentences" are none."""
    led = i > 0 and tokens[i - 1].key in ("for", "fuer")
    is_short = tokens[i].key.casefold().endswith("k") and tokens[i].key[:1].isdecimal()
    return led and is_short and _tag(tokens, i + 1) in ("", ",", ".", "&", "i", "p", "w", "<", ">")


def _count_at(tokens: list[Token], i: int) -> tuple[Decimal, int]:
    """How many, and where the unit would stand: "10", "10-", "a", "half a"."""
    tag = _tag(tokens, i)
    if tag == "N":
        return tokens[i].number, i + 1 + (_tag(tokens, i + 1) == "-")
    if tag == "H":
        return Decimal("0.5"), i + 1 + (_tag(tokens, i + 1) in ("-", "a"))
    if tag == "a":
        half = _tag(tokens, i + 1) == "H"
        return Decimal("0.5") if half else Decimal(1), i + 1 + half
    return Decimal(0), len(tokens)


def _is_prefix(tokens: list[Token], unit: int) -> bool:
    """Whether a currency sign belongs to the number after it: "85 $5"."""
    after = tokens[unit + 1] if unit + 1 < len(tokens) else None
    return tokens[unit].tag == "$" and bool(after and after.tag == "N")


def _is_glued_unit(tokens: list[Token], i: int) -> bool:
    """ "$10m" is no amount: millions or minutes, nobody knows."""
    return _tag(tokens, i) == "U" and tokens[i].start == tokens[i - 1].end


def _foreign_at(tokens: list[Token], i: int) -> tuple[Token, int] | None:
    if _tag(tokens, i) == "€" and _tag(tokens, i + 1) == "N":
        return _fold(tokens[i], "E", tokens[i + 1].end, tokens[i + 1].number), i + 2
    count, unit = _count_at(tokens, i)
    if not count or _tag(tokens, unit) not in ("e", "€"):
        return None
    return _fold(tokens[i], "E", tokens[unit].end, count), unit + 1


def _percent_at(tokens: list[Token], i: int) -> tuple[Token, int] | None:
    count, unit = _count_at(tokens, i)
    if _tag(tokens, i) != "N" or _tag(tokens, unit) != "%":
        return None
    return _fold(tokens[i], "Y", tokens[unit].end, count / 100), unit + 1


def _duration_at(tokens: list[Token], i: int) -> tuple[Token, int] | None:
    """ "90 min", "1h30", "1:30 h", "2 hours, 15 minutes", "half an hour", "an hour and a half"."""
    count, unit = _count_at(tokens, i)
    tags = "".join(token.tag for token in tokens[i : i + 4])
    if tags == "N=NU" and tokens[i + 1].key == ":" and tokens[i].end == tokens[i + 1].start:
        count, unit = count + tokens[i + 2].number / 60, i + 3
    if _tag(tokens, unit) != "U":
        return None
    first, seconds = tokens[i], tokens[unit].number
    total, i = count * seconds, unit + 1
    if "".join(token.tag for token in tokens[i : i + 3]).startswith("&aH"):
        return _fold(first, "Z", tokens[i + 2].end, total + seconds / 2), i + 3
    while smaller := _smaller_part(tokens, i, seconds):
        part, seconds, i = smaller
        total += part
    return _fold(first, "Z", tokens[i - 1].end, total), i


def _smaller_part(
    tokens: list[Token], i: int, seconds: Decimal
) -> tuple[Decimal, Decimal, int] | None:
    """The "15 minutes" after "2 hours", and the bare "30" of "1h30"."""
    number = i + (_tag(tokens, i) in ("&", ","))
    if _tag(tokens, number) != "N":
        return None
    count = tokens[number].number
    unit = number + 1 + (_tag(tokens, number + 1) == "-")
    if _tag(tokens, unit) == "U" and count * tokens[unit].number < seconds:
        return count * tokens[unit].number, tokens[unit].number, unit + 1
    glued = tokens[number].start == tokens[number - 1].end
    if glued and seconds == 3600 and count < 60 and _tag(tokens, unit) != "U":
        return count * 60, Decimal(60), number + 1
    return None


def _range_at(tokens: list[Token], i: int) -> tuple[Token, int] | None:
    """ "$5-$10", "between 80 and 85%", "1 to 2 hours": a bare number takes the other's unit."""
    between = tokens[i].tag == "b"
    low, link, high = i + between, i + between + 1, i + between + 2
    high += _tag(tokens, high) == "n"
    links = ("-", "~", "&") if between else ("-", "~")
    link_is_word = _tag(tokens, link) != "-"
    first, second = _tag(tokens, low), _tag(tokens, high)
    if _tag(tokens, link) not in links or first not in _FOLDED or second not in _FOLDED:
        return None
    if not first or not second or len({first, second} - {"N"}) > 1:
        return None
    if first != "N" and second == "N" and link_is_word and _tag(tokens, high + 1) not in _ENDS:
        return None
    a, b = tokens[low], tokens[high]
    tag = first if second == "N" else second
    scale = 100 if tag == "Y" else 1
    values = [t.number / scale if t.tag == "N" else t.number for t in (a, b)]
    if tag == "Z" and "N" in (first, second):
        values = [b.number if second == "Z" else a.number]
    return Token("", tag, tokens[i].start, b.end, max(values), min(values)), high + 1


def _negate_comparators(tokens: list[Token]) -> None:
    """ "not below" means >=, "don't spend more than" means <=."""
    for i, token in enumerate(tokens):
        if token.tag != "!":
            continue
        has_verb = _tag(tokens, i + 1) in ("t", "B", "T")
        for j in range(i + 1, min(i + (10 if has_verb else 6), len(tokens))):
            other = tokens[j]
            if other.tag in "<>" and other.key not in _NOUN_LIMITS:
                flipped = (">", ">=") if other.tag == "<" else ("<", "<=")
                tokens[j] = other._replace(tag=flipped[0], name=flipped[1])
                tokens[i] = token._replace(tag="=")
            if other.tag not in ("=aobiBTFSztwp~Kx" if has_verb else "=aobiBTFSztwp~"):
                break


def _fold(first: Token, tag: str, end: int, number: Decimal) -> Token:
    return Token(first.key, tag, first.start, end, number, number)


def _tag(tokens: list[Token], i: int) -> str:
    return tokens[i].tag if 0 <= i < len(tokens) else ""


def _key(tokens: list[Token], i: int) -> str:
    return tokens[i].key if 0 <= i < len(tokens) else ""
