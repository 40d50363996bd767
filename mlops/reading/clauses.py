"""A reading in, the three clauses with numbers out: budget, time limit, target.

A clause is one mention of an amount with its comparator and its words, or a problem in words.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal
from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from mlops.reading.contexts import QUANTITIES, Context, context, look_left
from mlops.reading.quantities import Reading


class Comparator(StrEnum):
    GT = ">"
    GE = ">="
    LT = "<"
    LE = "<="


class Problem(BaseModel):
    """What the person must mend: which clause, what is wrong and what to say instead."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    clause: str
    message: str


@dataclass(frozen=True)
class Mention:
    """Something said once, in tokens `first` to `last`; `is_stated` when a word names the clause."""

    value: Decimal | str
    first: int
    last: int
    comparator: str = ""
    is_stated: bool = False
    metric: str = ""


MAX_USD = Decimal(10**9)
MICRO_USD = Decimal("0.000001")
_PART_WORDS = frozenset(
    "save saves saving reduce reduces cut discount sparen split dropout sample holdout warmup "
    "utilization utilisation probability cheaper first last top".split()
)
_SUFFICES = frozenset(
    "enough fine ok okay good sufficient suffices reicht reichen genuegt genug".split()
)
_OTHER_DURATIONS = frozenset(
    "last past previous every each wait since letzten letzte alle jede seit vor warte".split()
)
_PAST = frozenset("was were had war hatte".split())
_CLOCK = re.compile(r"\d{1,2}(?:am|pm)|am|pm|uhr|oclock")


def budget(reading: Reading) -> Mention | Problem | None:
    """The stated sum in USD; the upper end of a range."""
    found = [
        _mention(reading, i, "B")
        for i, tag in enumerate(reading.tags)
        if (tag == "M" and not _is_rate(reading, i)) or (tag == "N" and _is_bare(reading, i, "B"))
    ]
    chosen = choose(reading, "budget_usd", found)
    if not isinstance(chosen, Mention):
        return chosen or _unreadable_budget(reading)
    amount, said = Decimal(chosen.value), reading.words(chosen.first, chosen.last)
    if chosen.comparator.startswith(">"):
        return _problem(
            "budget_usd", f"{said!r} is a lower limit; say the most it may cost, such as $10."
        )
    if amount.quantize(MICRO_USD, ROUND_FLOOR) <= 0 or amount > MAX_USD:
        return _problem("budget_usd", f"{said!r} is no usable budget; say one such as $10.")
    return chosen


def time_limit(reading: Reading) -> Mention | Problem | None:
    """The stated limit in seconds; the upper end of a range."""
    found = [
        _mention(reading, i, "T")
        for i, tag in enumerate(reading.tags)
        if tag == "Z" and not _is_other_duration(reading, i)
    ]
    chosen = choose(reading, "max_minutes", found)
    if not isinstance(chosen, Mention):
        return chosen or _unreadable_time(reading)
    said = reading.words(chosen.first, chosen.last)
    if chosen.comparator.startswith(">"):
        return _problem(
            "max_minutes", f"{said!r} is a lower limit; say the longest it may take, as 1 hour."
        )
    if Decimal(chosen.value) <= 0:
        return _problem(
            "max_minutes", f"{said!r} is no usable time limit; say one such as 1 hour."
        )
    return chosen


def target(reading: Reading) -> Mention | Problem | None:
    """The stated score as a fraction; the lower end of a range. The metric may be empty."""
    found = [_mention(reading, i, "FS") for i in range(len(reading.tags)) if _is_score(reading, i)]
    chosen = choose(reading, "target", found)
    if not isinstance(chosen, Mention):
        return chosen or _unreadable_target(reading)
    value, said = Decimal(chosen.value), reading.words(chosen.first, chosen.last)
    if chosen.comparator.startswith("<"):
        return _problem(
            "target", f"{said!r} is an upper limit; a target is a minimum, such as F1 > 85%."
        )
    if not 0 < value <= 1 or (value == 1 and chosen.comparator == ">"):
        return _problem("target", f"{said!r} cannot be; say a score between 0% and 100%.")
    if value < Decimal("0.01") and "Y" in reading.tags[chosen.first : chosen.last + 1]:
        meant = f"{float(value) * 10_000:g}%"
        return _problem("target", f"{said!r} is below 1%; did you mean {meant}?")
    return chosen


def whole_minutes(seconds: Decimal) -> int | float:
    """Minutes, an int as long as they are whole."""
    minutes = seconds / 60
    return int(minutes) if minutes == minutes.to_integral_value() else float(minutes)


def choose(reading: Reading, clause: str, found: Sequence[Mention]) -> Mention | Problem | None:
    """One of several mentions: what a correction says last, then what is named; else a problem."""
    found = sorted((m for m in found if not is_excluded(reading, m)), key=lambda m: m.first)
    if not found:
        return None
    between = range(found[0].last, found[-1].first)
    correction = max((i for i in between if _corrects(reading, i)), default=-1)
    found = [m for m in found if m.first > correction]
    found = [m for m in found if m.is_stated] or found
    if len({(m.value, m.metric) for m in found}) > 1:
        said = " and ".join(repr(reading.words(m.first, m.last)) for m in found[:3])
        return _problem(clause, f"You said {said}; say which one holds.")
    return next((m for m in found if m.comparator), found[0])


def is_excluded(reading: Reading, mention: Mention) -> bool:
    """ "not $10", "instead of cier", "not on the g5"; an amount after "no" is a correction."""
    before = len(reading.tags[: mention.first].rstrip("pwoa")) - 1
    if before < 0 or reading.tags[before] != "!":
        return False
    return isinstance(mention.value, str) or reading.tokens[before].key != "no"


def _corrects(reading: Reading, i: int) -> bool:
    """ "actually", "make it"; also ", no, $8"."""
    token = reading.tokens[i]
    after = reading.tags[i + 1 : i + 2]
    is_no = token.key in ("no", "nein", "nope") and i > 0 and reading.tags[i - 1] in ",.-"
    return token.tag == "C" or (is_no and after in QUANTITIES + ",C" and after != "")


def _mention(reading: Reading, i: int, cues: str) -> Mention:
    token, around = reading.tokens[i], context(reading, i, cues)
    cue = reading.tokens[around.cue] if around.cue is not None else None
    value = token.low if "F" in cues else token.number
    if "F" in cues and token.tag == "N" and value > 1:
        value /= 100
    return Mention(
        value=value,
        first=around.first,
        last=around.last,
        comparator=around.comparator,
        is_stated=bool(cue or around.comparator),
        metric=cue.name if cue else "",
    )


def _is_bare(reading: Reading, i: int, cues: str) -> bool:
    """A number without a unit right after the word that names it: "Budget: 10"."""
    left = look_left(reading, i, cues)
    is_counted = reading.tags[i + 1 : i + 2] in ("x", "U", "D", "G")
    return left.cue is not None and left.is_tight and not is_counted


def _is_rate(reading: Reading, i: int) -> bool:
    """ "$1 per hour", "$1/h", "$1 an hour"."""
    after = reading.tokens[i + 1] if i + 1 < len(reading.tokens) else None
    if after is None or (after.tag == "Z" and after.key not in ("a", "an", "die")):
        return False
    return after.tag == "Z" or reading.tags[i + 1 : i + 3] == "/U"


def _is_other_duration(reading: Reading, i: int) -> bool:
    """The "2 hours" of "wait up to 2 hours", "the last 2 hours", "2 hours ago"."""
    start = max(i - 4, *(reading.tags.rfind(mark, 0, i) + 1 for mark in ",.&"), 0)
    is_ago = i + 1 < len(reading.tokens) and reading.tokens[i + 1].key in ("ago", "old", "alt")
    is_price = i > 0 and reading.tags[i - 1] == "M" and _is_rate(reading, i - 1)
    said = {token.key for token in reading.tokens[start:i]}
    return is_ago or is_price or bool(said & _OTHER_DURATIONS)


def _is_score(reading: Reading, i: int) -> bool:
    if reading.tags[i] not in "YN":
        return False
    around = context(reading, i, "FS")
    if any(token.key in _PAST for token in reading.tokens[around.first : i]):
        return False
    cue = "" if around.cue is None else reading.tags[around.cue]
    if reading.tags[i] == "Y":
        return cue == "F" or _is_lone_percentage(reading, i, around)
    is_counted = reading.tags[i + 1 : i + 2] in ("U", "x", "D", "G", "B", "T")
    is_named = cue == "F" or (cue == "S" and bool(around.comparator))
    return is_named and around.is_tight and not is_counted


def _is_lone_percentage(reading: Reading, i: int, around: Context) -> bool:
    """A clause of its own, "at least 85%", and no part of something: "20% of the data"."""
    near = reading.tokens[max(i - 6, 0) : i + 2]
    before = reading.tags[around.first - 1 : around.first] if around.first else ","
    after = reading.tags[around.last + 1 : around.last + 2] or ","
    begins = bool(around.comparator) or around.cue is not None or before in ",.&wMZ"
    is_free = after in ",.&pi<>~z" or any(
        t.key in _SUFFICES for t in reading.tokens[around.last + 1 : around.last + 4]
    )
    return begins and is_free and not any(t.key in _PART_WORDS for t in near)


def _unreadable_budget(reading: Reading) -> Problem | None:
    tags = reading.tags
    if "E" in tags:
        said = reading.words(tags.index("E"), tags.index("E"))
        return _problem("budget_usd", f"{said!r} is not in US dollars; say the budget in dollars.")
    if any(tag == "M" and _is_rate(reading, i) for i, tag in enumerate(tags)):
        return _problem("budget_usd", "A price per hour is no budget; say the total, such as $10.")
    found = re.search(r"v=?[s$c]|\$[^NMv.,]|B=x", tags)
    if found and (tags[found.start()] != "B" or reading.tokens[found.start() + 1].key in ":="):
        said = reading.words(found.start(), found.end() - 1)
        return _problem("budget_usd", f"I cannot read an amount in {said!r}; say one such as $10.")
    return None


def _unreadable_time(reading: Reading) -> Problem | None:
    for i, tag in enumerate(reading.tags):
        if tag == "N" and _is_bare(reading, i, "T"):
            said = reading.words(i, i)
            return _problem("max_minutes", f"{said!r} has no unit; say minutes or hours.")
    if _names_clock(reading) or _names_hour(reading) or re.search("v=?U|T=x", reading.tags):
        return _problem("max_minutes", "Say the time limit as a duration, such as 1 hour.")
    return None


def _names_clock(reading: Reading) -> bool:
    """ "6 pm", "um 18 Uhr"; a German "am" is none."""
    return any(
        _CLOCK.fullmatch(token.key) and (token.key != "am" or reading.tags[i - 1 : i] == "N")
        for i, token in enumerate(reading.tokens)
    )


def _names_hour(reading: Reading) -> bool:
    """ "by 18:00"."""
    found = (m.start() for m in re.finditer("N=N", reading.tags))
    return any(
        reading.tokens[i + 1].key == ":" and reading.tokens[i].end == reading.tokens[i + 1].start
        for i in found
    )


def _unreadable_target(reading: Reading) -> Problem | None:
    if re.search("FS?=?[<>](?![MZYNF=aob])", reading.tags):
        return _problem("target", "I cannot read the target; say one such as F1 > 85%.")
    return None


def _problem(clause: str, message: str) -> Problem:
    return Problem(clause=clause, message=message)
