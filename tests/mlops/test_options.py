"""Other ways that fit, and what was left out and why."""

from typing import Any

from mlops.estimate import PastRun, Work
from mlops.money import parse_usd
from tests.factories import a_market, a_plan, an_offer, training_data

GPUS = ["ml.m5.large", "ml.g4dn.xlarge", "ml.g5.xlarge", "ml.g6.xlarge", "ml.g6e.xlarge"]


def rich_market(**changes: object):
    return a_market([an_offer(name, spot_limit=1) for name in GPUS], **changes)


def test_alternatives_fit_what_was_said_and_are_not_the_plan_itself():
    plan = a_plan(rich_market())
    chosen = {(s.model, s.instance_type, s.spot, s.work.epochs) for s in plan.stages}
    assert 1 <= len(plan.alternatives) <= 4
    for option in plan.alternatives:
        assert (option.model, option.instance_type, option.spot, option.epochs) not in chosen
        assert parse_usd(option.ceiling_usd) <= 10_000_000
        assert option.estimate.p90_seconds <= 3600
        assert option.why
    assert any(option.spot for option in plan.alternatives)


def test_what_a_person_named_has_no_other_alternatives():
    plan = a_plan(rich_market(), model="roberta-large", instance_type="ml.g5.xlarge", spot=False)
    assert {(o.model, o.instance_type, o.spot) for o in plan.alternatives} <= {
        ("roberta-large", "ml.g5.xlarge", False)
    }


def test_every_rejection_says_what_and_why():
    offers = [
        an_offer("ml.m5.large"),
        an_offer("ml.g4dn.4xlarge"),
        an_offer("ml.g5.xlarge", limit=0),
    ]
    plan = a_plan(a_market(offers), target=0.85)
    codes = {(r.what, r.code) for r in plan.rejections}
    assert ("roberta-large on ml.g4dn.4xlarge", "price") in codes
    assert ("roberta-large on ml.g5.xlarge", "quota") in codes
    assert ("roberta-large on ml.m5.large", "memory") in codes
    assert all(r.why for r in plan.rejections)


def test_what_is_too_dear_or_too_slow_is_rejected_by_the_clause():
    dear = a_plan(rich_market(), budget_usd="0.05", target=0.85)
    assert "budget_usd" in {r.code for r in dear.rejections}
    assert dear.binds == "budget_usd"
    late = a_plan(rich_market(), max_minutes=13, target=0.85, budget_usd="50.00")
    assert late.binds == "max_minutes"


def test_the_month_binds_when_it_is_the_tighter_sum():
    plan = a_plan(rich_market(month_left_micro=50_000), budget_usd="10.00", target=0.85)
    assert plan.binds == "monthly_limit_usd"
    assert a_plan(rich_market(), dataset="cier").binds is None


def test_big_work_goes_to_the_type_that_costs_least_not_to_the_cheapest_hour():
    data = training_data(train_tokens=40_000_000, total_tokens=40_000_000)
    plan = a_plan(rich_market(), data=data, model="roberta-large", budget_usd="50.00")
    assert plan.stages[0].instance_type == "ml.g6e.xlarge"
    small = a_plan(rich_market(), model="roberta-large", budget_usd="50.00")
    assert small.stages[0].instance_type == "ml.g4dn.xlarge"


def test_a_deadline_takes_the_quicker_type():
    data = training_data(train_tokens=4_000_000, total_tokens=4_000_000)
    market = a_market([an_offer("ml.g4dn.xlarge"), an_offer("ml.g6e.xlarge")])
    said: dict[str, Any] = {"model": "roberta-large", "budget_usd": "50.00"}
    assert a_plan(market, data=data, **said).stages[0].instance_type == "ml.g4dn.xlarge"
    hurried = a_plan(market, data=data, max_minutes=40, **said)
    assert hurried.stages[0].instance_type == "ml.g6e.xlarge"


def test_a_score_is_expected_where_it_was_measured():
    work = Work(train_tokens=100_000, total_tokens=140_000, epochs=60)
    run = PastRun(work=work, billed_seconds=9, fingerprint="f" * 64, scores={"f1": 0.9})
    plan = a_plan(history={("crf", "ml.m5.large"): [run]})
    first, *others = plan.stages
    assert first.expected is not None and first.expected.value == 0.9
    assert all(stage.expected is None for stage in others)


def test_encoders_are_told_their_model_and_early_stop_is_a_persons_choice():
    plan = a_plan()
    assert plan.early_stop
    assert plan.stages[1].hyperparameters["model_name"] == plan.stages[1].model
    assert "model_name" not in plan.stages[0].hyperparameters
    assert not a_plan(early_stop=False).early_stop
    assert not a_plan(a_market(early_stop=False)).early_stop
    assert a_plan(epochs=30).stages[0].hyperparameters["epochs"] == "30"
