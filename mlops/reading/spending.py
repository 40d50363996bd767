"""A reading in, the same without sums that are no budget out: the limit of the month, and what is
said to be too much."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from mlops.reading.clauses import Problem
from mlops.reading.quantities import Reading

MONTHLY_LIMIT = "monthly_limit"
"""The clause of a problem about the limit of the month."""
_MONTH = r"(?:monthly|(?<!\d )months?|monats?|monatlich\w*|monatig\w*)"
_LIMIT = r"(?:limits?|budgets?|cap|ceiling|allowance|obergrenze|grenze|maximum)"
_OF_MONTH = re.compile(
    rf"\b(?:{_MONTH}\b.*\b{_LIMIT}|{_LIMIT}\b.*\b{_MONTH}|monats(?:limit|budget|grenze))\b"
)
_CHANGE = re.compile(
    r"\b(?:raise|increase|lower|reduce|set|change|make|double|halve|extend|put|cut|lift|remove|drop|"
    r"erhoehe?n?|setze?n?|aendere?|senke?n?|verdopp\w+|halbier\w+|anheben|hochsetzen|auf)\b"
)
_OWN_SUM = re.compile(r"(?:of|from|out of|von|aus)(?: (?:my|the|this|meinem|dem))?")
_SPEND = frozenset(
    "spend spending spent pay paying invest waste blow cost costs ausgeben zahlen bezahlen kosten "
    "kostet investieren".split()
)
_TOO_MUCH = re.compile(
    r"\b(?:too (?:much|expensive|high|costly|dear|pricey)|zu (?:viel|teuer|hoch)|zuviel)\b"
)
_NO_BUDGET = (
    "The limit of the month is no part of a plan, and no sentence changes it. `llmops budget show` "
    "says it, `llmops budget set AMOUNT` sets it."
)


@dataclass(frozen=True)
class Spending:
    """What is left to read, and what a person must mend; `too_much` only without another budget."""

    rest: Reading
    problems: list[Problem]
    too_much: Problem | None

    @property
    def clauses(self) -> frozenset[str]:
        found = [*self.problems, *([self.too_much] if self.too_much else [])]
        return frozenset(problem.clause for problem in found)


def read(reading: Reading) -> Spending:
    """Sums that no budget may be made of lose their tag."""
    gone: set[int] = set()
    problems: list[Problem] = []
    too_much: Problem | None = None
    for part in _parts(reading):
        if _is_of_month(reading, part):
            gone |= {i for i in part if reading.tags[i] in "MN"}
            problems = [Problem(clause=MONTHLY_LIMIT, message=_NO_BUDGET)]
        elif (refused := _refused(reading, part)) is not None:
            gone.add(refused)
            said = reading.words(refused, refused)
            message = f"{said!r} is too much, you say; say the most it may cost, such as $10."
            too_much = Problem(clause="budget_usd", message=message)
    return Spending(_without(reading, gone), problems, too_much)


def _parts(reading: Reading) -> Iterator[range]:
    """Between punctuation and "and"."""
    start = 0
    for i, tag in enumerate(f"{reading.tags},"):
        if tag in ",.&":
            if start < i:
                yield range(start, i)
            start = i + 1


def _is_of_month(reading: Reading, part: range) -> bool:
    """To be changed, or with a sum; "$5 of my monthly budget" is the plan's own."""
    words = _words(reading, part)
    if not _OF_MONTH.search(words):
        return False
    sums = [i for i in part if reading.tags[i] == "M"]
    after = _words(reading, range(sums[0] + 1, part.stop)) if sums else ""
    if sums and _OWN_SUM.match(after):
        return False
    return bool(sums) or _CHANGE.search(words) is not None


def _refused(reading: Reading, part: range) -> int | None:
    """The sum of "I don't want to spend $50", "$50 is too much"; "not more than $50" is a limit."""
    sums = [i for i in part if reading.tags[i] == "M"]
    if not sums:
        return None
    if _TOO_MUCH.search(_words(reading, part)):
        return _near_too_much(reading, part, sums)
    no = next((i for i in part if reading.tags[i] == "!"), None)
    spends = any(reading.tokens[i].key in _SPEND for i in part)
    found = next((i for i in sums if no is not None and i > no), None)
    if no is None or found is None or not spends:
        return None
    return None if set(reading.tags[no:found]) & set("<>") else found


def _near_too_much(reading: Reading, part: range, sums: list[int]) -> int:
    """The last sum before the words, else the first after them."""
    before = [i for i in sums if _TOO_MUCH.search(_words(reading, range(i + 1, part.stop)))]
    return before[-1] if before else sums[0]


def _words(reading: Reading, part: range) -> str:
    return " ".join(reading.tokens[i].key for i in part)


def _without(reading: Reading, gone: set[int]) -> Reading:
    tokens = tuple(t._replace(tag="z") if i in gone else t for i, t in enumerate(reading.tokens))
    return replace(reading, tokens=tokens, tags="".join(token.tag for token in tokens))
