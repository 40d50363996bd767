"""Monthly limits: from the settings until somebody sets one, then in every month that is opened later."""

from datetime import timedelta

import pytest

from mlops.aws.books import verify
from mlops.aws.clients import Aws
from mlops.aws.launch import launch
from mlops.aws.ledger import Ledger
from mlops.aws.limits import Limits
from mlops.aws.plans import Plans
from mlops.errors import RefusedError
from mlops.ledger import team_scope
from mlops.money import parse_usd
from tests.factories import NOW, a_plan
from tests.mlops.aws.embedded import Clock, Embedded, FakeSageMaker
from tests.mlops.aws.scenes import approved

NEXT_MONTH = NOW + timedelta(days=31)


def test_the_settings_hold_until_somebody_sets_a_limit(aws: Aws):
    limits = Limits(aws)
    assert limits.month_of_person("ada", NOW).limit_micro == parse_usd("50")
    limits.set_person("ada", parse_usd("20"), NOW)
    assert limits.month_of_person("ada", NOW).limit_micro == parse_usd("20")
    assert limits.month_of_person("ada", NEXT_MONTH).limit_micro == parse_usd("20")
    assert limits.month_of_person("bob", NOW).limit_micro == parse_usd("50")


def test_a_month_that_was_opened_before_keeps_its_limit(aws: Aws):
    limits = Limits(aws)
    limits.open_person("ada", NOW)
    limits.set_person("ada", parse_usd("20"), NEXT_MONTH)
    assert limits.month_of_person("ada", NOW).limit_micro == parse_usd("50")
    scope = limits.open_person("ada", NEXT_MONTH + timedelta(days=31))
    totals = Ledger(aws).totals(scope)
    assert totals is not None and totals.limit_micro == parse_usd("20")


def test_a_refused_limit_changes_no_later_month_either(
    aws: Aws, clock: Clock, sagemaker: FakeSageMaker
):
    plan = approved(aws, clock)
    launch(aws, plan.plan_id, 1, clock())
    with pytest.raises(RefusedError):
        Limits(aws).set_person("ada", 1, clock())
    assert Limits(aws).of_person("ada") == parse_usd("50")


def test_a_team_that_is_given_a_limit_is_booked_and_refuses(
    embedded: Embedded, clock: Clock, sagemaker: FakeSageMaker
):
    aws = embedded.connect(sagemaker, team="nlp")
    assert Limits(aws).limited_team() is None
    plan = a_plan()
    Limits(aws).set_team("nlp", plan.ceiling_micro - 1, clock())
    assert Limits(aws).limited_team() == "nlp"
    approved(aws, clock, plan)
    approval = Plans(aws).approval(plan.plan_id)
    assert approval is not None and approval.team == "nlp"
    with pytest.raises(RefusedError) as refused:
        launch(aws, plan.plan_id, 1, clock())
    assert "team's monthly limit" in refused.value.message
    Limits(aws).set_team("nlp", plan.ceiling_micro, clock())
    launch(aws, plan.plan_id, 1, clock())
    totals = Ledger(aws).totals(team_scope("nlp", NOW))
    assert totals is not None and totals.left_micro == 0
    assert verify(aws, clock()) == []


def test_the_settings_limit_only_their_own_team(embedded: Embedded):
    limits = Limits(embedded.connect(team="nlp", team_monthly_limit_usd="20"))
    assert (limits.of_team("nlp"), limits.of_team("cv")) == (parse_usd("20"), None)
    limits.set_team("nlp", parse_usd("5"), NOW)
    assert limits.of_team("nlp") == parse_usd("5")
