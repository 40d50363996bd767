"""Every way out that a refusal names and prices really leads to a plan."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops.candidates import candidates
from mlops.constraints import Comparator, Constraints
from mlops.errors import Alternative, RefusedError
from mlops.money import parse_usd, show_usd, to_usd
from tests.factories import NOW, a_market, a_plan, an_offer, training_data

CENTS = st.integers(1, 200_000).map(to_usd)
STRICT = st.sampled_from([None, Comparator.LE, Comparator.LT])


def refusal(month_left_micro: int = 50_000_000, tokens_micro: int = 0, **said) -> RefusedError:
    market = a_market(month_left_micro=month_left_micro, tokens_micro=tokens_micro)
    with pytest.raises(RefusedError) as caught:
        a_plan(market, **said)
    return caught.value


def raised(way: Alternative, what: str) -> str | None:
    found = re.search(rf"the {what} (?:to|by) \$([0-9.,]*[0-9])", way.message)
    return found[1].replace(",", "") if found else None


@given(CENTS, STRICT, st.integers(0, 60_000), st.integers(1, 100_000), st.sampled_from([None, 30]))
def test_the_raise_that_is_named_makes_a_plan_possible(
    budget: str, comparator: Comparator | None, tokens: int, month: int, minutes: int | None
):
    said = {"budget_comparator": comparator, "max_minutes": minutes, "target": 0.8}
    market = a_market(month_left_micro=month, tokens_micro=tokens)
    try:
        a_plan(market, budget_usd=budget, **said)
    except RefusedError as error:
        assert error.code == "budget_too_small"
        assert error.alternatives
        for way in error.alternatives:
            more = parse_usd(raised(way, "monthly limit") or "0")
            market = a_market(month_left_micro=month + more, tokens_micro=tokens)
            a_plan(market, budget_usd=raised(way, "budget") or budget, **said)


@given(st.integers(0, 30), st.none() | CENTS)
def test_the_time_and_money_that_are_named_make_a_plan_possible(minutes: int, budget: str | None):
    market = a_market()
    try:
        a_plan(market, max_minutes=minutes, budget_usd=budget)
    except RefusedError as error:
        assert error.alternatives
        for way in error.alternatives:
            asked = re.search(r"Allow (\d+) minutes", way.message)
            money = budget and to_usd(max(parse_usd(budget), parse_usd(way.cost_usd or "0")))
            a_plan(market, max_minutes=int(asked[1]) if asked else minutes, budget_usd=money)


def test_a_budget_that_is_too_small_names_every_stage_with_its_price():
    error = refusal(budget_usd="0.0001")
    assert (error.code, error.exit_code) == ("budget_too_small", 3)
    assert "A budget of $0.0001 is too small" in error.message
    assert [a.kind for a in error.alternatives] == ["raise_budget"] * 3
    prices = [parse_usd(a.cost_usd or "0") for a in error.alternatives]
    assert prices == sorted(prices) and prices[0] == 20_000
    assert all(show_usd(p) in a.message for p, a in zip(prices, error.alternatives, strict=True))


@pytest.mark.parametrize(("comparator", "cents"), [("<=", "0.02"), ("<", "0.03")])
def test_less_than_needs_more_than_the_exact_sum(comparator: str, cents: str):
    """Tokens are chosen so that the cheapest stage needs two cents to the micro-dollar."""
    drawn = candidates(Constraints(), training_data(), a_market(), NOW, {})
    needed = drawn[0].least_micro
    error = refusal(
        tokens_micro=20_000 - needed, budget_usd="0.0001", budget_comparator=comparator
    )
    assert error.alternatives[0].cost_usd == cents


def test_a_month_that_is_used_up_is_not_blamed_on_the_budget():
    error = refusal(month_left_micro=5_000, budget_usd="10.00")
    assert error.message.startswith("Of your monthly limit $0.005 are left")
    assert "Raise the monthly limit by" in error.alternatives[0].message
    assert "the budget to" not in error.alternatives[0].message


def test_a_sentence_without_a_budget_is_bound_by_the_month():
    error = refusal(month_left_micro=0, target=0.9)
    assert error.code == "budget_too_small"
    assert "Raise the monthly limit by $0.02" in error.alternatives[0].message


def test_too_little_of_both_names_both():
    error = refusal(budget_usd="0.001", max_minutes=1)
    assert error.code == "time_too_short"
    assert error.alternatives[0].message == "Allow 13 minutes and $0.02: CRF baseline"


def test_no_instance_at_all():
    with pytest.raises(RefusedError) as caught:
        a_plan(a_market([an_offer("ml.m5.large", limit=0)]))
    assert caught.value.code == "no_instance"
    assert [a.kind for a in caught.value.alternatives] == ["quota"]
