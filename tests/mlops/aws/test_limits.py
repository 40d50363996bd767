"""Monthly limits: from the settings until somebody sets one, then in every month that is opened later."""

from datetime import datetime, timedelta

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
    launch(aws, plan, 1, clock())
    with pytest.raises(RefusedError):
        Limits(aws).set_person("ada", 1, clock())
    assert Limits(aws).of_person("ada") == parse_usd("50")


def test_a_team_that_is_given_a_limit_is_booked_and_refuses(
    embedded: Embedded, clock: Clock, sagemaker: FakeSageMaker
):
    aws = embedded.connect(sagemaker, team="nlp")
    plan = a_plan()
    Limits(aws).set_team("nlp", plan.ceiling_micro - 1, clock())
    approved(aws, clock, plan)
    approval = Plans(aws).approval(plan.plan_id)
    assert approval is not None and approval.team == "nlp"
    with pytest.raises(RefusedError) as refused:
        launch(aws, plan, 1, clock())
    assert "team's monthly limit" in refused.value.message
    Limits(aws).set_team("nlp", plan.ceiling_micro, clock())
    launch(aws, plan, 1, clock())
    totals = Ledger(aws).totals(team_scope("nlp", NOW))
    assert totals is not None and totals.left_micro == 0
    assert verify(aws, clock()) == []


def test_the_settings_limit_only_their_own_team(embedded: Embedded):
    limits = Limits(embedded.connect(team="nlp", team_monthly_limit_usd="20"))
    assert (limits.of_team("nlp"), limits.of_team("cv")) == (parse_usd("20"), None)
    limits.set_team("nlp", parse_usd("5"), NOW)
    assert limits.of_team("nlp") == parse_usd("5")


def limit_of(aws: Aws, now: datetime) -> int:
    return Limits(aws).month_of_person("ada", now).limit_micro


def test_a_stated_limit_counts_in_every_process_also_in_an_open_month(embedded: Embedded):
    elsewhere = embedded.connect(monthly_limit_usd="9")
    Limits(embedded.connect()).open_person("ada", NOW)
    mine = embedded.connect(monthly_limit_usd="1")
    Limits(mine).adopt(NOW)
    for month in (NOW, NEXT_MONTH):
        assert [limit_of(aws, month) for aws in (mine, elsewhere)] == [parse_usd("1")] * 2


def test_what_a_person_set_since_stays_until_the_statement_changes(embedded: Embedded):
    mine = embedded.connect(monthly_limit_usd="1")
    Limits(mine).adopt(NOW)
    Limits(mine).set_person("ada", parse_usd("7"), NOW)
    Limits(mine).adopt(NOW)
    assert limit_of(mine, NOW) == parse_usd("7")
    Limits(embedded.connect(monthly_limit_usd="2")).adopt(NOW)
    assert limit_of(mine, NOW) == parse_usd("2")


def test_who_states_nothing_changes_nothing(embedded: Embedded):
    Limits(embedded.connect(monthly_limit_usd="1")).adopt(NOW)
    Limits(embedded.connect()).adopt(NOW)
    assert limit_of(embedded.connect(), NOW) == parse_usd("1")


def test_a_statement_below_what_is_taken_admits_nothing_more(
    embedded: Embedded, clock: Clock, sagemaker: FakeSageMaker
):
    aws = embedded.connect(sagemaker, monthly_limit_usd="0.01")
    plan = approved(embedded.connect(sagemaker), clock)
    launch(embedded.connect(sagemaker), plan, 1, clock())
    Limits(aws).adopt(clock())
    assert Limits(aws).month_of_person("ada", clock()).left_micro == 0
    assert limit_of(aws, NEXT_MONTH) == parse_usd("0.01")
    assert verify(aws, clock()) == []


def test_a_team_without_a_limit_is_booked_and_can_be_limited_later(
    embedded: Embedded, clock: Clock, sagemaker: FakeSageMaker
):
    """What was spent before the limit counts against it."""
    aws = embedded.connect(sagemaker, team="nlp")
    first, second = a_plan(dataset="b"), a_plan(dataset="c")
    launch(aws, approved(aws, clock, first), 1, clock())
    Limits(aws).set_team("nlp", first.ceiling_micro + second.ceiling_micro - 1, clock())
    with pytest.raises(RefusedError, match="team's monthly limit"):
        launch(aws, approved(aws, clock, second), 1, clock())
    with pytest.raises(RefusedError, match="already spent or reserved"):
        Limits(aws).set_team("nlp", first.ceiling_micro - 1, clock())
    assert verify(aws, clock()) == []


@pytest.mark.parametrize("seen", ["adopted", "approved"])
def test_a_process_that_does_not_name_the_team_books_it_too(
    embedded: Embedded, clock: Clock, sagemaker: FakeSageMaker, seen: str
):
    named, unnamed = embedded.connect(sagemaker, team="nlp"), embedded.connect(sagemaker)
    Limits(named).set_team("nlp", 0, clock())
    if seen == "adopted":
        Limits(named).adopt(clock())
    else:
        approved(named, clock, a_plan(dataset="b"))
    plan = approved(unnamed, clock, a_plan(dataset="c"))
    with pytest.raises(RefusedError, match="team's monthly limit"):
        launch(unnamed, plan, 1, clock())


def test_a_person_moves_to_the_team_that_is_named_next(embedded: Embedded):
    Limits(embedded.connect(team="nlp")).adopt(NOW)
    Limits(embedded.connect(team="cv")).adopt(NOW)
    limits = Limits(embedded.connect())
    assert (limits.team_of("ada"), limits.team_of("bob")) == ("cv", None)


def test_a_stated_team_limit_counts_where_the_team_is_not_stated(embedded: Embedded):
    Limits(embedded.connect(team="nlp", team_monthly_limit_usd="3")).adopt(NOW)
    month = Limits(embedded.connect()).month_of_team("nlp", NOW)
    assert month.limit_micro == parse_usd("3")
