"""Model tokens under the budget: refused before, booked after, and a made plan is carried out without them."""

from typing import Any

import pytest

from agent.bedrock import MAX_OUTPUT_TOKENS
from agent.metering import Meter
from agent.replies import Reply
from mlops.aws.clients import Aws
from mlops.aws.ledger import Ledger
from mlops.errors import RefusedError
from mlops.ledger import EntryKind, person_scope
from tests.agent.fakes import PLAN, TRAIN, ScriptedModel, says
from tests.agent.world import World, clock, kinds, last

# The clock is real: rows grow old.
PRICED = {"bedrock_model_id": "global.anthropic.claude-sonnet-5", "price_max_age_days": 36_500}


def spent(world: World) -> int:
    totals = Ledger(world.aws).totals(person_scope(world.aws.settings.person, clock()))
    return totals.spent_micro if totals else 0


def test_each_call_is_booked_under_its_turn(world: World):
    model = ScriptedModel(PLAN, says("Shall I?"), tokens=(1_000, 100))
    events = world.ask(world.turns_of(model, **PRICED), TRAIN)
    assert spent(world) == 2 * (1_000 * 2 + 100 * 10)
    entries = Ledger(world.aws).entries(person_scope(world.aws.settings.person, clock()))
    assert all(e.key.startswith(f"{world.session}#{events[0].turn}#") for e in entries)
    assert {e.kind for e in entries} == {EntryKind.RESERVE, EntryKind.TOKENS}
    assert sum(e.reserved_micro for e in entries) == 0


def test_a_free_model_books_nothing(world: World):
    world.ask(world.turns(says("ok")), "Is there anything new?")
    assert Ledger(world.aws).totals(person_scope(world.aws.settings.person, clock())) is None


def test_no_words_that_the_month_cannot_pay(world: World):
    turns = world.turns(RuntimeError("no call"), monthly_limit_usd="0.01", **PRICED)
    error = last(world.ask(turns, "Is there anything new?"), "error")
    assert (error["code"], error["exit_code"]) == ("over_budget", 3)
    assert "$0.01 are left" in error["message"]


def test_no_words_that_the_stated_budget_cannot_pay(world: World):
    turns = world.turns(RuntimeError("no call"), **PRICED)
    events = world.ask(turns, "Train NER on the cier dataset, at most $0.02")
    assert last(events, "error")["code"] == "over_budget"
    assert spent(world) == 0


def test_no_words_of_a_model_without_a_price(world: World):
    turns = world.turns(RuntimeError("no call"), bedrock_model_id="anthropic.unheard-of")
    assert last(world.ask(turns, "Is there anything new?"), "error")["code"] == "price_unknown"


def test_a_made_plan_goes_on_without_words_when_its_tokens_are_used_up(world: World):
    """The plan keeps $0.20 aside; the first call took $0.30."""
    model = ScriptedModel(PLAN, RuntimeError("no call"), tokens=(150_000, 0))
    events = world.ask(world.turns_of(model, **PRICED), TRAIN)
    # The policy has not seen the datasets of this turn and looks for itself, then goes on.
    assert kinds(events)[-2:] == ["approval", "done"]
    assert len(model.asked) == 1


def test_the_worst_case_of_a_call_grows_with_the_conversation(world: World):
    said = {"constraints": {"budget_usd": "0.1"}}
    state: Any = {"session_id": "s", "turn": "t", "iterations": 0, "parsed": said}
    settings = world.aws.settings.model_copy(update=PRICED)
    aws: Any = type(world.aws)(settings, world.aws.session)
    meter = Meter(aws, clock)
    assert meter.reserve(state, [{"role": "user", "content": [{"text": "short"}]}])
    with pytest.raises(RefusedError, match="may cost"):
        meter.reserve(state, [{"role": "user", "content": [{"text": "x" * 100_000}]}])


def test_an_answer_without_a_bill_is_booked_at_its_bound(world: World):
    state: Any = {"session_id": "s", "turn": "t", "iterations": 0, "parsed": {}, "messages": []}
    meter = Meter(Aws(world.aws.settings.model_copy(update=PRICED), world.aws.session), clock)
    reserved = meter.reserve(state, [{"role": "user", "content": [{"text": "short"}]}])
    call = meter.settle(reserved, Reply(message=says("ok"), stop_reason="end_turn", usage=None))
    assert reserved.hold is not None and spent(world) == reserved.hold.micro
    assert (call.usage.output_tokens, call.usage.at_most) == (MAX_OUTPUT_TOKENS, True)
