"""A person's sentence in, `Parsed` out: intent, constraints with the words they came from, problems.

Deterministic, English and German. Limits take the upper end of a range, targets the lower.
"""

from decimal import ROUND_FLOOR, Decimal

from pydantic import BaseModel, ConfigDict

from mlops import clauses, intents, mentions
from mlops.clauses import MICRO_USD, Comparator, Mention, Problem
from mlops.intents import Intent
from mlops.money import parse_usd, to_usd
from mlops.quantities import Reading, read

__all__ = ["Comparator", "Constraints", "Intent", "Parsed", "Problem", "parse"]

_DEFAULT_METRIC = "f1"
_TWO_REQUESTS = "Two requests in one: to stop a job, and to train. Say one at a time."
_WITH_PROBLEMS = (Intent.TRAIN, Intent.ESTIMATE, Intent.OTHER)


class Constraints(BaseModel):
    """What was asked for; None is "not said". `target` is a fraction, `budget_usd` a decimal."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    task: str | None = None
    dataset: str | None = None
    budget_usd: str | None = None
    budget_comparator: Comparator | None = None
    max_minutes: int | float | None = None
    time_comparator: Comparator | None = None
    metric: str | None = None
    target: float | None = None
    target_comparator: Comparator | None = None
    model: str | None = None
    instance_type: str | None = None
    spot: bool | None = None
    region: str | None = None
    epochs: int | None = None
    early_stop: bool | None = None


class Parsed(BaseModel):
    """`evidence` maps each constraint that was said to its exact words in the text."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    intent: Intent
    constraints: Constraints
    evidence: dict[str, str]
    problems: tuple[Problem, ...] = ()
    refers_to_previous: tuple[str, ...] = ()
    approve: bool | None = None


def parse(text: str) -> Parsed:
    """Never raises: what cannot be read is a `Problem`, what was not said is None."""
    reading = read(text)
    values: dict[str, object] = {}
    evidence: dict[str, str] = {}
    problems: list[Problem] = []
    for clause, found in _clauses(reading).items():
        if isinstance(found, Problem):
            problems.append(found)
        elif found is not None:
            values |= _values(clause, found)
            evidence[clause] = reading.words(found.first, found.last)
    _add_choices(reading, values, evidence)
    problems += _add_metric(reading, values, evidence)
    constraints = Constraints.model_validate(values)
    intent = intents.intent(reading, frozenset(evidence))
    problems = problems if intent in _WITH_PROBLEMS else []
    if intents.is_two_requests(reading):
        problems.append(Problem(clause="request", message=_TWO_REQUESTS))
    return Parsed(
        intent=intent,
        constraints=constraints,
        evidence=evidence,
        problems=tuple(problems),
        refers_to_previous=intents.references(reading, intent, frozenset(evidence)),
        approve=intents.approval(reading),
    )


def _clauses(reading: Reading) -> dict[str, Mention | Problem | None]:
    return {
        "task": mentions.task(reading),
        "dataset": mentions.dataset(reading),
        "budget_usd": clauses.budget(reading),
        "max_minutes": clauses.time_limit(reading),
        "target": clauses.target(reading),
        "model": mentions.model(reading),
        "instance_type": mentions.instance_type(reading),
        "region": mentions.region(reading),
    }


def _values(clause: str, found: Mention) -> dict[str, object]:
    """The fields of `Constraints` that a mention fills, in their units."""
    if isinstance(found.value, str):
        return {clause: found.value}
    if clause == "budget_usd":
        amount = found.value.quantize(MICRO_USD, ROUND_FLOOR)
        comparator = Comparator(found.comparator or "<=")
        return {clause: to_usd(parse_usd(amount)), "budget_comparator": comparator}
    if clause == "max_minutes":
        return {clause: _minutes(found.value), "time_comparator": found.comparator or "<="}
    metric = found.metric or None
    comparator = found.comparator or ">="
    return {clause: float(found.value), "target_comparator": comparator, "metric": metric}


def _minutes(seconds: Decimal) -> int | float:
    minutes = seconds / 60
    return int(minutes) if minutes == minutes.to_integral_value() else float(minutes)


def _add_choices(reading: Reading, values: dict[str, object], evidence: dict[str, str]) -> None:
    for clause, said in (
        ("spot", mentions.spot(reading)),
        ("epochs", mentions.epochs(reading)),
        ("early_stop", mentions.early_stop(reading)),
    ):
        if said:
            values[clause], first, last = said
            evidence[clause] = reading.words(first, last)


def _add_metric(
    reading: Reading, values: dict[str, object], evidence: dict[str, str]
) -> list[Problem]:
    """The metric of the target, else the one that is named anywhere, else F1 for a bare target."""
    named = [i for i, tag in enumerate(reading.tags) if tag == "F"]
    if named:
        of_target = [i for i in named if reading.tokens[i].name == values.get("metric")]
        first = (of_target or named)[0]
        values["metric"] = reading.tokens[first].name
        evidence["metric"] = reading.words(first, first)
    elif "target" in values and values.get("task") in (None, "token-classification"):
        values["metric"], evidence["metric"] = _DEFAULT_METRIC, evidence["target"]
    elif "target" in values:
        message = "The target names no metric; say which, such as accuracy > 90%."
        return [Problem(clause="metric", message=message)]
    return []
