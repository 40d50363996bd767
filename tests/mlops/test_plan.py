"""Plans: never over budget, month or time; named things as said; an identity of their own."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from mlops.constraints import Comparator
from mlops.errors import RefusedError, RequestError
from mlops.models import LADDER, OTHERS
from mlops.money import parse_usd, to_usd
from mlops.plan import Plan
from mlops.prices import Confidence, price_file
from tests.factories import NOW, a_market, a_plan, an_asker, an_offer, training_data

# Verified, derived and unpriced types; each model has one that fits.
TYPES = ["ml.m5.large", "ml.g4dn.xlarge", "ml.g5.xlarge", "ml.g5.2xlarge", "ml.g6.xlarge"]
DOUBTFUL = ["ml.m5.xlarge", "ml.c5.xlarge", "ml.g4dn.4xlarge", "ml.trn1.2xlarge"]
AMOUNTS = st.integers(100_000, 30_000_000).map(to_usd)
COUNT = st.sampled_from([0, 0, 0, 9])
MARKETS = st.builds(
    a_market,
    st.tuples(
        *(
            st.builds(an_offer, st.just(name), limit=st.none() | st.just(9), in_use=COUNT)
            for name in (*TYPES, *DOUBTFUL)
        )
    ),
    engines=st.sampled_from([("crf",), ("lora",), ("crf", "lora")]),
    month_left_micro=st.integers(100_000, 60_000_000),
    tokens_micro=st.integers(0, 300_000),
    startup_seconds=st.sampled_from([0, 240]),
    overhead_seconds=st.sampled_from([5, 300]),
)
CLAUSES = st.fixed_dictionaries(
    {
        "budget_usd": st.none() | AMOUNTS,
        "budget_comparator": st.sampled_from([None, Comparator.LE, Comparator.LT]),
        "max_minutes": st.none() | st.integers(10, 300) | st.floats(10, 300),
        "target": st.none() | st.just(0.85),
        "instance_type": st.sampled_from([None, None, *TYPES]),
        "model": st.sampled_from([None, None, None, *(m.name for m in (*LADDER, *OTHERS))]),
        "spot": st.sampled_from([None, False]),
    }
)
TOKENS = st.integers(1, 1_000_000)


def planned(market: Any, said: dict[str, Any], tokens: int) -> Plan:
    """A plan, or the example is about a refusal."""
    data = training_data(train_tokens=tokens, total_tokens=tokens)
    try:
        return a_plan(market, data=data, **said)
    except (RefusedError, RequestError):
        assume(False)
        raise AssertionError from None


@given(MARKETS, CLAUSES, TOKENS)
def test_a_plan_never_exceeds_what_it_was_allowed(market, said, tokens: int):
    plan = planned(market, said, tokens)
    stages = sum(stage.ceiling_micro for stage in plan.stages)
    assert plan.ceiling_micro == stages + market.tokens_micro
    assert plan.ceiling_micro <= market.month_left_micro
    if said["budget_usd"] is not None:
        budget = parse_usd(said["budget_usd"])
        strictly = said["budget_comparator"] is Comparator.LT
        assert plan.ceiling_micro < budget if strictly else plan.ceiling_micro <= budget
    if said["max_minutes"] is not None:
        each = (s.max_runtime_seconds + market.startup_seconds for s in plan.stages)
        assert sum(each) <= said["max_minutes"] * 60


@given(MARKETS, CLAUSES, TOKENS)
def test_every_stage_is_worth_starting_and_may_be_bought(market, said, tokens: int):
    plan = planned(market, said, tokens)
    prices = price_file()
    assert [stage.number for stage in plan.stages] == [*range(1, len(plan.stages) + 1)]
    for stage in plan.stages:
        assert stage.max_runtime_seconds >= stage.estimate.p90_seconds
        assert stage.engine in market.engines
        assert prices[stage.instance_type].confidence in (Confidence.A, Confidence.B)
        assert stage.usd_per_hour == prices[stage.instance_type].usd_per_hour
        assert said["instance_type"] in (None, stage.instance_type)
        assert said["model"] in (None, stage.model)


@given(MARKETS, CLAUSES, TOKENS)
def test_the_ladder_climbs_only_for_a_target(market, said, tokens: int):
    plan = planned(market, said, tokens)
    order = [m.name for m in LADDER]
    climbed = [order.index(s.model) for s in plan.stages if s.model in order]
    assert climbed == sorted(climbed)
    assert said["target"] is not None or len(plan.stages) == 1


@given(MARKETS, CLAUSES, TOKENS)
def test_nothing_of_the_ladder_is_forgotten(market, said, tokens: int):
    plan = planned(market, said, tokens)
    shown = [s.model for s in plan.stages] + [n.model for n in plan.next_steps]
    wanted = [m.name for m in LADDER] if said["model"] is None else [said["model"]]
    assert sorted(shown) == sorted(wanted)
    assert all(step.why for step in plan.next_steps)


@given(MARKETS, CLAUSES, TOKENS)
def test_a_stored_plan_is_the_same_plan(market, said, tokens: int):
    plan = planned(market, said, tokens)
    assert Plan.model_validate_json(plan.model_dump_json()) == plan


def test_the_mission_sentence_gets_a_ladder_within_ten_dollars():
    plan = a_plan()
    assert [s.model for s in plan.stages][0] == "crf"
    assert len(plan.stages) >= 2
    assert plan.ceiling_micro <= 10_000_000
    assert plan.budget_micro == 10_000_000


def test_without_a_budget_the_ceiling_is_what_a_person_approves():
    plan = a_plan(target=0.85)
    assert plan.budget_usd is None
    assert plan.budget_micro == plan.ceiling_micro <= 50_000_000


def test_an_engine_that_is_missing_becomes_a_priced_next_step():
    plan = a_plan(a_market(engines=("crf",)))
    assert [s.engine for s in plan.stages] == ["crf"]
    assert len(plan.next_steps) == 2
    assert all(step.ceiling_usd for step in plan.next_steps)
    assert all(step.price_in_words().startswith("from $") for step in plan.next_steps)
    unpriced = plan.next_steps[0].model_copy(update={"ceiling_usd": None})
    assert unpriced.price_in_words() == "no verified price"
    assert {step.why for step in plan.next_steps} == {"This back end cannot run its engine."}


def test_a_stage_that_is_not_needed_is_not_called_too_expensive():
    plan = a_plan(budget_usd="10.00")
    assert {step.why for step in plan.next_steps} == {
        "Without a target the first stage is enough."
    }


def test_a_stage_that_has_no_place_takes_no_time_from_the_others():
    """Only GPUs are free: the CRF that cannot run must not use up the start-up of a stage."""
    market = a_market([an_offer("ml.m5.large", limit=0), an_offer("ml.g5.xlarge")])
    plan = a_plan(market, max_minutes=13, model=None, target=0.85)
    first = plan.stages[0]
    assert first.instance_type == "ml.g5.xlarge"
    assert first.max_runtime_seconds == 13 * 60 - market.startup_seconds
    assert first.bound_by == "max_minutes"


def test_a_dollar_is_not_less_than_a_dollar():
    exact = a_plan(a_market(engines=("crf",)), target=0.85).ceiling_usd
    said = {"budget_usd": exact, "target": 0.85}
    at_most = a_plan(a_market(engines=("crf",)), **said)
    below = a_plan(a_market(engines=("crf",)), budget_comparator="<", **said)
    assert at_most.ceiling_usd == exact
    assert below.ceiling_micro < at_most.ceiling_micro


def test_another_region_is_the_persons_to_mend():
    assert a_plan(region="us-east-1")
    with pytest.raises(RequestError) as caught:
        a_plan(region="eu-central-1")
    assert caught.value.code == "other_region"


def test_the_same_question_at_the_same_moment_is_the_same_plan():
    assert a_plan() == a_plan()


@pytest.mark.parametrize(
    "changes",
    [
        {"asker": an_asker(session_id="s2")},
        {"asker": an_asker(turn="t2")},
        {"asker": an_asker(person="grace")},
        {"asker": an_asker(now=NOW + timedelta(microseconds=1))},
        {"data": training_data(fingerprint="0" * 64)},
        {"market": a_market(tokens_micro=1)},
        {"budget_usd": "9.99", "max_minutes": 60, "target": 0.85},
    ],
)
def test_a_plans_identity_is_its_content_and_who_asked_when(changes: dict[str, Any]):
    assert a_plan(**changes).plan_id != a_plan().plan_id


def test_ids_are_short_and_fit_for_keys():
    assert a_plan().plan_id.removeprefix("plan-").isalnum()
    assert len(a_plan().plan_id) == 21
