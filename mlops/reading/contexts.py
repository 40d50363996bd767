"""An amount's place in a reading in, what stands around it out: comparator, the word that names its
clause, the span of it all."""

import re
from dataclasses import dataclass, replace

from mlops.reading.lexicon import LEXICON, Entry
from mlops.reading.quantities import Reading

QUANTITIES = "MEZYN"
_REACH = 8  # tokens between "budget" or "F1" and its amount
_GLUE = "=aoib~SBT"
_NONE = Entry("")


@dataclass(frozen=True)
class Context:
    """Around an amount: its comparator, the token that names the clause, the span of it all."""

    comparator: str
    cue: int | None
    is_tight: bool
    first: int
    last: int


def context(reading: Reading, i: int, cues: str) -> Context:
    return _with_negation(reading, _around(reading, i, cues))


def _around(reading: Reading, i: int, cues: str) -> Context:
    left = look_left(reading, i, cues)
    if left.cue is not None and left.is_tight:
        return _trailing_comparator(reading, left)
    right = re.compile(rf"[=iopwS]{{0,2}}[{cues}]S?").match(reading.tags, i + 1)
    if right is None:
        return _trailing_comparator(reading, left)
    cue = next(j for j in range(right.start(), right.end()) if reading.tags[j] in cues)
    first = i if left.cue is not None else left.first
    around = replace(left, cue=cue, is_tight=True, first=first, last=right.end() - 1)
    return _trailing_comparator(reading, around)


def look_left(reading: Reading, i: int, cues: str) -> Context:
    comparator, cue, first, is_tight = "", None, i, True
    for j in range(i - 1, max(i - 1 - _REACH, -1), -1):
        tag = reading.tags[j]
        if tag in ",.&!" + QUANTITIES:
            break
        if tag in "<>" and not comparator and (is_tight or cue is not None):
            comparator, first = reading.tokens[j].name, j
        elif tag in cues and cue is None:
            cue, first = j, j
        elif tag == "F" and cue is not None and reading.tags[cue] == "S":
            cue, first = j, j
        elif cue is not None and tag not in "=aobST":
            break
        elif tag not in _GLUE and tag != "<" and tag != ">":
            is_tight = False
    return Context(comparator, cue, is_tight or cue is None, first, i)


def _with_negation(reading: Reading, context: Context) -> Context:
    """The "not" that turned the comparator belongs to the words: "not more than five dollars"."""
    if not context.comparator:
        return context
    for j in range(context.first - 1, max(context.first - 1 - _REACH, -1), -1):
        if reading.tags[j] in ",.&!" + QUANTITIES:
            break
        if reading.tags[j] == "=" and LEXICON.get(reading.tokens[j].key, _NONE).tag == "!":
            return replace(context, first=j)
    return context


def _trailing_comparator(reading: Reading, context: Context) -> Context:
    """ "$10 or less", "85% minimum", unless it belongs to the next amount: "$10 max 1 hour"."""
    found = re.compile(r"=?[<>](?![MEZYNBTF=ao])").match(reading.tags, context.last + 1)
    if context.comparator or found is None:
        return context
    last = found.end() - 1
    return replace(context, comparator=reading.tokens[last].name, last=last)
