"""Short words after a plan in, the change of the request that they mean out: "I meant cier", "the small
one", "on a GPU", a bare number."""

import re
from typing import Any

from mlops.constraints import Intent, Parsed
from mlops.dialogue.amendments import Amendment, amended, amendment, folded
from mlops.dialogue.choices import Choice, core, is_size, pick
from mlops.dialogue.memory import REQUESTS, Memory
from mlops.reading.clauses import Problem

_NUMBER = re.compile(r"\W*(?P<number>\d+(?:[.,]\d+)?)\W*")
_TAKING = re.compile(
    r"\b(?:take|pick|choose|i meant?|meant|nimm|nehmen?|meinte|meine|lieber|rather|instead|switch to|"
    r"stattdessen|doch|prefer|use|using|want|nutze|verwende|(?:on|with|auf|mit) (?:the |dem )?\S+$)"
)
_LEAD = r"(?:(?:ok|okay|please|bitte|and|und|then|dann|but|aber|only|nur|actually|lieber|doch) )*"
_ON_GPU = re.compile(
    rf"{_LEAD}(?:use|using|take|pick|on|onto|with|auf|mit|nimm|nutze|verwende|i want|i need|switch to|"
    r"(?:run|train|do) (?:it|that) (?:on|with)|trainiere (?:es|das) auf) (?:an? |the |eine[mrn]? |die |der )?"
    r"(?:gpu|grafikkarte)(?: instance| machine|-instanz)?(?: (?:please|bitte|instead|stattdessen|then))*"
)


def follow_up(text: str, parsed: Parsed, before: Memory) -> Parsed | None:
    """None when the words are no such thing."""
    request = before.request
    if request is None or request.constraints.dataset is None:
        return None
    if number := _NUMBER.fullmatch(text):
        return _which_unit(number["number"], request)
    words = folded(text)
    if _ON_GPU.fullmatch(words):
        return _on_gpu(text, request, before)
    if parsed.intent not in (Intent.OTHER, *REQUESTS) or parsed.evidence.get("dataset"):
        return None
    name = _dataset(text, words, before)
    if not name:
        return None
    change = amendment(text, parsed, request.constraints, before.plan)
    more: dict[str, Any] = {
        "changes": change.changes | {"dataset": name},
        "evidence": change.evidence | {"dataset": text.strip()[:80]},
    }
    return amended(request, change.model_copy(update=more), _intent(text, request))


def _which_unit(number: str, request: Parsed) -> Parsed:
    """A number alone could be money, time or a score: it is asked which."""
    value = float(number.replace(",", "."))
    score = f", F1 above {value * 100:g}%" if 0 < value < 1 else ""
    time = "" if 0 < value < 1 else f", {number} minutes"
    message = f"Say what {number} is: ${number}{time}{score}. Nothing was changed."
    problem = Problem(clause="amount", message=message)
    return amended(request, Amendment(problems=(problem,)), request.intent)


def _on_gpu(text: str, request: Parsed, before: Memory) -> Parsed:
    """The cheapest one that was free when the market was last looked at."""
    if before.instance_type is None:
        message = "Say which GPU instance, such as ml.g4dn.xlarge; none is known to be free now."
        problem = Problem(clause="amount", message=message)
        return amended(request, Amendment(problems=(problem,)), request.intent)
    change = Amendment(
        changes={"instance_type": before.instance_type},
        evidence={"instance_type": text.strip()[:80]},
    )
    return amended(request, change, _intent(text, request))


def _dataset(text: str, words: str, before: Memory) -> str:
    """A dataset that was listed: by its name, or by its size among those that there are."""
    found = before.dataset_in(words)
    if found and (core(text) == found or _TAKING.search(words)):
        return found
    sized = is_size(core(text)) and before.topic in (*REQUESTS, Intent.DATASETS)
    chosen = pick(text, before.datasets) if sized else None
    return str(chosen.changes["dataset"]) if isinstance(chosen, Choice) else ""


def _intent(text: str, request: Parsed) -> Intent:
    return Intent.ESTIMATE if text.rstrip().endswith("?") else request.intent
