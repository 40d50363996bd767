"""The model over real HTTP: what passes is asked again, what was used is booked, what is half is not done."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from agent import asking
from agent.bedrock import MAX_OUTPUT_TOKENS, BedrockModel
from agent.metering import Meter, tokens_at_most
from mlops.aws.books import verify
from mlops.aws.clients import Aws
from mlops.aws.ledger import Ledger
from mlops.ledger import Entry, EntryKind, person_scope
from tests.agent.converse_server import (
    Fault,
    broken,
    connect,
    cut,
    in_order,
    in_stream,
    says,
    serve,
    throttled,
    uses,
)
from tests.agent.fakes import PLAN, TRAIN
from tests.agent.world import World, clock, kinds, last
from tests.patience import PATIENCE_SECONDS

SONNET = "global.anthropic.claude-sonnet-5"  # $2 in, $10 out
QUESTION = "Is there anything new?"
USAGE = {"inputTokens": 1_000, "outputTokens": 100}
COST = 1_000 * 2 + 100 * 10


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "PAUSE_SECONDS", 0.0)


@pytest.fixture
def priced(world: World) -> Iterator[World]:
    model = {"bedrock_model_id": SONNET, "price_max_age_days": 36_500}
    world.aws = Aws(world.aws.settings.model_copy(update=model), world.aws.session)
    yield world
    assert verify(world.aws, clock()) == []


def turn(world: World, *answers: Any, text: str = QUESTION, **settings: Any) -> Any:
    """The events of one turn, and the server."""
    with serve(in_order(*answers)) as server:
        aws = connect(world.aws, server.url)
        events = world.ask(world.turns_of(BedrockModel(aws), **settings), text)
    assert server.refused == []
    return events, server


def bills(world: World) -> list[Entry]:
    entries = Ledger(world.aws).entries(person_scope(world.aws.settings.person, clock()))
    return [entry for entry in entries if entry.kind is EntryKind.TOKENS]


def spent(world: World) -> int:
    totals = Ledger(world.aws).totals(person_scope(world.aws.settings.person, clock()))
    assert totals is not None and totals.reserved_micro == 0
    return totals.spent_micro


def answer(text: str = "All quiet.", **more: Any) -> dict[str, Any]:
    return {**says(text), "usage": USAGE, **more}


@pytest.mark.parametrize(
    "fault",
    [throttled(), Fault("ServiceUnavailableException", 503), Fault("ModelNotReadyException", 429)],
    ids=lambda fault: fault.code,
)
def test_what_turned_us_away_is_asked_again_and_costs_nothing(priced: World, fault: Fault):
    events, server = turn(priced, fault, fault, answer())
    assert last(events, "answer") == {"text": "All quiet."}
    assert len(server.requests) == 3
    assert server.requests[0]["messages"] == server.requests[2]["messages"]
    assert spent(priced) == COST


@pytest.mark.parametrize(
    "fault", [in_stream(), in_stream("modelStreamErrorException"), cut(), cut(0), broken()]
)
def test_what_broke_is_asked_again_and_booked_at_its_bound(priced: World, fault: Fault):
    events, _ = turn(priced, fault, answer())
    assert last(events, "answer") == {"text": "All quiet."}
    broken_bill, exact = bills(priced)
    assert broken_bill.note.startswith("at most ") and exact.note == "1000 in, 100 out"
    # The model had read the whole prompt; the exact bill of the second attempt comes on top.
    assert spent(priced) > COST + 2 * 1_000


def test_usage_that_is_known_is_booked_as_it_is(priced: World):
    """Everything came, even the count, and then the connection broke."""
    whole = {**says("a b"), "usage": USAGE}
    events, _ = turn(priced, Fault("throttlingException", events=6, answer=whole), answer())
    assert last(events, "answer") == {"text": "All quiet."}
    assert spent(priced) == 2 * COST


def test_nobody_asks_for_ever(priced: World):
    events, server = turn(priced, *[throttled()] * 9)
    assert last(events, "error")["code"] == "throttled"
    assert len(server.requests) == asking.ATTEMPTS
    assert spent(priced) == 0


def test_a_broken_stream_does_nothing_twice(priced: World):
    """The first answer broke after its call had come whole."""
    calling = uses(("prepare_dataset", {"dataset": "cier"}))
    half = Fault("throttlingException", events=5, answer=calling)
    _, server = turn(priced, half, answer(), text=TRAIN)
    assert priced.gateway.names() == []
    assert len(server.requests) == 2


def test_a_slow_first_byte_is_waited_for(priced: World):
    released = threading.Event()
    with serve(
        in_order(Fault(wait=released, answer=answer(), events=99, code="x"), answer())
    ) as s:
        turns = priced.turns_of(BedrockModel(connect(priced.aws, s.url)))
        submitted = turns.submit(priced.session, QUESTION)
        assert not turns.wait(submitted, 0.1)
        released.set()
        assert turns.wait(submitted, PATIENCE_SECONDS)


def test_a_model_that_never_answers_is_given_up(priced: World):
    silent = Fault(wait=threading.Event(), status=500, code="InternalServerException")
    with serve(in_order(*[silent] * 9)) as server:
        aws = connect(priced.aws, server.url, read_timeout=0.05)
        events = priced.ask(priced.turns_of(BedrockModel(aws)), QUESTION)
    assert last(events, "error")["code"] == "aws_unreachable"
    # Perhaps each of them was at work: the most that it can have cost is booked.
    assert len(bills(priced)) == asking.ATTEMPTS


def test_a_guardrail_ends_the_turn_and_its_calls_are_not_made(priced: World):
    blocked = {
        **uses(("prepare_dataset", {"dataset": "cier"}), text="I may not."),
        "stopReason": "guardrail_intervened",
        "usage": USAGE,
        "trace": {"guardrail": {"outputAssessments": {"g1": [{"topicPolicy": {"topics": []}}]}}},
    }
    events, _ = turn(priced, blocked, text=TRAIN)
    error = last(events, "error")
    assert error["code"] == "guardrail" and "I may not." in error["message"]
    assert "(topicPolicy)" in error["message"]
    assert priced.gateway.names() == [] and spent(priced) == COST
    events, _ = turn(priced, answer())
    assert last(events, "answer") == {"text": "All quiet."}


def test_a_guardrail_also_ends_a_turn_that_has_a_plan(priced: World):
    plan = {"content": PLAN["content"]}
    events, _ = turn(priced, plan, says("No.", stop="content_filtered"), text=TRAIN)
    assert kinds(events)[-2:] == ["error", "done"]
    assert "approval" not in kinds(events)


def test_an_answer_that_is_cut_says_so(priced: World):
    events, _ = turn(priced, answer("The cheapest is", stopReason="max_tokens"))
    text = last(events, "answer")["text"]
    assert text.startswith("The cheapest is") and "go on" in text


def test_a_call_that_is_cut_is_not_made(priced: World):
    half = {**uses(("prepare_dataset", '{"dataset": "ci')), "stopReason": "max_tokens"}
    events, _ = turn(priced, half, text=TRAIN)
    assert last(events, "error")["code"] == "answer_cut"
    assert priced.gateway.names() == []


def test_whole_calls_before_the_cut_are_made(priced: World):
    two = uses(("get_costs", {}), ("prepare_dataset", ""))
    turn(priced, {**two, "stopReason": "max_tokens"}, answer(), text=QUESTION)
    assert priced.gateway.names() == ["get_costs"]


def test_an_empty_answer_does_not_stop_a_plan(priced: World):
    """Current models end a turn without a word after some results."""
    events, _ = turn(priced, {"content": PLAN["content"]}, *[says(" ")] * 8, text=TRAIN)
    assert kinds(events)[-2:] == ["approval", "done"]
    events, _ = turn(priced, says(" "))
    assert last(events, "error")["code"] == "empty_answer"


def test_malformed_output_is_asked_for_again(priced: World):
    events, server = turn(priced, answer(stopReason="malformed_tool_use"), answer())
    assert last(events, "answer") == {"text": "All quiet."}
    assert (len(server.requests), spent(priced)) == (2, 2 * COST)


def test_a_conversation_that_no_longer_fits_says_so(priced: World):
    events, _ = turn(priced, answer(stopReason="model_context_window_exceeded"))
    assert last(events, "error")["code"] == "conversation_too_long"


def test_reasoning_goes_back_as_it_came(priced: World):
    thinking = uses(("get_costs", {}), thought="Let me see.")
    _, server = turn(priced, thinking, answer())
    echoed = server.requests[1]["messages"][-2]["content"]
    assert echoed == thinking["content"]


def test_cached_tokens_are_booked_and_told(priced: World):
    usage = {"inputTokens": 10, "outputTokens": 100}
    cached = {**usage, "cacheReadInputTokens": 1_000, "cacheWriteInputTokens": 400}
    with serve(in_order(answer(usage=cached))) as server:
        aws = connect(priced.aws, server.url)
        meter = Meter(aws, clock)
        state: Any = {"session_id": "s", "turn": "t", "iterations": 0, "parsed": {}}
        said = [{"role": "user", "content": [{"text": "hi"}]}]
        reserved = meter.reserve(state, said)
        reply = BedrockModel(aws).reply(said, "s", [], lambda text: None)
        call = meter.settle(reserved, reply)
    assert (call.model_id, call.stop_reason) == (SONNET, "end_turn")
    assert (call.usage.cache_read_tokens, call.usage.cache_write_tokens) == (1_000, 400)
    # $2 in, and in the cache at most: read 2, written 2.50; $10 out.
    assert call.cost_usd == "0.00402"
    assert spent(priced) == 20 + 2_000 + 1_000 + 1_000


def test_the_bound_of_a_prompt_holds_for_any_text():
    for text in (
        "word " * 100,
        "0123456789" * 50,
        "\u4e2d\u6587" * 100,
        "\U0001f600" * 50,
        "{}[]:," * 80,
    ):
        # No byte-level tokenizer makes more than a token of a byte.
        assert tokens_at_most(text) >= len(text.encode())


def test_the_worst_case_covers_an_honest_bill(priced: World):
    """Whatever the service counts up to its limits, no more than was reserved is booked."""

    def honest(body: dict[str, Any]) -> dict[str, Any]:
        prompt = tokens_at_most([body["messages"], body["system"], body["toolConfig"]["tools"]])
        usage = {"inputTokens": 0, "cacheWriteInputTokens": prompt}
        return answer(usage={**usage, "outputTokens": MAX_OUTPUT_TOKENS})

    turn(priced, honest)
    entries = Ledger(priced.aws).entries(person_scope(priced.aws.settings.person, clock()))
    held = sum(e.reserved_micro for e in entries if e.kind is EntryKind.RESERVE)
    assert 0 < spent(priced) <= held
