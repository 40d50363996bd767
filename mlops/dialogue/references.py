"""A person's words and what a conversation left behind in, the words understood out.

"Make it $8", "B", "cier", "that one", "stop it": each is completed from before, or left as it is.
"""

import re
from collections.abc import Sequence
from typing import Any

from mlops.constraints import Constraints, Intent, Parsed, parse
from mlops.dialogue.amendments import Amendment, amended, amendment, folded
from mlops.dialogue.choices import Choice, lettered, pick
from mlops.dialogue.followups import follow_up
from mlops.dialogue.memory import REQUESTS, Memory
from mlops.dialogue.recall import FOLLOW_UP, referring
from mlops.reading.clauses import Problem
from mlops.reading.intents import is_held
from mlops.reading.lexicon import LEXICON
from mlops.reading.quantities import read
from mlops.reading.spending import MONTHLY_LIMIT

_SAME = re.compile(
    r"\b(?:same|gleiche\w*)\b(?! (?:budget|data|dataset|corpus|instance|machine|model|gpu|datensatz|"
    r"instanz|maschine|modell)\b)|\b(?:dasselbe|again|as before|like before|once more|repeat|"
    r"nochmal\w*|noch einmal|wie (?:vorher|zuvor|eben|gehabt)|wiederhole?)\b"
)
_MARKER = re.compile(
    r"\b(?:instead|stattdessen|rather|lieber|actually|eigentlich|make (?:it|that)|mach (?:es|das)|"
    r"(?:train|run|try|do|start|launch|trainiere?|starte|probiere?) (?:it|that|es|das)|i meant?|"
    r"statt|change (?:it|that)|switch (?:it|to)|doch|sorry|use|nimm|nutze|verwende)\b"
)
_ASKING = re.compile(r"(?:what|how|wie|was|would it|could it|and what|und was|und wie|if)\b")
_POLITE = re.compile(
    r"(?:(?:ok|okay|and|und|so) )?(?:(?:can|could|would|will) (?:you|we)|kannst du|koenntest du|"
    r"wuerdest du|koennen wir)\b"
)
_GO = re.compile(r"\b(?:launch|start|go|do|train|run|los|starte|trainiere)\b")
_START_IT = re.compile(
    r"(?<!not )(?<!dont )(?<!never )\b(?:train|run|start|launch|trainiere?|starte?) "
    r"(?:it|that|this|es|das|now|jetzt)\b(?! nicht)"
)
_QUESTIONS = (Intent.STOP, Intent.JOBS, Intent.GREETING, Intent.EXPLAIN, Intent.DATASETS)
_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{1,62}")


def in_context(text: str, before: Memory) -> Parsed:
    """What the words mean after what was said before."""
    parsed = parse(text)
    if is_held(read(text)):
        return parsed
    return (
        _chosen_job(text, before)
        or _chosen_way(text, parsed, before)
        or _named_dataset(text, parsed, before)
        or _listed_dataset(text, parsed, before)
        or follow_up(text, parsed, before)
        or _amended(text, parsed, before)
        or referring(text, parsed, before)
    )


def _chosen_job(text: str, before: Memory) -> Parsed | None:
    """The answer to "which one shall I stop?"."""
    chosen = pick(text, [Choice(message=name) for name in before.jobs])
    if before.jobs and chosen is None:
        return _answered(text, before)
    if chosen is None:
        return None
    if isinstance(chosen, str):
        return _no_such(chosen, before.jobs, Intent.STOP)
    return _bare(Intent.STOP).model_copy(update={"job_name": chosen.message})


def _answered(text: str, before: Memory) -> Parsed | None:
    """Yes to the one that was named stops it; no, or yes to several, stops nothing."""
    yes = parse(text).approve
    if yes is None or parse(text).intent is Intent.STOP:
        return None
    if yes and len(before.jobs) == 1:
        return _bare(Intent.STOP).model_copy(update={"job_name": before.jobs[0]})
    return _bare(Intent.STOP if yes else Intent.JOBS)


def _chosen_way(text: str, parsed: Parsed, before: Memory) -> Parsed | None:
    """One of the ways out that the last request ended with; its changes and no others."""
    request = before.what_if or before.request
    chosen = pick(text, before.offers)
    if request is None or chosen is None or set(parsed.evidence) - {"dataset"}:
        return None
    if isinstance(chosen, str):
        messages = [offer.message for offer in before.offers]
        return _no_such(chosen, messages, request.intent)
    if wrong := _not_ours(chosen):
        return _bare(request.intent).model_copy(update={"problems": (wrong,)})
    said = dict.fromkeys(chosen.changes, text.strip()[:80])
    change = Amendment(changes=_typed(chosen.changes), evidence=said)
    return amended(request, change, request.intent)


def _named_dataset(text: str, parsed: Parsed, before: Memory) -> Parsed | None:
    """The answer to "which dataset?": a name that was shown, or one word that can be a name."""
    request = before.request
    if not before.asks_for_dataset or request is None or parsed.evidence.get("dataset"):
        return None
    if parsed.intent not in (Intent.OTHER, *REQUESTS):
        return None
    words = folded(text)
    name = before.dataset_in(words) or _dataset_of(_picked(text, parsed, before.offers))
    change = amendment(text, parsed, request.constraints, before.plan)
    is_one = len(words.split()) == 1 and words not in LEXICON and parsed.approve is None
    if not name and before.topic in REQUESTS and is_one and change.is_empty:
        name = words if _NAME.fullmatch(words) else ""
    if not name:
        return None
    change = change.model_copy(
        update={
            "changes": change.changes | {"dataset": name},
            "evidence": change.evidence | {"dataset": name},
        }
    )
    return amended(request, change, request.intent)


def _listed_dataset(text: str, parsed: Parsed, before: Memory) -> Parsed | None:
    """ "Train on the first one", after the datasets were listed."""
    if before.topic is not Intent.DATASETS:
        return None
    chosen = _picked(text, parsed, before.datasets)
    if parsed.intent not in REQUESTS or not isinstance(chosen, Choice):
        return None
    constraints = parsed.constraints.model_copy(update=chosen.changes)
    evidence = parsed.evidence | {"dataset": text.strip()[:80]}
    return parsed.model_copy(update={"constraints": constraints, "evidence": evidence})


def _picked(text: str, parsed: Parsed, offers: Sequence[Choice]) -> Choice | str | None:
    """ "The small one, at most $2": what the words besides the clauses choose. The article of a
    clause ("a budget of $5") is no letter."""
    for words in sorted(parsed.evidence.values(), key=len, reverse=True):
        text = re.sub(rf"(?:\ba )?{re.escape(words)}", " ", text, flags=re.IGNORECASE)
    return pick(text, offers)


def _dataset_of(chosen: Choice | str | None) -> str:
    return str(chosen.changes.get("dataset", "")) if isinstance(chosen, Choice) else ""


def _amended(text: str, parsed: Parsed, before: Memory) -> Parsed | None:
    request = before.request
    if request is None:
        return None
    words = folded(text)
    if parsed.approve is not None and not parsed.evidence:
        return _started(words, parsed, before)
    intent = _intent(text, words, parsed, request)
    plan = before.plan
    if intent is Intent.ESTIMATE and before.what_if and before.topic is Intent.ESTIMATE:
        request, plan = before.what_if, before.shown_plan
    change = amendment(text, parsed, request.constraints, plan)
    if not _is_meant(words, parsed, change, before):
        return None
    meant = amended(request, change, intent)
    is_go = intent is Intent.TRAIN and not (meant.amends or change.evidence or change.problems)
    return _asked_again(meant, before) if is_go and _START_IT.search(words) else meant


def _started(words: str, parsed: Parsed, before: Memory) -> Parsed | None:
    """ "Ok, start it" after an estimate asks for what was estimated; it still waits for approval."""
    request = before.request
    asked = parsed.approve and before.topic is Intent.ESTIMATE and _GO.search(words)
    if request is None or not asked or request.constraints.dataset is None:
        return None
    return _asked_again(amended(request, Amendment(), Intent.TRAIN), before)


def _asked_again(parsed: Parsed, before: Memory) -> Parsed:
    """ "Train it": a yes to the plan that there is for it; without one it is planned."""
    request = before.request
    is_planned = before.plans and request is not None and request.intent is Intent.TRAIN
    return parsed.model_copy(update={"approve": True}) if is_planned else parsed


def _is_meant(words: str, parsed: Parsed, change: Amendment, before: Memory) -> bool:
    """Whether the words change the last request, rather than ask or begin something else."""
    said = set(parsed.evidence)
    again, marked = _SAME.search(words) is not None, _MARKER.search(words) is not None
    relative = bool(change.drops) or change.changes.keys() - said - {"metric"} - _COMPARATORS
    if parsed.intent in REQUESTS:
        if "dataset" in said:
            return again or (marked and not said >= {"task", "dataset"}) or before.asks_for_dataset
        return again or marked or "task" not in said or parsed.intent is Intent.ESTIMATE
    if parsed.intent is Intent.OTHER:
        return bool(said - {"task", "metric"}) or not change.is_empty or again
    if parsed.intent in _QUESTIONS:
        return bool(change.drops) or (bool(said & {"dataset"}) and (marked or again))
    follows = before.topic in REQUESTS and FOLLOW_UP.match(words) is not None
    is_bare = said == {"instance_type"} and len(words.split()) <= 3 and before.topic in REQUESTS
    return bool(relative) or is_bare or ((marked or follows or again) and bool(said))


_COMPARATORS = {"budget_comparator", "time_comparator", "target_comparator", "timezone"}


def _intent(text: str, words: str, parsed: Parsed, request: Parsed) -> Intent:
    """A question only asks what it would be; anything else goes on as before."""
    if parsed.intent in REQUESTS:
        return parsed.intent
    if _START_IT.search(words):
        return Intent.TRAIN
    asks = text.rstrip().endswith("?") or _ASKING.match(words)
    return Intent.ESTIMATE if asks and not _POLITE.match(words) else request.intent


def _not_ours(chosen: Choice) -> Problem | None:
    """What a sentence alone must not or cannot do."""
    if "raise_monthly_limit_usd" in chosen.changes:
        by = chosen.changes["raise_monthly_limit_usd"]
        message = (
            f"That needs ${by} more than the limit of the month, and no sentence changes that. "
            "`llmops budget show` says the limit, `llmops budget set AMOUNT` sets it; then ask again."
        )
        return Problem(clause=MONTHLY_LIMIT, message=message)
    if chosen.changes or chosen.kind == "retry":
        return None
    message = f"{chosen.message}: that is a step of yours; nothing in the request changes by it."
    return Problem(clause="choice", message=message)


def _typed(changes: dict[str, Any]) -> dict[str, Any]:
    """A raised limit is an upper limit, whatever comparator stood there before."""
    more = {"budget_usd": "budget_comparator", "max_minutes": "time_comparator"}
    return changes | {more[c]: "<=" for c in changes if c in more}


def _no_such(letter: str, messages: Sequence[str], intent: Intent) -> Parsed:
    there = "; ".join(lettered(messages))
    problem = Problem(clause="choice", message=f"There is no {letter}. There are: {there}")
    return _bare(intent).model_copy(update={"problems": (problem,)})


def _bare(intent: Intent) -> Parsed:
    return Parsed(intent=intent, constraints=Constraints(), evidence={})
