"""Words in the light of what was said before: corrections, choices, references."""

from typing import Any

import pytest

from mlops.constraints import Intent, Parsed
from mlops.dialogue.conversation import noted, read, understand
from mlops.dialogue.exchanges import framed
from mlops.dialogue.language import Language, language_of

TRAIN = "Train NER on cier, at most $10, 1 hour, F1 above 85%"
PLAN = {
    "plan_id": "plan-1",
    "ceiling_usd": "2.00",
    "stages": [{"estimate": {"p90_seconds": 600}}],
}
WAYS = [
    {"kind": "raise_budget", "message": "Raise it", "cost_usd": "12", "changes": {"budget_usd": "12.00"}},
    {"kind": "spot", "message": "Spot", "cost_usd": "3", "changes": {"spot": True}},
    {
        "kind": "raise_budget",
        "message": "Raise the month",
        "cost_usd": "60",
        "changes": {"budget_usd": "60.00", "raise_monthly_limit_usd": "10.00"},
    },
    {"kind": "quota", "message": "Ask AWS for a higher quota"},
]  # fmt: skip


def user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": [{"text": text}]}


def answered(tool: str, data: dict[str, Any], ok: bool = True) -> list[dict[str, Any]]:
    use = {"toolUse": {"toolUseId": f"{tool}-1", "name": tool, "input": {}}}
    status = "success" if ok else "error"
    result = {"toolUseId": f"{tool}-1", "content": [{"json": data}], "status": status}
    return [
        {"role": "assistant", "content": [use]},
        {"role": "user", "content": [{"toolResult": result}]},
        {"role": "assistant", "content": [{"text": "Well."}]},
    ]


PLANNED = [user(TRAIN), *answered("plan_training", {"plan": PLAN})]
REFUSED = [
    user(TRAIN),
    *answered("plan_training", {"code": "budget_too_small", "alternatives": WAYS}, ok=False),
]


def after(messages: list[dict[str, Any]], text: str) -> Parsed:
    return understand([*messages, user(text)])


def test_a_correction_changes_only_what_it_says():
    parsed = after(PLANNED, "make it $8")
    assert (parsed.intent, parsed.amends) == (Intent.TRAIN, True)
    assert parsed.constraints.model_dump(exclude_none=True) == {
        "task": "token-classification",
        "dataset": "cier",
        "budget_usd": "8.00",
        "budget_comparator": "<=",
        "max_minutes": 60,
        "time_comparator": "<=",
        "metric": "f1",
        "target": 0.85,
        "target_comparator": ">",
    }
    assert parsed.evidence["budget_usd"] == "$8"
    assert parsed.evidence["dataset"] == parsed.evidence["target"] == "as said before"


@pytest.mark.parametrize(
    ("text", "field", "value"),
    [
        ("double the budget", "budget_usd", "20.00"),
        ("halve it", "budget_usd", "5.00"),
        ("$2 less", "budget_usd", "8.00"),
        ("raise the budget by $5", "budget_usd", "15.00"),
        ("half the time", "max_minutes", 30),
        ("10 more minutes", "max_minutes", 70),
        ("10 Minuten weniger", "max_minutes", 50),
        ("without the time limit", "max_minutes", None),
        ("ohne Zeitlimit", "max_minutes", None),
        ("drop the target", "target", None),
        ("das Ziel ist egal", "target", None),
        ("the deadline doesn't matter", "max_minutes", None),
        ("cheaper", "budget_usd", "2.00"),
        ("schneller bitte", "max_minutes", 10),
    ],
)
def test_amounts_by_relation(text: str, field: str, value: Any):
    before, parsed = understand([user(TRAIN)]).constraints, after(PLANNED, text)
    assert getattr(parsed.constraints, field) == value
    others = {"budget_usd", "max_minutes", "target", "dataset"} - {field}
    assert all(getattr(parsed.constraints, o) == getattr(before, o) for o in others)


@pytest.mark.parametrize(
    "text",
    ["what did I spend?", "which GPUs are there?", "hello", "no more than that", "why?", "blorp"],
)
def test_what_is_no_correction(text: str):
    parsed = after(PLANNED, text)
    assert not parsed.amends
    assert parsed.constraints.dataset is None


def test_a_question_about_other_terms_is_an_estimate():
    assert after(PLANNED, "and on spot?").intent is Intent.ESTIMATE
    assert after(PLANNED, "could you use spot?").intent is Intent.TRAIN


def test_a_whole_request_forgets_the_last_one():
    parsed = after(PLANNED, "Train NER on ncbi-disease for $1")
    assert (parsed.amends, parsed.constraints.target) == (False, None)


@pytest.mark.parametrize(
    "text", ["A", "option a", "the first", "Weg A", "(a)", "ok, take A please"]
)
def test_a_letter_takes_that_way_alone(text: str):
    parsed = after(REFUSED, text)
    assert parsed.constraints.budget_usd == "12.00"
    assert parsed.constraints.spot is None
    assert parsed.evidence["budget_usd"] == text


def test_the_cheapest_way_is_named_by_its_price():
    parsed = after(REFUSED, "the cheaper one")
    assert (parsed.constraints.spot, parsed.constraints.budget_usd) == (True, "10.00")


@pytest.mark.parametrize(
    ("text", "word"), [("C", "budget set"), ("D", "step of yours"), ("E", "no E")]
)
def test_what_a_letter_cannot_do(text: str, word: str):
    (problem,) = after(REFUSED, text).problems
    assert word in problem.message


@pytest.mark.parametrize("text", ["a dog", "take a look", "B is better than C", "the spot one"])
def test_what_names_no_way(text: str):
    assert after(REFUSED, text).constraints.budget_usd in (None, "10.00")


def test_a_limit_is_not_raised_by_talk():
    for text in ("raise the budget", "spend whatever it takes", "the budget may be exceeded"):
        assert after(REFUSED, text).constraints.budget_usd in (None, "10.00"), text


def test_a_note_of_code_counts_and_cannot_be_typed():
    message = user("make it $8")
    parsed = after(PLANNED, "make it $8")
    with_note = noted(message, parsed, [*PLANNED, message])
    assert understand([with_note]) == parsed
    typed = with_note["content"][1]["text"].strip()
    assert understand([user(typed)]).evidence != parsed.evidence


def test_the_request_outlives_a_condensed_conversation():
    question = user("what did I spend?")
    kept = noted(question, understand([*PLANNED, question]), [*PLANNED, question])
    later = [kept, {"role": "assistant", "content": [{"text": "$0"}]}]
    assert after(later, "make it $8").constraints.dataset == "cier"


def test_notes_in_a_persons_place_are_no_words():
    told = [*PLANNED, user(framed("The run has ended."))]
    assert read(told).text == TRAIN
    assert read([user(framed("x")), *answered("get_costs", {})]).result("get_costs") == {}


def test_the_language_is_that_of_the_latest_words_that_show_one():
    assert language_of(["Trainiere das auf cier"]) is Language.DE
    assert language_of(["Trainiere das auf cier", "B"]) is Language.DE
    assert language_of(["Hallo", "train it on cier please"]) is Language.EN
    assert language_of([]) is Language.EN
