"""A person's sentence in, `Parsed` out: intent, constraints with the words they came from, problems.

Deterministic, English and German. Limits take the upper end of a range, targets the lower.
"""

from datetime import datetime, timedelta
from decimal import ROUND_FLOOR

from pydantic import BaseModel, ConfigDict

from mlops.errors import RequestError
from mlops.money import parse_usd, to_usd
from mlops.reading import clauses, clock, consent, intents, mentions, pointers, spending, waiting
from mlops.reading.clauses import MICRO_USD, Comparator, Mention, Problem, whole_minutes
from mlops.reading.intents import Intent
from mlops.reading.quantities import Reading, read

__all__ = [
    "Comparator",
    "Constraints",
    "Intent",
    "MAX_SENTENCE_CHARS",
    "Parsed",
    "Problem",
    "at_moment",
    "parse",
    "starting",
]

MAX_SENTENCE_CHARS = 10_000
"""Of what a person says at once."""
_DEFAULT_METRIC = "f1"
# A plan is made some time after its sentence was read: a start in between is now.
_JUST_NOW = timedelta(minutes=10)
# For longer than this nobody promises a price.
LONGEST_AHEAD = timedelta(days=30)
_TWO_REQUESTS = "Two requests in one: to stop a job, and to train. Say one at a time."
_WITH_PROBLEMS = (Intent.TRAIN, Intent.ESTIMATE, Intent.OTHER)


class Constraints(BaseModel):
    """What was asked for; None is "not said". `target` is a fraction, `budget_usd` a decimal.

    `start_at` is as said ("tomorrow 09:00", see `mlops.reading.clock`) until `at_moment` made it a moment in
    UTC; `timezone` is the person's, for showing it. `queue`: wait where no quota is free, for at most
    `max_wait_minutes`.
    """

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
    queue: bool | None = None
    max_wait_minutes: int | float | None = None
    start_at: str | None = None
    timezone: str | None = None

    @property
    def scored_by(self) -> str:
        """The metric that counts: the named one, else F1."""
        return self.metric or _DEFAULT_METRIC


class Parsed(BaseModel):
    """`evidence` maps each constraint that was said to its exact words in the text.

    `amends`: it changes an earlier request; `job_name` is the job that "it" stands for.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    intent: Intent
    constraints: Constraints
    evidence: dict[str, str]
    problems: tuple[Problem, ...] = ()
    refers_to_previous: tuple[str, ...] = ()
    approve: bool | None = None
    amends: bool = False
    job_name: str | None = None


def parse(text: str) -> Parsed:
    """Never raises: what cannot be read is a `Problem`, what was not said is None."""
    said = waiting.read(read(text))
    values, evidence = said.values, said.evidence
    money = spending.read(said.rest)
    reading, problems = money.rest, [*said.problems, *money.problems]
    for clause, found in _clauses(reading).items():
        if isinstance(found, Problem):
            problems.append(found)
        elif found is not None:
            values |= _values(clause, found)
            evidence[clause] = reading.words(found.first, found.last)
    if money.too_much and "budget_usd" not in values:
        problems.append(money.too_much)
    _add_choices(reading, values, evidence)
    problems += _add_metric(reading, values, evidence)
    constraints = Constraints.model_validate(values)
    intent = intents.intent(reading, frozenset(evidence) | money.clauses)
    problems = problems if intent in _WITH_PROBLEMS else []
    if intents.is_two_requests(reading):
        problems.append(Problem(clause="request", message=_TWO_REQUESTS))
    return Parsed(
        intent=intent,
        constraints=constraints,
        evidence=evidence,
        problems=tuple(problems),
        refers_to_previous=pointers.references(reading, intent, frozenset(evidence)),
        approve=consent.approval(reading),
    )


def at_moment(parsed: Parsed, now: datetime, timezone: str | None) -> Parsed:
    """The same with `start_at` as a moment in UTC: a time of day is the person's own. Their zone
    stays with whatever waits, so that times are shown in it."""
    said = parsed.constraints.model_copy(update={"timezone": timezone})
    if said.start_at is None:
        return parsed.model_copy(update={"constraints": said}) if said.queue else parsed
    try:
        return parsed.model_copy(update={"constraints": starting(said, now)})
    except RequestError as error:
        return _without_start(parsed, error.message)


def starting(said: Constraints, now: datetime) -> Constraints:
    """`start_at` as a moment in UTC, by the clock of `timezone`; RequestError when it has passed or is
    too far ahead."""
    if said.start_at is None:
        return said
    try:
        start = clock.moment(said.start_at, now, clock.zone_of(said.timezone))
    except (ValueError, OverflowError) as error:
        message = f"I cannot read the time {said.start_at!r}; say one such as 18:00."
        raise RequestError("bad_time", message) from error
    shown = clock.shown(start, said.timezone)
    if start < now - _JUST_NOW:
        raise RequestError("bad_time", f"{shown} has passed; say a time that is still to come.")
    if start > now + LONGEST_AHEAD:
        days = LONGEST_AHEAD.days
        raise RequestError("bad_time", f"{shown} is more than {days} days away; ask again then.")
    return said.model_copy(update={"start_at": start.isoformat()})


def _without_start(parsed: Parsed, message: str) -> Parsed:
    return parsed.model_copy(
        update={
            "constraints": parsed.constraints.model_copy(update={"start_at": None}),
            "evidence": {k: words for k, words in parsed.evidence.items() if k != "start_at"},
            "problems": (*parsed.problems, Problem(clause="start_at", message=message)),
        }
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
        return {clause: whole_minutes(found.value), "time_comparator": found.comparator or "<="}
    metric = found.metric or None
    comparator = found.comparator or ">="
    return {clause: float(found.value), "target_comparator": comparator, "metric": metric}


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
