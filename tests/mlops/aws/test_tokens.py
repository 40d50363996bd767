"""Model tokens in the ledger: priced, booked once, and counted for the turn that used them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from mlops.approvals import Approval, ApprovalStatus
from mlops.aws.clients import Aws
from mlops.aws.ledger import Ledger
from mlops.aws.tokens import (
    STALE,
    Hold,
    allowance,
    hold_tokens,
    release_tokens,
    settle_stale_tokens,
    settle_tokens,
    tokens_spent,
    turn_spent,
)
from mlops.errors import RefusedError
from mlops.ledger import EntryKind, disagreements, person_scope, team_scope
from tests.factories import NOW, a_plan
from tests.mlops.aws.embedded import Embedded

SONNET = "global.anthropic.claude-sonnet-4-6"  # $3 in, $15 out
SCOPE = person_scope("ada", NOW)


def held(aws: Aws, call: str = "t1#1", tokens: tuple[int, int] = (1_000, 100)) -> Hold:
    hold = hold_tokens(aws, "s1", call, *tokens, NOW)
    assert hold is not None
    return hold


def used(aws: Aws, session: str, call: str, tokens: int) -> None:
    hold = hold_tokens(aws, session, call, tokens, 0, NOW)
    assert hold is not None
    settle_tokens(aws, hold, tokens, 0, NOW)


def standing(aws: Aws, scope: str = SCOPE) -> tuple[int, int]:
    """Spent and reserved; the entries add up to them."""
    totals = Ledger(aws).totals(scope)
    assert totals is not None
    assert disagreements(totals, Ledger(aws).entries(scope)) == []
    return totals.spent_micro, totals.reserved_micro


@pytest.fixture
def priced(embedded: Embedded) -> Aws:
    return embedded.connect(bedrock_model_id=SONNET)


def test_the_worst_case_is_reserved_before_and_the_bill_booked_after(priced: Aws):
    hold = held(priced, tokens=(2_000, 400))
    assert standing(priced) == (0, 12_000)
    assert settle_tokens(priced, hold, 1_000, 100, NOW) == 4_500
    assert standing(priced) == (4_500, 0)
    bill = Ledger(priced).find(SCOPE, EntryKind.TOKENS, "s1#t1#1")
    assert bill is not None and bill.note == "1000 in, 100 out"
    totals = Ledger(priced).totals(SCOPE)
    assert totals is not None and totals.limit_micro == 50_000_000


def test_what_the_month_cannot_pay_is_not_reserved(embedded: Embedded):
    aws = embedded.connect(bedrock_model_id=SONNET, monthly_limit_usd="0.01")
    held(aws)
    with pytest.raises(RefusedError) as caught:
        held(aws, "t1#2", (10_000, 0))
    assert caught.value.code == "over_budget"
    assert [a.cost_usd for a in caught.value.alternatives if a.kind == "raise_budget"]
    assert standing(aws) == (0, 4_500)


def test_a_call_that_failed_gives_its_reservation_back_once(priced: Aws):
    hold = held(priced)
    assert release_tokens(priced, hold, NOW)
    assert not release_tokens(priced, hold, NOW)
    assert standing(priced) == (0, 0)


def test_a_call_that_died_is_booked_at_its_most_after_a_quarter_of_an_hour(priced: Aws):
    held(priced)
    young = held(priced, "t1#2")
    settle_tokens(priced, young, 10, 10, NOW)
    assert settle_stale_tokens(priced, NOW + STALE) == ()
    later = NOW + STALE + timedelta(seconds=1)
    assert settle_stale_tokens(priced, later) == ("s1#t1#1",)
    assert settle_stale_tokens(priced, later) == ()
    assert standing(priced) == (4_500 + 180, 0)
    bill = Ledger(priced).find(SCOPE, EntryKind.TOKENS, "s1#t1#1")
    assert bill is not None and bill.note == "at most $0.0045, the call died"


def test_a_loop_of_calls_that_die_uses_up_its_turn(priced: Aws):
    """Open or booked at their most: either way the turn has them."""
    for number in range(3):
        held(priced, f"t1#{number}")
        assert turn_spent(priced, "ada", "s1", "t1", NOW) == 4_500 * (number + 1)
    settle_stale_tokens(priced, NOW + 2 * STALE)
    assert turn_spent(priced, "ada", "s1", "t1", NOW) == 3 * 4_500
    assert standing(priced) == (3 * 4_500, 0)


def test_a_turn_does_not_pay_for_a_call_that_came_to_nothing(priced: Aws):
    release_tokens(priced, held(priced), NOW)
    assert turn_spent(priced, "ada", "s1", "t1", NOW) == 0


@pytest.mark.parametrize("tokens", [(500, 10), (1_000, 100), (2_000, 500)])
def test_a_bill_that_comes_after_all_corrects_the_bound(priced: Aws, tokens: tuple[int, int]):
    hold = held(priced)
    settle_stale_tokens(priced, NOW + 2 * STALE)
    cost = settle_tokens(priced, hold, *tokens, NOW + 2 * STALE)
    assert settle_tokens(priced, hold, *tokens, NOW + 2 * STALE) == cost
    assert settle_stale_tokens(priced, NOW + 3 * STALE) == ()
    assert standing(priced) == (cost, 0)
    assert turn_spent(priced, "ada", "s1", "t1", NOW) == cost


def test_a_bill_is_booked_at_the_rate_of_the_day_that_has_become_too_old(priced: Aws):
    hold = held(priced)
    assert settle_tokens(priced, hold, 1_000, 100, NOW + timedelta(days=1_000)) == 4_500


def test_a_turn_takes_what_it_spent_before_midnight_with_it(priced: Aws):
    midnight = datetime(2026, 12, 1, tzinfo=UTC)
    for at, call in ((midnight - STALE, "t1#1"), (midnight, "t1#2")):
        hold = hold_tokens(priced, "s1", call, 1_000, 0, at)
        assert hold is not None
        settle_tokens(priced, hold, 1_000, 0, at)
    assert turn_spent(priced, "ada", "s1", "t1", midnight + STALE) == 6_000
    plan = a_plan().model_copy(update={"created_at": midnight})
    for approved_at in (midnight, midnight + timedelta(days=40)):
        approval = Approval(
            plan_id="p", by="ada", at=approved_at, ceiling_usd="1", status=ApprovalStatus.APPROVED
        )
        assert tokens_spent(priced, plan, approval) == 6_000


def test_what_a_turn_spent_is_found_without_reading_the_month(priced: Aws):
    for number in range(5):
        used(priced, f"other-{number}", "t1#1", 1_000)
    read: list[int] = []
    real = priced.dynamodb.query

    def counted(**request: Any) -> Any:
        answer = real(**request)
        read.append(len(answer["Items"]))
        return answer

    used(priced, "s1", "t1#1", 1_000)
    priced.dynamodb.query = counted
    assert turn_spent(priced, "ada", "s1", "t1", NOW) == 3_000
    assert sum(read) == 2


def test_a_released_bill_that_comes_after_all_is_booked_once(priced: Aws):
    hold = held(priced)
    release_tokens(priced, hold, NOW)
    for _ in range(2):
        settle_tokens(priced, hold, 1_000, 100, NOW + 2 * STALE)
    assert standing(priced) == (4_500, 0)
    assert turn_spent(priced, "ada", "s1", "t1", NOW) == 4_500


def test_a_team_with_a_limit_pays_too_and_can_refuse(embedded: Embedded):
    limits = {"team": "nlp", "team_monthly_limit_usd": "0.01"}
    ada = embedded.connect(bedrock_model_id=SONNET, **limits)
    bob = embedded.connect(bedrock_model_id=SONNET, person="bob", **limits)
    settle_tokens(ada, held(ada), 1_000, 100, NOW)
    assert standing(ada, team_scope("nlp", NOW)) == (4_500, 0)
    with pytest.raises(RefusedError, match="team's monthly limit"):
        held(bob, "t2#1", (2_000, 100))
    assert standing(bob, person_scope("bob", NOW)) == (0, 0)


def test_an_unpriced_model_is_a_refusal(embedded: Embedded):
    aws = embedded.connect(bedrock_model_id="somebody.model-v9")
    with pytest.raises(RefusedError) as caught:
        hold_tokens(aws, "s1", "t1#1", 1, 1, NOW)
    assert caught.value.code == "price_unknown"


def test_the_planner_costs_nothing_and_books_nothing(aws: Aws):
    assert hold_tokens(aws, "s1", "t1#1", 10**6, 10**6, NOW) is None
    assert allowance(aws, NOW) == 0
    assert turn_spent(aws, "ada", "s1", "t1", NOW) == 0
    assert Ledger(aws).totals(SCOPE) is None


def test_a_turn_pays_for_its_own_calls_only(priced: Aws):
    for session, call in (("s1", "t1#1"), ("s1", "t1#2"), ("s1", "t10#1"), ("s2", "t1#1")):
        used(priced, session, call, 1_000)
    assert turn_spent(priced, "ada", "s1", "t1", NOW) == 6_000
    assert turn_spent(priced, "ada", "s1", "t10", NOW) == 3_000
    assert turn_spent(priced, "ada", "s1", "t2", NOW) == 0


def test_what_is_kept_aside_covers_a_long_conversation(priced: Aws):
    assert allowance(priced, NOW) == 100_000 * 3 + 4_000 * 15


def test_a_plans_tokens_are_those_of_its_turn(priced: Aws):
    used(priced, "s1", "t1#1", 1_000)
    approval = Approval(
        plan_id="p", by="ada", at=NOW, ceiling_usd="1", status=ApprovalStatus.APPROVED
    )
    assert tokens_spent(priced, a_plan(), approval) == 3_000
