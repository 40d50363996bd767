"""Every way out that a refusal names and prices really leads to a plan."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops.candidates import candidates
from mlops.constraints import Comparator, Constraints
from mlops.errors import Alternative, RefusedError, RequestError
from mlops.grid import Sources
from mlops.models import LADDER, OTHERS
from mlops.money import parse_usd, to_usd
from mlops.offers import Market
from mlops.plan import Plan
from tests.factories import NOW, a_market, a_plan, an_offer, training_data

TYPES = ["ml.m5.large", "ml.g4dn.xlarge", "ml.g5.xlarge", "ml.g6.xlarge", "ml.g4dn.4xlarge"]
MARKETS = st.builds(
    a_market,
    st.tuples(
        *(
            st.builds(
                an_offer,
                st.just(name),
                limit=st.sampled_from([None, 2, 2, 0]),
                spot_limit=st.sampled_from([0, 1, None]),
            )
            for name in TYPES
        )
    ),
    engines=st.sampled_from([("crf",), ("lora",), ("crf", "lora")]),
    month_left_micro=st.sampled_from([0, 5_000, 300_000, 50_000_000]),
    tokens_micro=st.integers(0, 60_000),
    startup_seconds=st.sampled_from([0, 240]),
)
CENTS = st.integers(1, 200_000).map(to_usd)
STRICT = st.sampled_from([None, Comparator.LE, Comparator.LT])


def refusal(month_left_micro: int = 50_000_000, tokens_micro: int = 0, **said) -> RefusedError:
    market = a_market(month_left_micro=month_left_micro, tokens_micro=tokens_micro)
    with pytest.raises(RefusedError) as caught:
        a_plan(market, **said)
    return caught.value


def take(way: Alternative, market: Market, said: dict[str, Any]) -> Plan:
    """The plan after a person said yes to one counter-offer, and nothing else changed."""
    changes = dict(way.changes)
    more = parse_usd(str(changes.pop("raise_monthly_limit_usd", "0")))
    month = market.month_left_micro + more
    taken: dict[str, Any] = said | changes
    return a_plan(market.model_copy(update={"month_left_micro": month}), **taken)


@given(
    MARKETS,
    st.fixed_dictionaries(
        {
            "budget_usd": st.none() | CENTS,
            "budget_comparator": STRICT,
            "max_minutes": st.none() | st.integers(0, 30),
            "target": st.none() | st.just(0.8),
            "model": st.sampled_from([None, None, *(m.name for m in (*LADDER, *OTHERS))]),
            "instance_type": st.sampled_from([None, None, "ml.m5.large", "ml.g5.xlarge"]),
            "spot": st.sampled_from([None, False, True]),
            "epochs": st.sampled_from([None, None, 3, 60]),
        }
    ),
)
def test_every_counter_offer_makes_a_plan_when_it_is_taken(market: Market, said: dict[str, Any]):
    try:
        a_plan(market, **said)
    except (RefusedError, RequestError) as error:
        for way in error.alternatives:
            if way.changes and way.cost_usd:  # what is not priced is a hint
                plan = take(way, market, said)
                assert plan.stages
                if "budget_usd" in way.changes:
                    assert plan.budget_usd == way.cost_usd


@given(CENTS, st.sampled_from([None, 1, 5]), st.sampled_from([None, "crf", "roberta-large"]))
def test_nothing_fits_means_exactly_three_priced_counter_offers(
    budget: str, minutes: int | None, model: str | None
):
    said = {"budget_usd": budget, "max_minutes": minutes, "model": model, "target": 0.8}
    try:
        a_plan(**said)
    except RefusedError as error:
        assert error.code in ("budget_too_small", "time_too_short")
        assert len(error.alternatives) == 3
        assert len({str(way.changes) + way.message for way in error.alternatives}) == 3
        assert all(way.cost_usd and way.minutes and way.changes for way in error.alternatives)


def test_the_budget_is_raised_by_no_cent_more_than_needed():
    first = refusal(budget_usd="0.01").alternatives[0]
    assert (first.kind, first.changes) == ("raise_budget", {"budget_usd": "0.02"})
    with pytest.raises(RefusedError):
        a_plan(budget_usd="0.019")


def test_the_first_offers_are_money_time_and_another_way():
    error = refusal(model="roberta-large", budget_usd="10.00", max_minutes=10)
    assert error.code == "time_too_short"
    assert [way.kind for way in error.alternatives][:2] == ["time", "model"]
    assert error.alternatives[0].changes == {"max_minutes": error.alternatives[0].minutes}


def test_fewer_epochs_are_offered_where_they_help():
    data = training_data(train_tokens=30_000_000, total_tokens=30_000_000)
    with pytest.raises(RefusedError) as caught:
        a_plan(a_market([an_offer("ml.m5.large")]), data=data, budget_usd="0.10")
    assert any("epochs" in way.changes for way in caught.value.alternatives)


@pytest.mark.parametrize(("comparator", "cents"), [("<=", "0.02"), ("<", "0.03")])
def test_less_than_needs_more_than_the_exact_sum(comparator: str, cents: str):
    """Tokens are chosen so that the cheapest stage needs two cents to the micro-dollar."""
    sources = Sources(dataset=training_data(), market=a_market(), now=NOW, history={})
    needed = candidates(Constraints(), sources)[0].points[0].least_micro
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
    first = error.alternatives[0]
    assert first.message == (
        "Allow 13 minutes, raise the budget to $0.02: CRF baseline on ml.m5.large"
    )
    assert first.changes == {"max_minutes": 13, "budget_usd": "0.02"}


def test_no_instance_at_all():
    with pytest.raises(RefusedError) as caught:
        a_plan(a_market([an_offer("ml.m5.large", limit=0)]))
    assert caught.value.code == "quota"
    assert [a.kind for a in caught.value.alternatives] == ["quota"]
