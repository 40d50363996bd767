"""A reading as a line in, when to start out: the moment, or a problem in words.

No part of a moment is dropped: what stands beside it and is not understood is asked about.
"""

import re
from decimal import Decimal
from typing import NamedTuple

from mlops.reading.clauses import Problem, whole_minutes
from mlops.reading.clock import CLOCK, DAY, expression
from mlops.reading.half_moments import read_days, read_unread, read_zones
from mlops.reading.quantities import Reading
from mlops.reading.spans import Found, Line, duration
from mlops.reading.start_words import (
    BARE,
    BEGIN,
    DAYS,
    IT,
    LATER,
    SAY_START,
    TIME_LIMIT,
    Starts,
    is_asked,
)
from mlops.reading.zones import UNCLEAR

_LEAD = (
    r"(?:to|for|at|on|from|after|not before|not|before|earlier than|no|earliest|um|ab|auf|fuer|erst|"
    r"am|vor|nicht|frueher als|fruehestens|start|=|:|time|until|till|by|bis|later than|spaeter als|"
    r"spaetestens|around|about|gegen|nach|every|each|jeden|taeglich|daily|between|zwischen|yesterday|"
    r"gestern|last|prior|than|latest|no later than|exactly|genau|punkt)"
)
_FROM = rf"(?: {_LEAD}){{0,6}}"
_PREP = r"(?:at|um|ab|gegen|@|,|around|about|approximately|circa|ca|etwa|exactly|genau|punkt|ungefaehr|from|von)"
_ZONED = r"(?:(?: ,)? @W)?"
_STARTS = re.compile(
    rf"(?P<verb>\b{BEGIN}{IT}{_FROM} )?(?<![^ ])(?P<when>"
    rf"(?:(?:not before|no earlier than|not earlier than|nicht vor|fruehestens|ab) )?(?:(?P<at>"
    rf"{DAYS}(?: @W)?(?: {_PREP}){{0,2}} (?:{CLOCK})(?: @W)?"
    rf"|{DAYS}(?: @W)? (?:(?:at|um|gegen|ab) ){{1,2}}(?:{BARE})(?: @W)?"
    rf"|{DAYS} (?(verb)(?:{BARE})|(?!))(?: @W)?"
    rf"|@T(?: @W)?)"
    rf"|(?:(?P<prep>at|um|@|ab|on|am|around|about|gegen) ){{0,2}}"
    rf"(?:{CLOCK})(?: @W)?(?P<day>(?: ,)? {DAYS})?{_ZONED}))(?P<late>(?: herum)? {LATER})?"
    rf"|(?P<verb2>\b{BEGIN}{IT}{_FROM}(?: (?:at|um|for|fuer|=|before|vor|after|nach|by|bis|until))"
    rf"{{1,2}} )(?P<when2>(?:{BARE})(?: @W)?)"
)
_IN = re.compile(
    rf"\b{BEGIN}{IT}(?: the start)? (?P<a>(?:not before|erst in|in|after|by|for|um|nach) @Zd?)"
    rf"(?: from now)?"
    rf"|(?P<b>@Zd? from now)|(?P<c>(?:erst )?in @Zd? {LATER})|(?P<d>erst in @Zd?)"
)
_NOT = r"(?:not|dont|do not|does not|should not|must not|never|nicht|kein\w*|nie|no|cannot|cant|avoid|except|ausser|rather than|instead of|without|statt)"
_SOFT = r"(?:please|bitte|to|want|have|you|we|ever|it|that|this|the|job|training|launch|run|es|but|any|a|doch|noch|sooner|earlier)"
_TRAIN = rf"(?:{BEGIN}|train|run|do|trainiere?n?|begin|go|execute)"
_REFUSES = re.compile(
    rf"\b{_NOT}(?: {_SOFT}){{0,4}}(?: {_TRAIN}{IT})?(?: [^ ,.&]+){{0,6}}? ?"
    r"(?=(?:before|until|till|bis|vor|earlier|frueher)\b)"
    rf"|\b{_NOT}(?: {_SOFT}){{0,4}}(?: {_TRAIN}{IT})?(?: {_LEAD}){{0,4}} $"
)
_UNTIL = re.compile(r"\b(?:until|till|bis)\b")
_HOLDS = re.compile(r"\b(?:wait|hold|warte|defer|delay|postpone|verschiebe|erst)\b")
_NO_LATER = re.compile(
    r"\b(?:no|not|nicht|never|dont|do not)(?: (?:start|begin|launch|it|any|be))* "
    r"(?:later than|spaeter als|after|nach)\b"
)
_BEFORE = re.compile(
    r"\b(?:before|vor|earlier than|frueher als|prior to|by|spaetestens|at the latest|latest)\b"
)
_DEADLINE = re.compile(
    r"\b(?:by|until|till|before|bis|vor|spaetestens|deadline|latest|later than|spaeter als|due|done|"
    r"finish(?:ed|es)?|ready|complete[ds]?|ends?|ending|fertig|stop\w*|give up|up to|bis zu|"
    r"need (?:it|this|the model)|brauche (?:es|das modell)|was|since|seit|yesterday|gestern)"
    r"(?: (?:is|it|at|um|:|=|zum|am|on|der|the|be|sein|ist|job|training|um spaetestens))* $"
)
_PAST = re.compile(r"\b(?:was|since|seit|were|war|hatte)(?: \w+)? $")
_DONE = re.compile(r" (?:sein )?(?:fertig|done|at the latest|spaetestens|abgeschlossen)")
_REPEATS = re.compile(
    r"\b(?:every|each|daily|weekly|hourly|nightly|jeden|jede|taeglich|woechentlich|stuendlich)"
    rf"(?: (?:day|night|morning|weekday|week|tag|morgen|abend|nacht|evening|{DAY}))?(?: at| um)? $"
)
_REPEATS_AFTER = re.compile(
    r" (?:every|each|daily|weekly|nightly|jeden|jede|taeglich|woechentlich)\b"
)
_NOT_AFTER = re.compile(r" (?:nicht|not)(?: (?:starten|beginnen))?(?= [,.&]|$)")
_AND_ANOTHER = re.compile(
    rf" (?:or|oder|and|und|&|to|till|until|bis|-|through)(?: (?:at|um))? (?:{CLOCK}|{BARE})(?! ?(?:%|:))"
)
_CALENDAR = (
    r"@D|@T|january|february|march|april|june|july|august|september|october|november|december|januar|"
    r"februar|maerz|juni|juli|oktober|dezember|jan|feb|apr|aug|sept?|oct|okt|nov|dec|dez|weeks?|weekends?|"
    r"months?|years?|yesterday|gestern|vorgestern|woche|wochen|monats?|jahr|wochenende|easter|ostern|"
    r"christmas|xmas|heiligabend|weihnachten|silvester|new years?|holidays?|\d{1,2}(?:st|nd|rd|th)|"
    r"weekdays?|werktags|(?:mon|tues|wednes|thurs|fri|satur|sun)days?|(?:diens|donners|frei|sams|sonn)tags?|"
    r"montags?|mittwochs?|tomorrow|today|tonight|@W|mo|di|mi|fr|sa|@Zd? (?:from|after|before|nach|vor)"
)
_BESIDE = (
    r"(?: (?:on|am|of|in|im|the|der|den|des|this|next|last|a|one|for|from|naechste[nrs]?|"
    r"first|second|third|ersten|zweiten|dritten|day|days|after|before|later|@N|two|three)){0,4}"
)
_BESIDE_AFTER = re.compile(
    rf"{_BESIDE} (?:{_CALENDAR})(?= |$)| @W|(?: ,)? (?:@D|@T)| in @Zd(?= |$)"
)
_BESIDE_BEFORE = re.compile(
    rf"(?:^| )(?:{_CALENDAR}|the day|days? (?:after|before))(?: ,)?{_BESIDE}(?: (?:at|um|ab|,)){{0,2}} $"
)


class _Place(NamedTuple):
    """A time of day in its line: the words of its clause before it, itself, the words after."""

    lead: str
    said: str
    after: str
    verb: str
    has_verb: bool


def read(reading: Reading, line: Line) -> Starts:
    starts = Starts([], [], [])
    taken: set[int] = set()
    for match in _STARTS.finditer(line.text):
        if not is_asked(line.text, match.start()):
            _read_one(reading, line, match, starts, taken)
    for match in _IN.finditer(line.text):
        first, last = line.tokens(match.start(), match.end())
        if first in taken or last in taken:
            continue
        hide, _ = line.tokens(*match.span(match.lastgroup or 0))
        minutes = whole_minutes(duration(reading.tokens[first : last + 1]) or Decimal(0))
        starts.found.append(Found("start_at", f"in {minutes} minutes", first, last, hide))
        taken.update(range(first, last + 1))
    read_unread(reading, line, starts, taken)
    read_days(reading, line, starts, taken)
    read_zones(reading, line, starts, taken)
    return starts


def _read_one(
    reading: Reading, line: Line, match: re.Match[str], starts: Starts, taken: set[int]
) -> None:
    place = _place(line.text, match)
    first, last = line.tokens(match.start(), match.end())
    hide, until = line.tokens(*match.span("when" if match["when"] else "when2"))
    tokens = reading.tokens[hide : until + 1]
    value = expression(tokens, place.said)
    words = reading.words(first, last)
    if not _is_start(match, place):
        if message := _not_a_start(place, words, value, match):
            clause = "max_minutes" if "deadline" in message else "start_at"
            starts.problems.append(Problem(clause=clause, message=message))
            starts.hidden.append((hide, until))
            taken.update(range(first, last + 1))
        return
    taken.update(range(first, last + 1))
    zone = next((t for t in tokens if t.tag == "u"), None)
    message = _refused(place, words)
    if not message and zone is not None and zone.name == UNCLEAR:
        said = reading.text[zone.start : zone.end]
        message = f"I cannot tell which time zone {said!r} is; say one such as UTC, UTC+05:30 or Europe/Berlin."
    if not message and (value is None):
        message = f"I cannot read the time in {words!r}; {SAY_START}"
    if message:
        starts.problems.append(Problem(clause="start_at", message=message))
        starts.hidden.append((hide, until))
    else:
        starts.found.append(Found("start_at", value, first, last, hide))


def _place(line: str, match: re.Match[str]) -> _Place:
    reach = max(match.start() - 80, 0)
    begin = max(reach, *(line.rfind(f" {mark} ", reach, match.start()) + 3 for mark in ",.;&"))
    has_verb = bool(match["verb"] or match["verb2"] or match["late"])
    after = line[match.end() : match.end() + 80]
    verb = match["verb"] or match["verb2"] or ""
    return _Place(line[begin : match.start()], match[0], after, verb, has_verb)


def _is_start(match: re.Match[str], place: _Place) -> bool:
    """No deadline, and more than a clock that stands about."""
    before = place.lead + place.verb
    if not place.has_verb and _DEADLINE.search(place.lead) and not _REFUSES.search(before):
        return False
    if _DONE.match(place.after) and not match["verb"]:
        return False
    is_dated = match["at"] or match["day"] or match["prep"] or "@W" in place.said
    return bool(
        place.has_verb
        or is_dated
        or re.search(rf"\b{DAY}\b|^(?:not|no|nicht) ", place.said)
        or _REFUSES.search(before)
        or _BESIDE_BEFORE.search(place.lead)
    )


def _not_a_start(place: _Place, words: str, value: str | None, match: re.Match[str]) -> str | None:
    """A deadline by the clock, or a time that says nothing of what it is for."""
    if _PAST.search(place.lead) or value is None or match["when2"]:
        return None
    if _DEADLINE.search(place.lead) or _DONE.match(place.after):
        return TIME_LIMIT.format(words)
    is_minutes = re.search(r"@N : @N", place.said) and not re.search(r":\d\d(?!\d)", words)
    if is_minutes or re.search(r"(?:split|ratio|:) $", place.lead):
        return None
    return f"{words!r} does not say what happens then; {SAY_START}"


def _refused(place: _Place, words: str) -> str | None:
    """What keeps a moment from being the earliest start, in words for the person."""
    lead = place.lead + re.split(r"@[NDT]|\d|noon|midnight", place.said)[0]
    until = _UNTIL.search(lead)
    refuses = _REFUSES.search(lead)
    earlier = _BEFORE.search(lead) or (until and (refuses or not _HOLDS.search(lead)))
    if _NO_LATER.search(lead):
        return f"{words!r} is a latest time; say the earliest one, such as 'start at 18:00'."
    if (refuses and not earlier) or _NOT_AFTER.match(place.after):
        return f"{words!r} is when not to start; say when to start, such as 'not before 18:00'."
    if earlier and not refuses and not re.search(r"\bno(?:t|) (?:before|earlier)", lead):
        return f"{words!r} is a latest time; say the earliest one, such as 'start at 18:00'."
    if _REPEATS.search(place.lead + place.said.split("@")[0]) or _REPEATS_AFTER.match(place.after):
        return (
            f"{words!r} starts once, not again and again; say one time, such as 'start at 18:00'."
        )
    if _AND_ANOTHER.match(place.after) or re.search(r"\b(?:between|zwischen)\b", lead):
        return f"{words!r} is not the only time there; say one, such as 'start at 18:00'."
    if _BESIDE_AFTER.match(place.after) or _BESIDE_BEFORE.search(place.lead + place.verb):
        return f"I cannot read the day or zone beside {words!r}; {SAY_START}"
    if re.search(r"\b(?:yesterday|gestern|last)\b", lead):
        return f"{words!r} has passed; say a time that is still to come."
    return None
