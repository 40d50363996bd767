"""The words around a start: patterns that more than one reader of a line needs, and what is read."""

import re
from typing import NamedTuple

from mlops.reading.clauses import Problem
from mlops.reading.clock import DAY
from mlops.reading.spans import Found

BARE = r"@N(?! ?(?:[a-z%$:/@-]))|@N(?= (?:on|auf|with|mit|for|fuer|and|und|using|train\w*|to|@W|or|oder) ?)"
IT = (
    r"(?: (?:it|this|that|them|me|the (?:job|training|run|launch|plan|request)|training|es|ihn|"
    r"das|das training|den (?:job|lauf|auftrag)))?"
)
BEGIN = (
    r"(?:(?:start|begin|schedul|launch|commenc|defer|delay|postpon)(?:e|s|ed|es|ing|ning)?|beginning|"
    r"kick(?:ed)? off|kick it off|fire up|starte[nt]?|beginne[nt]?|beginn|plane|einplanen|"
    r"verschiebe|losgehen|loslegen|anfangen|planmaessig|(?:wait|hold off|hold|warte)(?= (?:until|till|bis)))"
)
LATER = r"(?:starten|beginnen|anfangen|loslegen|losgehen|einplanen|gestartet|beginnt|startet)"
DAYS = (
    rf"(?:(?:{DAY}(?: ,)?(?: (?:on|am|the|den|der)){{0,2}} )?(?:(?:on|am|the|den|der) )?@D(?: ,)?(?: {DAY})?"
    rf"|{DAY}|in @Zd)"
)
SAY_START = "say one such as 'start tomorrow at 18:00' or 'start at 2026-12-24 18:00 UTC'."
TIME_LIMIT = "{!r} is a deadline by the clock; say the time limit as a duration, such as 1 hour."
_ASKING = re.compile(
    r"\b(?:how|why|what|which|whats|wie|warum|was|wann|when (?:will|did|does|is|was))\b"
)


class Starts(NamedTuple):
    """Start moments, problems with them, and the tokens of what gave a problem."""

    found: list[Found]
    problems: list[Problem]
    hidden: list[tuple[int, int]]


def is_asked(line: str, start: int) -> bool:
    """Part of a question, such as "how long do I wait for a GPU?"."""
    reach = max(start - 200, 0)
    begin = max(line.rfind(" . ", reach, start), line.rfind(" ? ", reach, start), reach)
    return bool(_ASKING.search(line[begin:start]))
