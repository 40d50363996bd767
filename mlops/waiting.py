"""A reading in, what was said of waiting out: queue it or not, how long, when to start; and the rest.

The words are matched as one line: each token by its key, `@Z` a duration, `@N` a number. What is
found leaves the reading, so that "wait up to 2 hours" is no time limit.
"""

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import NamedTuple

from mlops.clauses import Problem
from mlops.clock import CLOCK, DAY, expression, iso_moments
from mlops.quantities import Reading
from mlops.words import Token

_MAX_WAIT_SECONDS = 30 * 86400
_BARE = r"@N(?! ?(?:[a-z%$:/@-]))|@N(?= (?:on|auf|with|mit|for|fuer|and|und|using|train\w*|to) )"

_QUOTA = (
    r"(?:gpus?|quotas?|capacity|slots?|instances?|machines?|resources?|room|spot|instanz(?:en)?|"
    r"kontingent|kapazitaet|maschinen?|platz|grafikkarten?|ressourcen)"
)
_ANY = (
    r"(?: (?:a|an|the|some|any|my|our|is|are|there is|there are|there isnt|there|arent|isnt|i have|"
    r"we have|no|not|enough|free|available|spare|sufficient|more|left|keine?|einen?|eine|ein|der|die|"
    r"das|genug|freie[ns]?|verfuegbare[ns]?|genuegend|gerade|currently|right now|now|spot|gpu|"
    r"instance|training|necessary|required)){0,8}"
)
_STATE = (
    r"(?: (?:is|are|isnt|arent|not|becomes?|be|gets?|to|has|have|been|used|up|exhausted|full|free|"
    r"available|left|freed|busy|taken|again|now|frei|verfuegbar|wird|werden|ist|sind|da|erschoepft|"
    r"voll|belegt|capacity|quota|gerade|vorhanden|opens?|limit|reached)){0,8}"
)
_NEEDED = rf"{_ANY} {_QUOTA}{_STATE}"
_FOR = rf"(?: (?:for|on|until|till|auf|bis){_NEEDED})"
_IF = rf"(?:if|when|while|unless|wenn|falls|solange|sollte){_NEEDED}"
_WHY = rf"(?:{_FOR}|(?: or)? {_IF})"
_CAP = (
    r"(?: (?:for|up to|upto|at most|max|maximum|maximal|maximally|no|not|more than|longer than|"
    r"less than|under|hoechstens|bis zu|laengstens|nicht|nie|laenger als|mehr als|weniger als|unter|"
    r"up|about|around|circa|etwa|von|of|is|=|:|(?:a |the )?(?:max(?:imum)?|total) of)){0,6}"
)
_IT = (
    r"(?: (?:it|this|that|them|me|the (?:job|training|run|launch|plan|request)|training|es|ihn|"
    r"das|das training|den (?:job|lauf|auftrag)))?"
)
_NOT = r"(?:do not|dont|does not|never|no|not|without|nicht|keine?n?|ohne|nie|rather than|instead of|no need to)"
_NEGATED = rf"(?:{_NOT}(?: (?:to|want|want to|have to|like|zu|any|please|in|die|der)){{0,4}} )?"
_LINE = r"(?:in )?(?:the |a |die |der |eine |einer )?(?:queue|line|waitlist|waiting list|warteschlange)"
_WAIT = r"(?:(?:max(?:imum)? |maximale )?(?:wait(?:ing)? time|wait|wartezeit)|waits|waiting|warte|warten|(?<!the )(?<!a )(?<!my )(?<!in )(?:queue|enqueue)|queued|queueing|queuing)"

# Each with its duration, where it has one; the first that matches at a place counts.
_WAITS = re.compile(
    rf"(?P<not>{_NEGATED})(?:"
    rf"{_WAIT}{_IT}(?: up(?= for))?{_WHY}?(?: {_LINE})?{_CAP} (?P<a>@Z){_WHY}?(?: warten)?"
    rf"|(?P<b>@Z){_WHY}? (?:lang )?(?:warten|wartezeit|of wait(?:ing)?|waiting(?: time)?|"
    rf"wait(?: time)?|in {_LINE})"
    rf"|give up waiting after (?P<c>@Z)"
    rf"|(?:put|place|add|set|stell\w*|setz\w*|pack\w*)(?: [^ ,.]+){{0,3}} (?:in|into|to|on) {_LINE}"
    rf"(?:{_CAP} (?P<d>@Z))?"
    rf"|in die warteschlange(?: (?:stellen|setzen|damit|einreihen))?|einreihen|reihe{_IT} ein"
    rf"|{_IF}(?: (?:,|then|please|just|simply|dann|bitte)){{0,4}} (?:wait|queue|warte|warten){_IT}"
    rf"(?:{_CAP} (?P<e>@Z))?(?! [a-z@])"
    rf"|(?:queue|enqueue)(?: up)?{_IT}(?: up)?(?P<f>{_WHY})?(?= [,.&]| and | und | or |$)"
    rf"|(?:wait|warte|warten|waiting)(?: nicht| not)?{_WHY}"
    r"|(?P<bare>queueing|queuing|waiting|warten|wait|warteschlange)(?= [,.&]| and | und |$)"
    rf")"
)
_AFTER_NOT = re.compile(r"\b(?:wait|warte) (?:nicht|not)\b(?! (?:longer|more|laenger|mehr))")
_AT_MOST = re.compile(r"\b(?:longer than|more than|laenger als|mehr als)\b")
_ARTICLE = re.compile(r"(?:\b(?:the|a|an|my|our|your|in|of|job|message|sqs|cant|is) )$")

_BEGIN = (
    r"(?:(?:start|begin|schedul|launch|commenc|defer|delay|postpon)(?:e|s|ed|es|ing|ning)?|beginning|"
    r"kick(?:ed)? off|kick it off|fire up|starte[nt]?|beginne[nt]?|beginn|plane|einplanen|"
    r"verschiebe|losgehen|loslegen|anfangen|planmaessig)"
)
_LATER = r"(?:starten|beginnen|anfangen|loslegen|losgehen|einplanen|gestartet|beginnt|startet)"
_FROM = (
    r"(?: (?:to|for|at|on|from|after|not before|not|before|earlier than|no|earliest|um|ab|auf|fuer|"
    r"erst|am|vor|nicht|frueher als|fruehestens|start|=|:|time)){0,6}"
)
_STARTS = re.compile(
    rf"(?P<verb>\b{_BEGIN}{_IT}{_FROM} )?"
    rf"(?P<when>(?:(?:not before|no earlier than|not earlier than|nicht vor|fruehestens|ab) )?"
    rf"(?P<at>(?:at|um|@|ab|on|am) )?(?:{DAY} )?(?:(?:at|um|,) )?(?:{CLOCK})(?: {DAY})?"
    rf"|{DAY} (?:at |um )(?:{_BARE}))(?P<late>(?: herum)? {_LATER})?"
    rf"|(?P<verb2>\b{_BEGIN}{_IT}(?: (?:at|um|for|fuer|=))+ )(?P<when2>{_BARE})"
)
_IN = re.compile(
    rf"\b{_BEGIN}{_IT}(?: the start)? (?P<a>(?:not before|erst in|in|after|by|for|um|nach) @Z)"
    rf"(?: from now)?"
    rf"|(?P<b>@Z from now)|(?P<c>(?:erst )?in @Z {_LATER})|(?P<d>erst in @Z)"
)
_VAGUE = re.compile(
    rf"\b{_BEGIN}{_IT}(?: (?:for|on|am))? (?P<a>{DAY})(?= [,.&]| and | und |$)"
    rf"|(?P<b>(?<!heute )(?<!bis )morgen|heute abend|uebermorgen) {_LATER}"
)
_DEADLINE_BEFORE = re.compile(
    r"\b(?:by|until|till|before|bis|vor|spaetestens|deadline|latest|later than|spaeter als|due|done|"
    r"finish(?:ed|es)?|ready|complete[ds]?|ends?|ending|fertig|stop\w*|give up|up to|bis zu|"
    r"need (?:it|this|the model)|brauche (?:es|das modell)|was|since|seit|yesterday|gestern)"
    r"(?: (?:is|it|at|um|:|=|zum|am|on|der|the|be|sein|ist|job|training|um spaetestens))* $"
)
_DEADLINE_AFTER = re.compile(r" (?:sein )?(?:fertig|done|at the latest|spaetestens|abgeschlossen)")
_ASKING = re.compile(
    r"\b(?:how|why|what|which|whats|wie|warum|was|wann|when (?:will|did|does|is|was))\b"
)


class Said(NamedTuple):
    """Fields of `Constraints` with their words, what cannot be read, and what else was said."""

    values: dict[str, object]
    evidence: dict[str, str]
    problems: list[Problem]
    rest: Reading


class _Found(NamedTuple):
    """Tokens `first` to `last` are the words; from `hide` on they are no other clause."""

    field: str
    value: object
    first: int
    last: int
    hide: int


class _Line(NamedTuple):
    """The reading as one string of words, with the offset of each token in it."""

    text: str
    offsets: list[int]

    def tokens(self, start: int, end: int) -> tuple[int, int]:
        """The first and the last token of a part of the string."""
        return bisect_right(self.offsets, start) - 1, bisect_right(self.offsets, end - 1) - 1


def read(reading: Reading) -> Said:
    """The first mention of each field counts; a second, different one is a problem."""
    line = _line(reading)
    found = [*_moments(reading, line), *_waits(reading, line)]
    values: dict[str, object] = {}
    evidence: dict[str, str] = {}
    problems: list[Problem] = _vague(reading, line)
    for one in sorted(found, key=lambda f: f.first):
        words = reading.words(one.first, one.last)
        if one.field in values and values[one.field] != one.value:
            said = f"You said {evidence[one.field]!r} and {words!r}; say which one holds."
            problems.append(Problem(clause=one.field, message=said))
        elif one.field not in values:
            values[one.field], evidence[one.field] = one.value, words
    problems += _impossible(values, evidence)
    return Said(values, evidence, problems, _without(reading, found))


def _line(reading: Reading) -> _Line:
    offsets: list[int] = []
    words: list[str] = []
    length = 0
    for token in reading.tokens:
        word = f"@{token.tag}" if token.tag in "ZNMYE" else token.key or "-"
        offsets.append(length)
        words.append(word)
        length += len(word) + 1
    return _Line(" ".join(words), offsets)


def _waits(reading: Reading, line: _Line) -> Iterator[_Found]:
    for match in _WAITS.finditer(line.text):
        if _is_asked(line.text, match.start()) or _ARTICLE.search(
            line.text[max(match.start() - 12, 0) : match.start()]
        ):
            continue
        if match["bare"] and not match["not"]:
            continue
        first, last = line.tokens(match.start(), match.end())
        if "C" in reading.tags[first : last + 1]:
            continue
        seconds = _duration(reading.tokens[first : last + 1])
        refused = bool(match["not"]) and not (seconds and _AT_MOST.search(match[0]))
        wants = not refused and not _AFTER_NOT.search(match[0])
        yield _Found("queue", wants, first, last, first)
        if seconds is not None and wants:
            yield _Found("max_wait_minutes", _minutes(seconds), first, last, first)


def _moments(reading: Reading, line: _Line) -> Iterator[_Found]:
    for start, end, value in iso_moments(reading.text):
        inside = [i for i, t in enumerate(reading.tokens) if start <= t.start < end]
        if inside:
            yield _Found("start_at", value, inside[0], inside[-1], inside[0])
    for match in _IN.finditer(line.text):
        first, last = line.tokens(match.start(), match.end())
        seconds = _duration(reading.tokens[first : last + 1]) or Decimal(0)
        hide, _ = line.tokens(*match.span(match.lastgroup or 0))
        yield _Found("start_at", f"in {_minutes(seconds)} minutes", first, last, hide)
    for match in _STARTS.finditer(line.text):
        if not _is_start(line.text, match):
            continue
        first, last = line.tokens(match.start(), match.end())
        hide, until = line.tokens(*match.span("when" if match["when"] else "when2"))
        value = expression(
            reading.tokens[hide : until + 1], line.text[match.start() : match.end()]
        )
        if value is not None:
            yield _Found("start_at", value, first, last, hide)


def _is_start(line: str, match: re.Match[str]) -> bool:
    """No deadline, no question, and more than a clock that stands about."""
    begins = match["verb"] or match["verb2"] or match["late"]
    if not begins and _DEADLINE_BEFORE.search(line[max(match.start() - 80, 0) : match.start()]):
        return False
    if _DEADLINE_AFTER.match(line, match.end()) or _is_asked(line, match.start()):
        return False
    has_day = re.search(rf"\b{DAY}\b", match[0])
    return bool(begins or match["at"] or has_day or re.match(r"not |no |nicht ", match[0]))


def _vague(reading: Reading, line: _Line) -> list[Problem]:
    """ "start tomorrow": the day is said, the time is not."""
    problems: list[Problem] = []
    for match in _VAGUE.finditer(line.text):
        words = reading.words(*line.tokens(match.start(), match.end()))
        message = f"{words!r} names no time of day; say one, such as tomorrow at 9:00."
        problems.append(Problem(clause="start_at", message=message))
    return problems[:1]


def _impossible(values: dict[str, object], evidence: dict[str, str]) -> list[Problem]:
    minutes = values.get("max_wait_minutes")
    if not isinstance(minutes, int | float) or 0 < minutes * 60 <= _MAX_WAIT_SECONDS:
        return []
    del values["max_wait_minutes"]
    said = evidence.pop("max_wait_minutes")
    message = f"{said!r} cannot be waited; say between 1 minute and 30 days."
    return [Problem(clause="max_wait_minutes", message=message)]


def _is_asked(line: str, start: int) -> bool:
    """Part of a question, such as "how long do I wait for a GPU?"."""
    begin = max(line.rfind(" . ", 0, start), line.rfind(" ? ", 0, start), start - 200, 0)
    return bool(_ASKING.search(line[begin:start]))


def _duration(tokens: Sequence[Token]) -> Decimal | None:
    return next((token.number for token in tokens if token.tag == "Z"), None)


def _minutes(seconds: Decimal) -> int | float:
    minutes = seconds / 60
    return int(minutes) if minutes == minutes.to_integral_value() else float(minutes)


def _without(reading: Reading, found: Sequence[_Found]) -> Reading:
    """The reading with a comma in the place of each part that was found; "spot" stays."""
    hidden = {
        i for one in found for i in range(one.hide, one.last + 1) if reading.tags[i] not in "PQ"
    }
    tokens = tuple(
        token._replace(key=",", tag=",") if i in hidden else token
        for i, token in enumerate(reading.tokens)
        if not (i in hidden and i - 1 in hidden)
    )
    return Reading(reading.text, tokens, "".join(token.tag for token in tokens))
