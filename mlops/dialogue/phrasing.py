"""Constraints as a sentence that says them again: what the parser reads from it is what went in.

A way out of a refusal changes some constraints; the sentence with the change is a request of its own.
"""

import calendar
import re
from decimal import Decimal

from mlops.constraints import Comparator, Constraints

_TASKS = {
    "token-classification": "named entity recognition",
    "text-classification": "text classification",
    "question-answering": "question answering",
}
_SAID = re.compile(r"(?P<day>.*?) ?(?P<clock>\d\d:\d\d.*)")


def sentence(constraints: Constraints) -> str:
    """English; a task that has no words of its own keeps its name."""
    task = _TASKS.get(constraints.task or "", constraints.task or "")
    what = f"Train {task} on the {constraints.dataset} dataset" if task else ""
    what = what or f"Train on the {constraints.dataset} dataset"
    clauses = (
        _limit(constraints.budget_comparator, "$", constraints.budget_usd, ""),
        _limit(constraints.time_comparator, "", constraints.max_minutes, " minutes"),
        _target(constraints),
        f"with the model {constraints.model}" if constraints.model else "",
        f"on {constraints.instance_type}" if constraints.instance_type else "",
        {None: "", True: "on spot", False: "no spot"}[constraints.spot],
        f"in {constraints.region}" if constraints.region else "",
        f"{constraints.epochs} epochs" if constraints.epochs else "",
        "no early stopping" if constraints.early_stop is False else "",
        _waiting(constraints),
        f"start {_when(constraints.start_at)}" if constraints.start_at else "",
    )
    return ", ".join([what, *(clause for clause in clauses if clause)])


def _limit(comparator: Comparator | None, before: str, value: object, after: str) -> str:
    if value is None:
        return ""
    words = "less than" if comparator is Comparator.LT else "at most"
    return f"{words} {before}{value}{after}"


def _waiting(constraints: Constraints) -> str:
    if constraints.max_wait_minutes is not None:
        return f"wait up to {constraints.max_wait_minutes} minutes"
    return {None: "", True: "queue it", False: "do not queue it"}[constraints.queue]


def _when(start_at: str) -> str:
    """ "at 2026-11-23 17:00:00 UTC", "tomorrow at 09:00 America/New_York", "in 120 minutes"."""
    if start_at.endswith(" minutes"):
        return start_at
    if start_at[:4].isdecimal():
        return f"at {start_at.replace('T', ' ').replace('+00:00', ' UTC')}"
    found = _SAID.fullmatch(start_at)
    return f"{_day(found['day'])} at {found['clock']}".strip() if found else start_at


def _day(said: str) -> str:
    """ "on 24 December", "on the 24th", "tomorrow"."""
    weekday, _, rest = said.strip().rpartition(" ")
    if weekday == "day":
        return f"on the {rest}th"
    if re.fullmatch(r"\d\d-\d\d", rest):
        return f"{weekday} on {int(rest[3:])} {calendar.month_name[int(rest[:2])]}".strip()
    return said.strip()


def _target(constraints: Constraints) -> str:
    if constraints.target is None:
        return ""
    per_cent = (Decimal(str(constraints.target)) * 100).normalize()
    comparator = constraints.target_comparator or Comparator.GE
    return f"{constraints.scored_by} {comparator} {per_cent:f}%"
