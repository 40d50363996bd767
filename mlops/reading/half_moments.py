"""A line in, what is half a moment out as problems: a day without its time, a time that nobody can
read, a zone that stands apart.
"""

import re
from collections.abc import Iterator

from mlops.reading.clauses import Problem
from mlops.reading.quantities import Reading
from mlops.reading.spans import Line
from mlops.reading.start_words import (
    BEGIN,
    DAYS,
    IT,
    LATER,
    SAY_START,
    TIME_LIMIT,
    Starts,
    is_asked,
)
from mlops.reading.zones import ELSEWHERE

_VAGUE = re.compile(
    rf"\b{BEGIN}{IT}(?: (?:for|on|am|in|at|ab|der|the|im|this)){{0,3}} (?P<a>{DAYS}|next \w+|"
    r"(?:naechste[nrms]?) \w+|later|spaeter|(?:the )?weekend|wochenende|january|february|march|april|"
    r"june|july|august|september|october|november|december|januar|februar|maerz|mai|juni|juli|oktober|"
    r"dezember)(?= [,.&]| and | und | with | mit | for | fuer | on | auf | nicht| not|$)"
    rf"|(?P<b>(?<!heute )(?<!bis )morgen|heute abend|uebermorgen|{DAYS}) {LATER}"
    rf"|(?P<c>(?<!by )(?<!until )(?<!till )(?<!before )(?<!bis )(?<!vor )(?<!of )(?<!from )(?<!since )"
    r"(?<!last )(?<!the )(?:tomorrow|uebermorgen|tonight|(?:on |next |this )(?:mon|tues|wednes|thurs|fri|"
    r"satur|sun)day|(?:am|naechsten) (?:montag|dienstag|mittwoch|donnerstag|freitag|samstag|sonntag)|"
    r"(?:on |am )?(?<!vom )(?<!data )(?<!at )@D|next (?:week|month|year)|naechste woche))(?= [,.&]| and | und | for @M| fuer @M|$)"
)
_DEADLINE_DAY = re.compile(
    rf"\b(?:by|until|till|before|bis|bis zum|due|deadline|spaetestens)(?: (?:is|:|=|on|am|zum|the))* "
    rf"(?P<day>{DAYS}|next (?:week|month)|christmas|(?:the )?end of \w+)(?= [,.&]| and | und | for | with | fertig| done| ready|$)"
)
# "start at 18h", "start at quarter past 6": near a time, and none.
_UNREAD = re.compile(
    rf"\b{BEGIN}{IT}(?: not| nicht)?(?: {DAYS})? (?:at|um|gegen|around|ab|@)(?P<when>(?: (?!least|most|once|@M|@Y)[^ ,.&]+)"
    r"{1,3})"
)
_NEAR_TIME = re.compile(r"@N|@Z|\d|quarter|viertel|dawn|sunrise|sunset|lunch|dinner")


def read_unread(reading: Reading, line: Line, starts: Starts, taken: set[int]) -> None:
    for match, span in _free(_UNREAD, line, taken):
        if _NEAR_TIME.search(match["when"]):
            message = f"I cannot read the time in {reading.words(*span)!r}; {SAY_START}"
            starts.problems.append(Problem(clause="start_at", message=message))
            starts.hidden.append(line.tokens(*match.span("when")))
            taken.update(range(span[0], span[1] + 1))


def read_days(reading: Reading, line: Line, starts: Starts, taken: set[int]) -> None:
    """ "start tomorrow": the day is said, the time is not; "by tomorrow" is a deadline."""
    for _, span in _free(_DEADLINE_DAY, line, taken):
        message = TIME_LIMIT.format(reading.words(*span))
        starts.problems.append(Problem(clause="max_minutes", message=message))
        taken.update(range(span[0], span[1] + 1))
    if any(p.clause == "start_at" for p in starts.problems):
        return
    if vague := next(_free(_VAGUE, line, taken), None):
        words = reading.words(*vague[1])
        message = f"{words!r} names no time of day; say one, such as tomorrow at 9:00."
        starts.problems.append(Problem(clause="start_at", message=message))


def read_zones(reading: Reading, line: Line, starts: Starts, taken: set[int]) -> None:
    """A zone that stands elsewhere in the sentence than beside its time."""
    if not starts.found or "minutes" in str(starts.found[0].value):
        return
    for match in ELSEWHERE.finditer(line.text):
        span = line.tokens(match.start(), match.end())
        if span[0] not in taken:
            said = f"{reading.words(*span)!r} stands apart from the time"
            example = "say them together, such as 'start at 18:00 UTC'."
            starts.problems.append(Problem(clause="start_at", message=f"{said}; {example}"))
            return


def _free(
    pattern: re.Pattern[str], line: Line, taken: set[int]
) -> Iterator[tuple[re.Match[str], tuple[int, int]]]:
    """Matches with their tokens, of which none is taken, outside of questions."""
    for match in pattern.finditer(line.text):
        first, last = line.tokens(match.start(), match.end())
        if taken.isdisjoint(range(first, last + 1)) and not is_asked(line.text, match.start()):
            yield match, (first, last)
