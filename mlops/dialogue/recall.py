"""Words that point back in, with what they point at filled in out: "that instance", "the same dataset", "it"."""

import re
from collections.abc import Sequence
from typing import Any

from mlops.constraints import Intent, Parsed
from mlops.dialogue.amendments import AS_SAID_BEFORE, Amendment, amended, folded
from mlops.dialogue.memory import REQUESTS, Memory
from mlops.instances import catalog

FOLLOW_UP = re.compile(
    r"(?:(?:ok|okay|hm|so) )?(?:and|und|but|aber|or|oder|what about|how about|what if|was ist mit|was waere|"
    r"wie waere|wie waers|wie sieht|what would|and what|with|mit)\b"
)
_INSTANCE = re.compile(r"\bml\.[a-z0-9-]+\.[a-z0-9]+\b", re.IGNORECASE)
JOB_NAME = re.compile(r"\bllmops-[a-z0-9-]{8,54}\b")
_IT = re.compile(
    r"\b(?:it|that|this|es|das|er|ihn|last|latest|letzte\w*|previous|(?:the|that|this|der|den) "
    r"(?:job|run|training|lauf))\b"
)
_JOB_COST = re.compile(
    r"\b(?:it|that|this|(?:last|latest|previous)? ?(?:job|run|training|model))s? costs?\b|"
    r"\bhat (?:es|das|er|der (?:letzte )?(?:job|lauf)|das (?:letzte )?training) gekostet\b"
)
_CHEAPEST = re.compile(
    r"\b(?:cheapest|guenstigste\w*|billigste\w*)(?: (?:one|gpu|instance|machine|option|instanz|"
    r"maschine|grafikkarte))?\b"
)
_ABOUT_JOBS = (Intent.STOP, Intent.JOBS, Intent.COSTS, Intent.EXPLAIN)


def referring(text: str, parsed: Parsed, before: Memory) -> Parsed:
    """ "That instance", "the same dataset", "it": filled in from what was said before."""
    if parsed.approve is not None and parsed.intent is Intent.OTHER:
        return parsed
    words = folded(text)
    found = {
        field: value
        for reference in parsed.refers_to_previous
        for field, value in _recall(reference, before).items()
        if getattr(parsed.constraints, field) is None
    }
    request, instance = before.request, found.get("instance_type")
    if request is not None and instance and parsed.intent is Intent.OTHER:
        said = {"instance_type": AS_SAID_BEFORE}
        change = Amendment(changes={"instance_type": instance}, evidence=said)
        return amended(request, change, request.intent)
    if parsed.intent in REQUESTS and _CHEAPEST.search(words) and before.instance_type:
        if parsed.constraints.instance_type is None:
            found["instance_type"] = before.instance_type
    changes: dict[str, Any] = {"intent": _topic(words, parsed, before)}
    if found:
        kept = [f for f in found if not f.endswith("comparator")]
        changes["constraints"] = parsed.constraints.model_copy(update=found)
        changes["evidence"] = parsed.evidence | dict.fromkeys(kept, AS_SAID_BEFORE)
    if parsed.intent in _ABOUT_JOBS:
        changes |= _job(text, words, parsed, before)
    return parsed.model_copy(update=changes)


def _topic(words: str, parsed: Parsed, before: Memory) -> Intent:
    """ "And ml.m5.large?" after a question about machines is one more of it."""
    is_more = before.topic is Intent.GPUS and FOLLOW_UP.match(words) and parsed.evidence
    return Intent.GPUS if parsed.intent is Intent.OTHER and is_more else parsed.intent


def _job(text: str, words: str, parsed: Parsed, before: Memory) -> dict[str, Any]:
    """The job that is named, or that "it" is."""
    if named := JOB_NAME.search(text):
        return {"job_name": named[0]}
    about = _JOB_COST if parsed.intent is Intent.COSTS else _IT
    if not about.search(words):
        return {}
    refers = tuple(dict.fromkeys((*parsed.refers_to_previous, "job")))
    is_other = re.search(r"\b(?:last|latest|letzte\w*)\b", words) is not None
    return {"refers_to_previous": refers, "job_name": None if is_other else before.job_name}


def _recall(reference: str, before: Memory) -> dict[str, Any]:
    """Constraint fields that a reference stands for, from the latest mention."""
    if reference == "instance":
        name = _last_instance(before.replies)
        return {"instance_type": name} if name else {}
    fields = {
        "dataset": ("dataset", "task"),
        "budget": ("budget_usd", "budget_comparator"),
        "model": ("model",),
    }
    for constraints in reversed(before.earlier):
        values = {f: getattr(constraints, f) for f in fields.get(reference, ())}
        if any(values.values()):
            return {field: value for field, value in values.items() if value is not None}
    return {}


def _last_instance(texts: Sequence[str]) -> str | None:
    """The instance of the latest text that names one; its first mention is what it is about."""
    for text in reversed(texts):
        for match in _INSTANCE.finditer(text):
            if match[0].lower() in catalog():
                return match[0].lower()
    return None
