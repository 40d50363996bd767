"""Text in, tagged tokens out: numbers in digits, currency signs, names, small typos.

Each token carries a one-letter tag, so that a grammar can look at a sentence as a string of tags.
"""

import re
import unicodedata
from decimal import Decimal
from typing import NamedTuple

from mlops.reading.dates import DATE, said_date
from mlops.reading.lexicon import LEXICON, NOT_TYPOS, TYPOS, Entry, shortened
from mlops.reading.zones import SHIFT, UNCLEAR, ZONE, Zone, named, offset


class Token(NamedTuple):
    """A piece of the text at `start:end`; `key` is its folded, typo-corrected word.

    Tags beyond those of the lexicon: I instance type, J GPU family or chip, R region, - dash,
    n minus, m date, u time zone, x unknown. `low` differs from `number` in a range only.
    """

    key: str
    tag: str
    start: int
    end: int
    number: Decimal = Decimal(0)
    low: Decimal = Decimal(0)
    name: str = ""
    is_typo: bool = False


_PHRASE_STARTS = frozenset(key.split()[0] for key in LEXICON if " " in key)
_LONGEST_PHRASE = max(len(key.split()) for key in LEXICON)
_UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "'": None, "’": None})
_LETTERS = re.compile(r"[^\W\d_]+")
_GERMAN_TEXT = re.compile(
    r"\b(?:und|auf|dem|nicht|h(?:ö|oe)chstens|mindestens|stunden?|minuten|datensatz|trainier\w*"
    r"|prozent|eine[nmr]?|f(?:ü|ue)r|(?:ü|ue)ber|zeit)\b",
    re.IGNORECASE,
)
_WORD = r"[^\W\d_](?:[\w\u0300-\u036f]|[-./](?=\w)|['’](?=(?!s\b)[^\W\d_]))*"
# "1'500" and a narrow space group by themselves, a plain space only beside a currency: "$5 100 epochs".
_SPACED = (
    r"(?<![\d:.,])[1-9]\d{0,2}(?:[\u00a0\u2009\u202f'’]\d{3})+(?:[.,]\d+)?(?!\d)"
    r"|(?<![\d:.,])[1-9]\d{0,2}(?: \d{3})+(?:[.,]\d{1,2})?(?=\s?(?:usd|us\s?\$|\$|dollars?|dollarn|bucks)(?![\w\d]))"
    r"|(?:(?<=\$)|(?<=\$ )|(?<=usd)|(?<=usd ))[1-9]\d{0,2}(?: \d{3})+(?:[.,]\d{1,2})?(?!\d)"
    r"(?=\s*(?:$|[,.;:!?)]|(?:and|und|or|oder|in|within|at|with|mit|for|für|fuer|on|auf|total|max)\b))"
)
_PIECE = re.compile(
    r"(?P<I>(?:ml\.)?(?:[gpcmrt]\d+[a-z]{0,3}|trn\d+n?|inf\d+)(?:-[a-z]+\d+)?"
    r"(?:\.(?:\d*x?large|medium|metal)|[\s-]\d*xlarge)(?![^\W_]))"
    r"|(?P<R>(?:us|eu|ap|sa|ca|me|af|il|mx)-(?:gov-)?"
    r"(?:north|south|east|west|central){1,2}-\d(?!\w))"
    r"|(?P<money>us\s?\$|usd(?=\d)|['’]s\b)"
    r"|(?P<half_day>[ap]\.\s?m(?:\.|(?![^\W_])))"
    rf"|(?P<number>{_SPACED}|\d+(?:[.,]\d+)*|\.\d+)"
    rf"|(?P<word>{_WORD})"
    r"|(?P<symbol>[<>=]=|=[<>]|\S)",
    re.IGNORECASE,
)
_FAMILY = re.compile(r"(?:ml\.)?(?:g[4-9]\w{0,2}|p[2-9]\w{0,2}|trn\dn?|inf\d)|[avhlt]\d{1,3}[gs]?")
_MODEL_PART = re.compile(
    r"(?:distil|al|de|bio|sci|clinical|biomed|pubmed|g|geo|camem|med|fin|legal|mobile|tiny|m|xlm|"
    r"ro(?=berta))?bert[ai]?|distilroberta|electra|xlnet|gpt2?|distilgpt2|m?t5|llama\d*|mistral|"
    r"qwen\d*|gemma\d*|m?bart|pegasus|minilm|longformer|crf|bilstm"
)
_MODEL = re.compile(
    rf"(?:[\w.-]+/)?(?:(?:xlm|flan|multilingual|german|tiny|mini|clinical|all)-)?"
    rf"(?:{_MODEL_PART.pattern})(?:-[\w.-]+)?"
)
_GERMAN_DATASET = re.compile(r"-(?:datens(?:a|ä|ae)tz\w*|korpus|daten|corpus)$", re.IGNORECASE)
_DATE_STARTS = frozenset(
    "the jan jaen jae feb mar mae mrz apr may mai jun jul aug sep oct okt nov dec dez".split()
)
_CLOCK_ENDS = frozenset("am pm uhr oclock noon midday midnight mitternacht mittags mittag".split())
_DAYS = frozenset(
    "today tomorrow tonight heute morgen uebermorgen evening morning afternoon abend monday tuesday "
    "wednesday thursday friday saturday sunday montag dienstag mittwoch donnerstag freitag samstag "
    "sonntag".split()
)
_ABBREVIATIONS = frozenset("max min mind ca approx std sek bzw".split())


def tokenize(text: str) -> list[Token]:
    """Tags every piece of the text; words that the lexicon lacks become `x`. Linear in length."""
    german = bool(_GERMAN_TEXT.search(text))
    tokens: list[Token] = []
    position = 0
    while match := _PIECE.search(text, position):
        position = match.end()
        kind = match.lastgroup
        if dated := _date_at(text, match):
            tokens.append(dated)
            position = dated.end
        elif kind == "number":
            position = _add_number(tokens, text, match, german)
        elif kind == "word":
            _add_word(tokens, text, *match.span())
        elif kind == "symbol":
            _add_symbol(tokens, text, *match.span())
        elif kind == "money":
            _add(tokens, "$" if match[0][0] in "uU" else "is", *match.span())
        elif kind == "half_day":
            _add(tokens, f"{match[0][0].lower()}m", *match.span())
        else:
            tokens.append(Token(match[0].lower(), str(kind), *match.span()))
        if zone := _zone_at(text, tokens):
            tokens.append(zone)
            position = zone.end
    return _merge_phrases(tokens)


def fold(word: str) -> str:
    """Case, umlauts and apostrophes away: "Höchstens" → "hoechstens", "don’t" → "dont"."""
    return unicodedata.normalize("NFC", word).casefold().translate(_UMLAUTS)


def _date_at(text: str, piece: re.Match[str]) -> Token | None:
    """A date as one token; its name is the expression, "" for a day that cannot be told."""
    if not (piece["number"] or fold(piece[0])[:3] in _DATE_STARTS):
        return None
    match = DATE.match(text, piece.start())
    if match is None:
        return None
    return Token("date", "m", *match.span(), name=said_date(match))


def _zone_at(text: str, tokens: list[Token]) -> Token | None:
    """The zone that follows a time of day, or a day or an hour when it is plainly one."""
    last = tokens[-1] if tokens else None
    if last is None or not (last.tag in "mN" or last.key in _CLOCK_ENDS or last.key in _DAYS):
        return None
    of_clock = last.key in _CLOCK_ENDS or (last.tag == "m" and "T" in last.name)
    of_clock = of_clock or "".join(t.key for t in tokens[-2:-1]) == ":"
    if of_clock and (shift := SHIFT.match(text, last.end)):
        is_sure = shift["shift"].startswith("+")
        zone = Zone(offset(shift["shift"]) if is_sure else UNCLEAR, *shift.span("shift"))
    elif match := ZONE.match(text, last.end):
        zone = named(match)
        words = fold(match["unknown"] or match["letters"] or "").split()
        if any(word in LEXICON for word in words[: 1 if match["letters"] else -1]):
            return None
        weak = words or (last.tag == "N" and (match["at"] or match["coast"]))
        if not of_clock and (weak or len(match["said"]) < 3):
            return None
        if match["letters"] and not any(c.islower() for c in text[:200]):
            return None
    else:
        return None
    return Token("zone", "u", zone.start, zone.end, name=zone.name)


def _add_number(tokens: list[Token], text: str, match: re.Match[str], german: bool) -> int:
    """Adds "10", "10k" or a name that begins with a digit ("20newsgroups"); returns its end."""
    start, end = match.span()
    number = _read_number(match[0], german)
    glued = _LETTERS.match(text, end + (text[end : end + 1] == "-"))
    if glued and glued[0] in "zZ" and tokens and tokens[-1].key == ":":
        glued = None  # "18:00Z"
    tail = fold(glued[0]) if glued else ""
    if tail == "k" and number is not None and glued:
        number, end = number * 1000, glued.end()
    elif glued and tail not in LEXICON and tail not in TYPOS:
        name = re.compile(r"[\w-]+").match(text, start)
        end = name.end() if name else end
        number = None
    if number is None:
        tokens.append(Token(fold(text[start:end]), "x", start, end))
        return end
    tokens.append(Token(text[start:end], "N", start, end, number, number))
    if glued and end < glued.end():
        _add(tokens, tail, *glued.span())
        end = glued.end()
    return end


def _read_number(raw: str, german: bool) -> Decimal | None:
    """ "1,500.50", "1.500,50", "1'500", "0,85"; None for what is no number ("1.2.3") or absurdly long."""
    if len(raw) > 18:
        return None
    raw = re.sub(r"[\s'’]", "", raw)
    marks = [c for c in raw if c in ".,"]
    last = marks[-1] if marks else "."
    decimals = raw.rpartition(last)[2] if marks else ""
    if len(set(marks)) == 1 and not raw.startswith(("0", ".")):
        groups = len(decimals) == 3 and (len(marks) > 1 or (last == ".") == german)
        last = {".": ",", ",": "."}[last] if groups else last
    if marks.count(last) > 1:
        return None
    other = "," if last == "." else "."
    return Decimal(raw.replace(other, "").replace(last, "."))


def _add_word(tokens: list[Token], text: str, start: int, end: int) -> None:
    raw = text[start:end]
    key = fold(raw)
    after_noun = bool(tokens) and tokens[-1].tag in "p=D"
    compound = _GERMAN_DATASET.search(raw)
    parts = list(re.finditer(r"[^-./]+", raw))
    if key in LEXICON or len(parts) == 1:
        _add(tokens, key, start, end)
    elif _MODEL.fullmatch(key):
        model = re.sub(r"-model+$", "", key)
        tokens.append(Token(model, "L", start, start + len(raw), name=model))
    elif all(_is_known(part[0]) for part in parts) and not (after_noun and key.endswith("data")):
        for part in parts:
            if part.start() and raw[part.start() - 1] == "/":
                _add(tokens, "/", start + part.start() - 1, start + part.start())
            _add_part(tokens, part, start)
    elif compound:
        middle = start + compound.start()
        tokens.append(Token(fold(text[start:middle]), "x", start, middle))
        _add(tokens, "datensatz", middle + 1, end)
    else:
        tokens.append(Token(key, "x", start, end))


def _is_known(part: str) -> bool:
    key = fold(part)
    return key in LEXICON or key.isdecimal() or _correct(key) != key


def _add_part(tokens: list[Token], part: re.Match[str], offset: int) -> None:
    start, end = part.start() + offset, part.end() + offset
    number = _read_number(part[0], False) if part[0].isdecimal() else None
    if number is None:
        _add(tokens, fold(part[0]), start, end)
    else:
        tokens.append(Token(part[0], "N", start, end, number, number))


def _correct(key: str) -> str:
    """The keyword that is one slip away from an unknown word of five letters or more."""
    if not 5 <= len(key) <= 24 or not key.isalpha() or key in LEXICON or key in NOT_TYPOS:
        return key
    return next((TYPOS[near] for near in sorted(shortened(key)) if near in TYPOS), key)


def _add(tokens: list[Token], word: str, start: int, end: int) -> None:
    key = _correct(word)
    tag, name, number = LEXICON.get(key, Entry("x"))
    before = tokens[-1] if tokens else Token("", "", 0, 0)
    if tag == "x" and _MODEL_PART.fullmatch(key):
        tag, name = "L", key
    elif tag == "x" and _FAMILY.fullmatch(key):
        tag = "J"
    elif key == "min" and before.tag != "N":
        tag, name = ">", ">="
    elif tag in "Uc" and len(key) == 1 and key.isalpha() and before.tag != "N":
        tag = "w" if key == "w" else "z"
    elif tag in "$€" and before.tag == "N" and before.end >= start - 1:
        tag = {"$": "s", "€": "e"}[tag]
    elif key == "minus":
        tag = "n"
    tokens.append(Token(key, tag, start, end, number, number, name, key != word))


def _add_symbol(tokens: list[Token], text: str, start: int, end: int) -> None:
    symbol, after = text[start:end], text[end : end + 1]
    before = text[start - 1 : start] if start else " "
    if symbol in "\"'`*“”„‘’«»_\u200b\ufeff":
        return
    if symbol == "." and tokens and tokens[-1].end == start and tokens[-1].key in _ABBREVIATIONS:
        return
    if symbol in "-−–—‐‑":
        is_sign = symbol in "-−" and (before.isspace() or before in "$€:=(<>")
        tag = "n" if is_sign and (after.isdecimal() or after in "$€£.") and after else "-"
        tokens.append(Token("-", tag, start, end))
    elif symbol in LEXICON:
        _add(tokens, symbol, start, end)
        if symbol in "$€£¥₹" and after.isdecimal():
            tokens[-1] = tokens[-1]._replace(tag="$" if symbol == "$" else "€")
    else:
        tokens.append(Token(symbol, ",", start, end))


def _merge_phrases(tokens: list[Token]) -> list[Token]:
    merged: list[Token] = []
    position = 0
    while position < len(tokens):
        token, length = _phrase_at(tokens, position)
        merged.append(token)
        position += length
    return merged


def _phrase_at(tokens: list[Token], position: int) -> tuple[Token, int]:
    first = tokens[position]
    if first.key not in _PHRASE_STARTS:
        return first, 1
    for length in range(_LONGEST_PHRASE, 1, -1):
        words = tokens[position : position + length]
        key = " ".join(token.key for token in words)
        if len(words) == length and key in LEXICON:
            tag, name, number = LEXICON[key]
            return Token(key, tag, first.start, words[-1].end, number, number, name), length
    return first, 1
