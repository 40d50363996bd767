"""Questions about a plan in, answers from that plan out: what it costs, which one waits, what can be done with it."""

import re
from collections.abc import Mapping
from typing import Any

from mlops.constraints import Intent, Parsed
from mlops.dialogue import answers
from mlops.dialogue.amendments import folded
from mlops.dialogue.conversation import Conversation
from mlops.dialogue.language import Language
from mlops.dialogue.memory import REQUESTS
from mlops.dialogue.phrases import say
from mlops.money import parse_usd, show_usd
from mlops.reading.intents import is_held
from mlops.reading.quantities import read

_LEAD = r"(?:(?:ok|okay|and|und|so|then|dann|hm|well|but|aber|also) )*"
_IT = r"(?:that|it|this|the plan|this plan|das|es|der plan|dieser plan|das alles)"
_PRICE = re.compile(
    rf"{_LEAD}(?:how (?:much|expensive) (?:is|are|was|would|will|does|do) {_IT}\b"
    rf"|what (?:does|would|will|is) (?:{_IT} (?:cost|be|come to)|the (?:cost|price))\b|whats the (?:cost|price)\b"
    rf"|(?:was|wie ?viel) (?:kostet|wuerde|kostete|macht|ist) {_IT}\b"
    rf"|wie teuer (?:ist|waere|wird|wuerde) {_IT}\b)"
)
_OTHER_MONEY = re.compile(r"\b(?:euros?|eur|pounds?|pfund|gbp|francs?|franken|chf|yen)\b|[€£]")
_MONEY_WORDS = re.compile(r"\b(?:much|cost|costs|price|kostet|kosten|teuer|viel|that|it|das)\b")
_WAITING = re.compile(
    r"\b(?:waiting|waits?|pending|approved|approval|undecided|wartet|wartend|offen|genehmigt|"
    r"freigegeben|freigabe|genehmigung)\b"
)
_PLANNED = re.compile(
    r"\b(?:plans?|approval|approved|it|that|plaene?|freigabe|genehmigung|er|es)\b"
)


def answer(conversation: Conversation, parsed: Parsed) -> str | None:
    """None when no plan is asked about."""
    words = " ".join(folded(conversation.text).replace(",", " ").split())
    asked = conversation.text.rstrip().endswith("?") or words.startswith(
        ("how", "wie", "was", "what")
    )
    if _OTHER_MONEY.search(words) and _MONEY_WORDS.search(words) and not parsed.evidence:
        return _without_rate(conversation)
    if _PRICE.match(words) and not parsed.evidence:
        return price(conversation)
    if asked and _WAITING.search(words) and _PLANNED.search(words):
        return which(conversation)
    return None


def price(conversation: Conversation) -> str | None:
    """What the plan that was last spoken of can cost; None when none was."""
    plan = _spoken_of(conversation)
    if plan is None:
        return None
    told = answers.plan(plan, conversation.language)
    is_open = plan is conversation.open_plan
    return told + "\n" + _waits(plan, conversation.language) if is_open else told


def which(conversation: Conversation) -> str:
    plan = conversation.open_plan
    if plan is None:
        return say("none_waits", conversation.language)
    return _waits(plan, conversation.language)


def not_a_change(conversation: Conversation) -> str | None:
    """Of words that were no change of the plan that waits, and no request; None without one."""
    plan, language = conversation.open_plan, conversation.language
    held = is_held(read(conversation.text))
    if plan is None:
        return say("nothing_trained", language) if held else None
    if held:
        return say("nothing_trained", language) + " " + _waits(plan, language)
    return say("not_a_change", language, plan=plan["plan_id"], usd=_most(plan))


def _without_rate(conversation: Conversation) -> str | None:
    plan = _spoken_of(conversation)
    if plan is None:
        return None
    return say("no_rate", conversation.language, usd=_most(plan))


def _spoken_of(conversation: Conversation) -> dict[str, Any] | None:
    """The one of a question just asked, else the one that waits, else the one just shown."""
    before = conversation.before
    if before.what_if is not None and before.topic is Intent.ESTIMATE:
        return before.shown_plan
    shown = before.shown_plan if before.topic in (*REQUESTS, Intent.OTHER) else None
    return conversation.open_plan or shown


def _waits(plan: Mapping[str, Any], language: Language) -> str:
    facts = {"plan": plan["plan_id"], "name": plan["dataset"]["name"], "usd": _most(plan)}
    return say("waits", language, **facts)


def _most(plan: Mapping[str, Any]) -> str:
    return show_usd(parse_usd(str(plan["ceiling_usd"])))
