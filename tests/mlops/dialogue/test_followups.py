"""Short words after a plan: datasets, sizes, a GPU, bare numbers, and a question that stays one."""

from typing import Any

import pytest

from mlops.constraints import Constraints, Intent, Parsed
from mlops.dialogue.exchanges import Exchange, ToolOutcome
from mlops.dialogue.memory import Memory, datasets_offered
from mlops.dialogue.references import in_context
from mlops.reading.clauses import Comparator

REQUEST = Parsed(
    intent=Intent.TRAIN,
    constraints=Constraints(dataset="cier", budget_usd="5.00", budget_comparator=Comparator.LE),
    evidence={"dataset": "cier", "budget_usd": "$5"},
)
ROWS = [
    {"name": "cier", "splits": {"train": {"sentences": 60}}},
    {"name": "cier-small", "splits": {"train": {"sentences": 30}}},
]
PLANNED: dict[str, Any] = {"plan_id": "plan-1", "ceiling_usd": "2.00", "stages": []}
BEFORE = Memory(
    topic=Intent.TRAIN,
    request=REQUEST,
    plan=PLANNED,
    plans=(PLANNED,),
    shown_plan=PLANNED,
    datasets=datasets_offered(ROWS),
    instance_type="ml.g4dn.xlarge",
)


@pytest.mark.parametrize(
    ("text", "dataset"),
    [
        ("take cier-small", "cier-small"),
        ("I meant cier-small", "cier-small"),
        ("cier-small", "cier-small"),
        ("the small one", "cier-small"),
        ("lieber den kleinen", "cier-small"),
        ("nimm cier-small", "cier-small"),
    ],
)
def test_another_dataset(text: str, dataset: str):
    parsed = in_context(text, BEFORE)
    assert (parsed.intent, parsed.amends) == (Intent.TRAIN, True)
    assert (parsed.constraints.dataset, parsed.constraints.budget_usd) == (dataset, "5.00")
    assert parsed.evidence["dataset"] in text


def test_a_gpu_is_the_cheapest_that_was_free():
    parsed = in_context("on a GPU", BEFORE)
    assert (parsed.intent, parsed.constraints.instance_type) == (Intent.TRAIN, "ml.g4dn.xlarge")
    assert in_context("on a GPU?", BEFORE).intent is Intent.ESTIMATE
    (problem,) = in_context(
        "use a GPU", BEFORE.model_copy(update={"instance_type": None})
    ).problems
    assert "Say which GPU" in problem.message


@pytest.mark.parametrize(
    ("text", "dataset"),
    [
        ("on the small one, F1 over 95%, at most $2", "cier-small"),
        ("the second, for at most $2, F1 over 95%", "cier-small"),
        ("A, F1 over 95%, at most $2", "cier"),
        ("auf dem kleinen, F1 über 95%, höchstens 2 $", "cier-small"),
        ("a budget of $2, F1 over 95%", None),
        ("not the small one, at most $2, F1 over 95%", None),
    ],
)
def test_which_dataset_is_answered_with_terms_beside_it(text: str, dataset: str | None):
    asked = BEFORE.model_copy(
        update={
            "request": Parsed(intent=Intent.TRAIN, constraints=Constraints(), evidence={}),
            "offers": datasets_offered(ROWS),
            "plan": None,
            "plans": (),
        }
    )
    parsed = in_context(text, asked)
    said = parsed.constraints
    assert (parsed.intent, said.dataset) == (Intent.TRAIN, dataset)
    assert (said.budget_usd, said.target) == ("2.00", 0.95)


def test_a_listed_dataset_is_chosen_with_terms_beside_it():
    listed = BEFORE.model_copy(update={"topic": Intent.DATASETS, "request": None})
    said = in_context("Train on the second one, at most $2", listed).constraints
    assert (said.dataset, said.budget_usd) == ("cier-small", "2.00")


def test_the_first_of_an_estimates_question_is_one_that_was_named():
    rows = [{"name": "broken", "status": "INVALID"}, {"name": "cier", "status": "RAW"}]
    outcome = ToolOutcome(tool="list_s3_datasets", arguments={}, ok=True, data={"datasets": rows})
    text = "What would training cost?"
    exchange = Exchange(text=text, noted=None, outcomes=(outcome,), replies=())
    parsed = Parsed(intent=Intent.ESTIMATE, constraints=Constraints(), evidence={})
    after = Memory().after(exchange, parsed)
    assert in_context("the first one", after).constraints.dataset == "cier"
    assert after.dataset_in("on broken") == "broken"


@pytest.mark.parametrize(
    ("text", "said"), [("5", "$5"), ("0.85", "F1 above 85%"), ("30.", "30 min")]
)
def test_a_bare_number_is_asked_about(text: str, said: str):
    parsed = in_context(text, BEFORE)
    (problem,) = parsed.problems
    assert said in problem.message
    assert (parsed.amends, parsed.constraints) == (False, REQUEST.constraints)


def test_what_would_be_stays_a_question():
    asked = in_context("what would $20 buy", BEFORE)
    assert (asked.intent, asked.constraints.budget_usd) == (Intent.ESTIMATE, "20.00")
    assert BEFORE.is_what_if(asked)
    after = BEFORE.model_copy(update={"what_if": asked, "topic": Intent.ESTIMATE})
    assert in_context("and on spot?", after).constraints.budget_usd == "20.00"
    assert in_context("only use spot", after).constraints.budget_usd == "5.00"
    go = in_context("ok train it", after)
    assert (go.constraints.budget_usd, go.approve) == ("5.00", True)


def test_not_to_train_changes_nothing():
    parsed = in_context("don't train on cier-small", BEFORE)
    assert (parsed.intent, parsed.amends) == (Intent.OTHER, False)
