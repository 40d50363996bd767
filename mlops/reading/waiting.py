"""A reading in, what was said of waiting out: queue it or not, how long, when to start; and the rest.

The words are matched as one line: each token by its key, `@Z` a duration, `@N` a number. What is
found leaves the reading, so that "wait up to 2 hours" is no time limit.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from mlops.reading import starts
from mlops.reading.clauses import Problem, whole_minutes
from mlops.reading.quantities import Reading
from mlops.reading.spans import Found, Line, duration, line, without
from mlops.reading.start_words import IT, is_asked

_MAX_WAIT_SECONDS = 30 * 86400
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
_NOT = r"(?:do not|dont|does not|never|no|not|without|nicht|keine?n?|ohne|nie|rather than|instead of|no need to)"
_NEGATED = rf"(?:{_NOT}(?: (?:to|want|want to|have to|like|zu|any|please|in|die|der)){{0,4}} )?"
_LINE = r"(?:in )?(?:the |a |die |der |eine |einer )?(?:queue|line|waitlist|waiting list|warteschlange)"
_WAIT = r"(?:(?:max(?:imum)? |maximale )?(?:wait(?:ing)? time|wait|wartezeit)|waits|waiting|warte|warten|(?<!the )(?<!a )(?<!my )(?<!in )(?:queue|enqueue)|queued|queueing|queuing)"

# Each with its duration, where it has one; the first that matches at a place counts.
_WAITS = re.compile(
    rf"(?P<not>{_NEGATED})(?:"
    rf"{_WAIT}{IT}(?: up(?= for))?{_WHY}?(?: {_LINE})?{_CAP} (?P<a>@Zd?){_WHY}?(?: warten)?"
    rf"|(?P<b>@Zd?){_WHY}? (?:lang )?(?:warten|wartezeit|of wait(?:ing)?|waiting(?: time)?|"
    rf"wait(?: time)?|in {_LINE})"
    rf"|give up waiting after (?P<c>@Zd?)"
    rf"|(?:put|place|add|set|stell\w*|setz\w*|pack\w*)(?: [^ ,.]+){{0,3}} (?:in|into|to|on) {_LINE}"
    rf"(?:{_CAP} (?P<d>@Zd?))?"
    rf"|in die warteschlange(?: (?:stellen|setzen|damit|einreihen))?|einreihen|reihe{IT} ein"
    rf"|{_IF}(?: (?:,|then|please|just|simply|dann|bitte)){{0,4}} (?:wait|queue|warte|warten){IT}"
    rf"(?:{_CAP} (?P<e>@Zd?))?(?! [a-z@])"
    rf"|(?:queue|enqueue)(?: up)?{IT}(?: up)?(?P<f>{_WHY})?(?= [,.&]| and | und | or |$)"
    rf"|(?:wait|warte|warten|waiting)(?: nicht| not)?{_WHY}"
    r"|(?P<bare>queueing|queuing|waiting|warten|wait|warteschlange)(?= [,.&]| and | und |$)"
    rf")"
)
_AFTER_NOT = re.compile(r"\b(?:wait|warte) (?:nicht|not)\b(?! (?:longer|more|laenger|mehr))")
_AT_MOST = re.compile(r"\b(?:longer than|more than|laenger als|mehr als)\b")
_ARTICLE = re.compile(r"(?:\b(?:the|a|an|my|our|your|in|of|job|message|sqs|cant|is) )$")


class Said(NamedTuple):
    """Fields of `Constraints` with their words, what cannot be read, and what else was said."""

    values: dict[str, object]
    evidence: dict[str, str]
    problems: list[Problem]
    rest: Reading


def read(reading: Reading) -> Said:
    """The first mention of each field counts; a second, different one is a problem."""
    words_in_line = line(reading)
    begin = starts.read(reading, words_in_line)
    found = [*begin.found, *_waits(reading, words_in_line)]
    values: dict[str, object] = {}
    evidence: dict[str, str] = {}
    problems: list[Problem] = list(begin.problems)
    for one in sorted(found, key=lambda f: f.first):
        words = reading.words(one.first, one.last)
        if one.field in values and values[one.field] != one.value:
            said = f"You said {evidence[one.field]!r} and {words!r}; say which one holds."
            problems.append(Problem(clause=one.field, message=said))
        elif one.field not in values:
            values[one.field], evidence[one.field] = one.value, words
    problems = list({p.clause: p for p in reversed(problems)}.values())
    problems += _impossible(values, evidence)
    hidden = [*begin.hidden, *((one.hide, one.last) for one in found)]
    return Said(values, evidence, problems, without(reading, hidden))


def _waits(reading: Reading, line: Line) -> Iterator[Found]:
    for match in _WAITS.finditer(line.text):
        if is_asked(line.text, match.start()) or _ARTICLE.search(
            line.text[max(match.start() - 12, 0) : match.start()]
        ):
            continue
        if match["bare"] and not match["not"]:
            continue
        first, last = line.tokens(match.start(), match.end())
        if "C" in reading.tags[first : last + 1]:
            continue
        seconds = duration(reading.tokens[first : last + 1])
        refused = bool(match["not"]) and not (seconds and _AT_MOST.search(match[0]))
        wants = not refused and not _AFTER_NOT.search(match[0])
        yield Found("queue", wants, first, last, first)
        if seconds is not None and wants:
            yield Found("max_wait_minutes", whole_minutes(seconds), first, last, first)


def _impossible(values: dict[str, object], evidence: dict[str, str]) -> list[Problem]:
    minutes = values.get("max_wait_minutes")
    if not isinstance(minutes, int | float) or 0 < minutes * 60 <= _MAX_WAIT_SECONDS:
        return []
    del values["max_wait_minutes"]
    said = evidence.pop("max_wait_minutes")
    message = f"{said!r} cannot be waited; say between 1 minute and 30 days."
    return [Problem(clause="max_wait_minutes", message=message)]
