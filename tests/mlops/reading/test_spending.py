"""Sums that are no budget: the limit of the month, and what is said to be too much."""

import pytest

from mlops.constraints import parse


@pytest.mark.parametrize(
    "text",
    [
        "raise my monthly limit to $500",
        "set the limit of the month to 500 dollars",
        "erhöhe das Monatslimit auf 500 Dollar",
        "raise the monthly budget",
        "my limit for the month is $500",
    ],
)
def test_the_limit_of_the_month_is_no_budget(text: str):
    parsed = parse(text)
    assert parsed.constraints.budget_usd is None
    (problem,) = parsed.problems
    assert problem.clause == "monthly_limit"
    assert "llmops budget set" in problem.message


@pytest.mark.parametrize(
    "text",
    [
        "I don't want to spend $50",
        "we will not pay $50 for it",
        "$50 is too much",
        "too expensive at $50",
        "50 Dollar sind mir zu viel",
        "ich will nicht 50 Dollar ausgeben",
    ],
)
def test_what_is_too_much_is_no_budget(text: str):
    for sentence in (text, f"train on cier, {text}"):
        parsed = parse(sentence)
        assert parsed.constraints.budget_usd is None
        assert [problem.clause for problem in parsed.problems] == ["budget_usd"]


@pytest.mark.parametrize(
    ("text", "budget"),
    [
        ("train on cier, don't spend more than $50", "50.00"),
        ("train on cier for $5, $50 is too much", "5.00"),
        ("train on cier for $5 of my monthly budget", "5.00"),
        ("train on cier for $5 and tell me my monthly limit", "5.00"),
        ("trainiere auf cier, es darf nicht mehr als 5 Dollar kosten", "5.00"),
    ],
)
def test_a_limit_that_is_said_stays_one(text: str, budget: str):
    parsed = parse(text)
    assert (parsed.constraints.budget_usd, parsed.problems) == (budget, ())
