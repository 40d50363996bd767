"""Model tokens in the ledger: priced, booked once, and counted for the turn that used them."""

import pytest

from mlops.approvals import Approval, ApprovalStatus
from mlops.aws.clients import Aws
from mlops.aws.ledger import Ledger
from mlops.aws.tokens import allowance, book_tokens, rate_of, tokens_spent, turn_spent
from mlops.errors import RefusedError
from mlops.ledger import person_scope
from tests.factories import NOW, a_plan
from tests.mlops.aws.embedded import Embedded

SONNET = "global.anthropic.claude-sonnet-4-6"  # $3 in, $15 out
SCOPE = person_scope("ada", NOW)


@pytest.fixture
def priced(embedded: Embedded) -> Aws:
    return embedded.connect(bedrock_model_id=SONNET)


def test_a_call_is_booked_once_at_its_price(priced: Aws):
    for _ in range(2):
        assert book_tokens(priced, "s1", "t1#1", 1_000, 100, NOW) == 4_500
    [entry] = Ledger(priced).entries(SCOPE)
    assert (entry.spent_micro, entry.note) == (4_500, "1000 in, 100 out")
    totals = Ledger(priced).totals(SCOPE)
    assert totals is not None and totals.limit_micro == 50_000_000


def test_an_unpriced_model_is_a_refusal(embedded: Embedded):
    aws = embedded.connect(bedrock_model_id="somebody.model-v9")
    with pytest.raises(RefusedError) as caught:
        book_tokens(aws, "s1", "t1#1", 1, 1, NOW)
    assert caught.value.code == "price_unknown"
    assert rate_of(SONNET).source


def test_the_planner_costs_nothing_and_books_nothing(aws: Aws):
    assert book_tokens(aws, "s1", "t1#1", 10**6, 10**6, NOW) == 0
    assert allowance(aws) == 0
    assert turn_spent(aws, "ada", "s1", "t1", NOW) == 0
    assert Ledger(aws).totals(SCOPE) is None


def test_a_turn_pays_for_its_own_calls_only(priced: Aws):
    for session, call in (("s1", "t1#1"), ("s1", "t1#2"), ("s1", "t10#1"), ("s2", "t1#1")):
        book_tokens(priced, session, call, 1_000, 0, NOW)
    assert turn_spent(priced, "ada", "s1", "t1", NOW) == 6_000
    assert turn_spent(priced, "ada", "s1", "t10", NOW) == 3_000
    assert turn_spent(priced, "ada", "s1", "t2", NOW) == 0


def test_what_is_kept_aside_covers_a_long_conversation(priced: Aws):
    assert allowance(priced) == 60_000 * 3 + 4_000 * 15


def test_a_plans_tokens_are_those_of_its_turn(priced: Aws):
    book_tokens(priced, "s1", "t1#1", 1_000, 0, NOW)
    approval = Approval(
        plan_id="p", by="ada", at=NOW, ceiling_usd="1", status=ApprovalStatus.APPROVED
    )
    assert tokens_spent(priced, a_plan(), approval) == 3_000
