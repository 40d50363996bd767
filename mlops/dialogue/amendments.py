"""Words that change an earlier request, and that request, in; the request with what was changed out.

Only what was said changes; a limit rises only by an amount that the person's own words say.
"""

import re
from collections.abc import Mapping
from decimal import ROUND_FLOOR, Decimal
from math import ceil
from typing import Any

from pydantic import BaseModel, ConfigDict

from mlops.constraints import Constraints, Intent, Parsed, parse
from mlops.money import parse_usd, to_usd
from mlops.reading.clauses import MICRO_USD, Comparator, Problem, whole_minutes
from mlops.reading.spending import MONTHLY_LIMIT
from mlops.reading.words import fold

AS_SAID_BEFORE = "as said before"
# The fields that belong to a clause: they come and go together.
_FIELDS: Mapping[str, tuple[str, ...]] = {
    "budget_usd": ("budget_usd", "budget_comparator"),
    "max_minutes": ("max_minutes", "time_comparator"),
    "target": ("target", "target_comparator", "metric"),
    "start_at": ("start_at", "timezone"),
}

_NOUNS = {
    "budget_usd": r"budgets?|cost|price|spending|kosten|preis|geld|budgetlimit|kostenlimit|"
    r"kostengrenze|preislimit|money",
    "max_minutes": r"time|deadline|duration|zeitlimit|zeitgrenze|zeitvorgabe|frist|zeit|dauer",
    "target": r"target|goal|f1|score|metric|quality|accuracy|ziel|zielwert|f1-ziel|f1-wert|"
    r"mindestwert|guete|minimum score",
    "instance_type": r"instance|machine|instanz|instanztyp|maschine",
    "model": r"models?|modell",
    "region": r"region",
    "epochs": r"epochs?|epochen|passes",
}
_TAIL = r"(?:[ -]?(?:limit|cap|target|goal|constraint|restriction|type|score|vorgabe|ziel))?"
_ANY_NOUN = "|".join(f"(?P<{clause}>{nouns})" for clause, nouns in _NOUNS.items())
_DROP = re.compile(
    r"\b(?:without|no|drop|remove|forget|skip|ignore|lift|lose|scrap|delete|cancel|ohne|keine?n?|"
    r"vergiss|streiche?|entferne?|ignoriere?)(?: about)?"
    rf" (?:(?:a|an|any|the|my|that|das|die|den|der|mein\w*|alle) )?(?:{_ANY_NOUN}){_TAIL}\b"
    r"(?! (?:of|above|below|over|under|von|ueber|unter) \W?\d)"
)
_NO_MATTER = re.compile(
    rf"\b(?:{_ANY_NOUN}){_TAIL} (?:(?:does not|doesnt|dont) matter|(?:ist |sind )?egal)\b"
)
_AMOUNT = r"\W?\d[\d.,]*\s?(?:\w+|\$)?"
_SCALE = re.compile(
    r"\b(?:(?P<twice>double|twice|verdopp\w+|doppelte\w*)|(?P<triple>triple|verdreifach\w+)|"
    r"(?P<half>half|halve|halbier\w+|halbe\w*))"
    rf"(?: (?:the|my|of|as|much|das|die|den|es|mein\w*)){{0,6}} ?(?:{_ANY_NOUN}|(?P<it>it|that)\b|$)"
)
_MORE = re.compile(
    r"\d+ (?P<more>more|mehr|weitere|less) (?!than|als)\w+"
    rf"|(?<!or )(?<!no )(?<!\w)(?:{_AMOUNT} (?P<up>more|extra|longer|mehr|laenger)|{_AMOUNT} "
    r"(?P<down>less|fewer|shorter|weniger|kuerzer))\b(?! than| als)"
    rf"|\b(?P<add>add|another|plus|noch|(?:increase|raise|extend|erhoehe?|verlaengere?)\b.* (?:by|um))"
    rf" {_AMOUNT}"
    rf"|\b(?P<cut>(?:reduce|lower|cut|decrease|shorten|senke?|verkuerze?|verringere?)\b.* (?:by|um))"
    rf" {_AMOUNT}"
)
_RELATION_WORDS = re.compile(
    r"\b(?:more|extra|longer|mehr|laenger|less|fewer|shorter|weniger|kuerzer|weitere|add|another|"
    r"plus|noch|increase|raise|extend|erhoehe?|verlaengere?|reduce|lower|cut|decrease|shorten|"
    r"senke?|verkuerze?|verringere?|by|um|the|budget|time|das|die)\b"
)
_TARGET_TO = re.compile(
    r"\b(?:target|goal|ziel|zielwert|f1)\b(?: score)? (?:to|auf|of|at|=) (?P<score>\d+(?:\.\d+)?)\b"
)
_CHEAPER = re.compile(
    r"\b(?:cheaper|less expensive|billiger|guenstiger|weniger teuer|preiswerter)\b"
)
_FASTER = re.compile(r"\b(?:faster|quicker|schneller)\b")
_NO_PLAN = "Say the most it may {}, such as {}; there is no plan yet to be compared with."


class Amendment(BaseModel):
    """What words change: values to set, clauses to drop, the words for each, and what is wrong."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    changes: dict[str, Any] = {}
    drops: tuple[str, ...] = ()
    evidence: dict[str, str] = {}
    problems: tuple[Problem, ...] = ()

    @property
    def is_empty(self) -> bool:
        return not (self.changes or self.drops or self.problems)


def amendment(
    text: str, parsed: Parsed, before: Constraints, plan: Mapping[str, Any] | None
) -> Amendment:
    """What `text` changes of `before`; `plan` is what "cheaper" is compared with."""
    words = folded(text)
    if any(problem.clause == MONTHLY_LIMIT for problem in parsed.problems):
        return Amendment(problems=parsed.problems)
    if dropped := _dropped(words):
        found = {clause for clause in dropped if clause not in parsed.evidence}
        spoken = _spoken(parsed, without=frozenset(found))
        return spoken.model_copy(update={"drops": tuple(sorted(found)), "problems": ()})
    if (match := _TARGET_TO.search(words)) and "target" not in parsed.evidence:
        return _set_target(match)
    relative = _scaled(words, before) or _moved(words, before) or _compared(words, parsed, plan)
    if relative is None:
        return _spoken(parsed)
    spoken = _spoken(parsed, without=frozenset({"budget_usd", "max_minutes"}))
    return Amendment(
        changes=spoken.changes | relative.changes,
        evidence=spoken.evidence | dict.fromkeys(relative.evidence, text.strip()[:80]),
        problems=relative.problems,
    )


def amended(request: Parsed, change: Amendment, intent: Intent) -> Parsed:
    """The earlier request with the change; whatever was kept says so."""
    values = request.constraints.model_dump()
    gone = {field for clause in change.drops for field in _fields(clause)}
    values |= dict.fromkeys(gone) | change.changes
    evidence = dict(change.evidence)
    if request.constraints.metric and evidence.get("metric", "") == evidence.get("target"):
        # A bare "above 80%" is about the metric that was named before.
        values["metric"] = request.constraints.metric
        del evidence["metric"]
    constraints = Constraints.model_validate(values)
    kept = [
        clause
        for clause in request.evidence
        if clause not in gone and getattr(constraints, clause) is not None
    ]
    return Parsed(
        intent=intent,
        constraints=constraints,
        evidence=dict.fromkeys(kept, AS_SAID_BEFORE) | evidence,
        problems=change.problems,
        amends=constraints != request.constraints,
    )


def folded(text: str) -> str:
    """Lower case, umlauts spelled out, no punctuation but what amounts need."""
    return " ".join(re.sub(r"[!?;:()\"]", " ", fold(text[:1000])).split())


def _spoken(parsed: Parsed, without: frozenset[str] = frozenset()) -> Amendment:
    """The clauses that the words state themselves."""
    said = [c for c in parsed.evidence if c not in without]
    changes: dict[str, Any] = {}
    for clause in said:
        for field in _fields(clause):
            changes[field] = getattr(parsed.constraints, field)
    return Amendment(
        changes=changes,
        evidence={clause: parsed.evidence[clause] for clause in said},
        problems=parsed.problems,
    )


def _fields(clause: str) -> tuple[str, ...]:
    return _FIELDS.get(clause, (clause,))


def _dropped(words: str) -> list[str]:
    found = [*_DROP.finditer(words), *_NO_MATTER.finditer(words)]
    return [clause for match in found for clause in _NOUNS if match[clause]]


def _scaled(words: str, before: Constraints) -> Amendment | None:
    """ "double the budget", "half the time", "halve it"."""
    match = _SCALE.search(words)
    if match is None:
        return None
    factor = Decimal(2) if match["twice"] else Decimal(3) if match["triple"] else Decimal("0.5")
    if match["max_minutes"] or (before.budget_usd is None and not match["budget_usd"]):
        return _set_minutes(before, factor, Decimal(0))
    if match["budget_usd"] or match["it"]:
        return _set_budget(before, factor, Decimal(0))
    return None


def _moved(words: str, before: Constraints) -> Amendment | None:
    """ "10 more minutes", "$2 less", "raise the budget by $5"."""
    match = _MORE.search(words)
    if match is None:
        return None
    sign = -1 if match["down"] or match["cut"] or match["more"] == "less" else 1
    by = parse(_RELATION_WORDS.sub(" ", match[0])).constraints
    if by.budget_usd is not None:
        return _set_budget(before, Decimal(1), sign * Decimal(by.budget_usd))
    if by.max_minutes is not None:
        return _set_minutes(before, Decimal(1), sign * Decimal(str(by.max_minutes)))
    return None


def _compared(words: str, parsed: Parsed, plan: Mapping[str, Any] | None) -> Amendment | None:
    """ "cheaper", "faster": strictly less than the plan that there is."""
    if _CHEAPER.search(words) and "budget_usd" not in parsed.evidence:
        if plan is None:
            return _wrong("budget_usd", _NO_PLAN.format("cost", "$5"))
        less = {"budget_usd": str(plan["ceiling_usd"]), "budget_comparator": Comparator.LT}
        return Amendment(changes=less, evidence={"budget_usd": ""})
    if _FASTER.search(words) and "max_minutes" not in parsed.evidence:
        if plan is None:
            return _wrong("max_minutes", _NO_PLAN.format("take", "30 minutes"))
        seconds = sum(int(stage["estimate"]["p90_seconds"]) for stage in plan["stages"])
        less = {"max_minutes": max(1, ceil(seconds / 60)), "time_comparator": Comparator.LT}
        return Amendment(changes=less, evidence={"max_minutes": ""})
    return None


def _set_budget(before: Constraints, factor: Decimal, more: Decimal) -> Amendment:
    if before.budget_usd is None:
        return _wrong("budget_usd", "There is no budget yet to change; say one such as $10.")
    amount = (Decimal(before.budget_usd) * factor + more).quantize(MICRO_USD, ROUND_FLOOR)
    if amount <= 0:
        return _wrong("budget_usd", f"Nothing would be left of ${before.budget_usd}.")
    return Amendment(
        changes={"budget_usd": to_usd(parse_usd(amount))}, evidence={"budget_usd": ""}
    )


def _set_minutes(before: Constraints, factor: Decimal, more: Decimal) -> Amendment:
    if before.max_minutes is None:
        return _wrong("max_minutes", "There is no time limit yet to change; say one as 1 hour.")
    minutes = Decimal(str(before.max_minutes)) * factor + more
    if minutes <= 0:
        return _wrong("max_minutes", f"Nothing would be left of {before.max_minutes} minutes.")
    changes = {"max_minutes": whole_minutes(minutes * 60)}
    return Amendment(changes=changes, evidence={"max_minutes": ""})


def _set_target(match: re.Match[str]) -> Amendment:
    """ "The target to 90": per cent, unless it is a fraction; the comparator stays."""
    score = Decimal(match["score"])
    value = float(score / 100 if score > 1 else score)
    if not 0 < value <= 1:
        return _wrong("target", f"{match['score']} cannot be; say a score between 0% and 100%.")
    return Amendment(changes={"target": value}, evidence={"target": match[0]})


def _wrong(clause: str, message: str) -> Amendment:
    return Amendment(problems=(Problem(clause=clause, message=message),))
