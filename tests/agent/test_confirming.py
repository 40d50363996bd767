"""Turns whose model makes numbers up: they are asked for again, and are on no screen in between."""

from collections.abc import Callable
from typing import Any

import pytest

from agent.gate import MAX_CALLS
from tests.agent.fakes import ScriptedModel, calls, says
from tests.agent.world import World, kinds, last

QUESTION = "Is there anything new?"
INVENTED = "It is done. Your model reached a score of 0.9731 and cost $4.20."


def streamed(world: World) -> str:
    return "".join(e.data["text"] for e in world.log.tail_tokens(world.session))


def test_an_invented_score_is_not_streamed(world: World):
    answered = world.ask(world.turns(says(INVENTED), says("There is nothing new.")), QUESTION)
    assert last(answered, "answer") == {"text": "There is nothing new."}
    assert streamed(world) == "It is done. Your model reached a score of There is nothing new."


def test_what_was_asked_for_again_confirms_nothing(world: World):
    """The question names the numbers: they are no source for that."""
    answered = world.ask(world.turns(says(INVENTED), says(INVENTED)), QUESTION)
    answer = last(answered, "answer")
    assert answer["unconfirmed"] == ["0.9731", "$4.20"]
    assert "0.97" not in streamed(world)


def test_numbers_of_results_are_streamed(world: World):
    world.gateway.answers["get_costs"] = {"spent_usd": "4.20", "jobs": [{"f1": 0.9731}]}
    said = "Your model reached a score of 0.9731. It cost $4.20."
    world.ask(world.turns(calls(("get_costs", {})), says(said)), QUESTION)
    assert streamed(world) == said


@pytest.mark.parametrize(
    ("said", "wrong"),
    [
        (
            "It took 3 hours and 12,345 sentences, 8 GPUs.",
            ["3 hours", "12,345 sentences", "8 GPUs"],
        ),
        ("It cost four dollars.", ["four dollars"]),
    ],
)
def test_counts_times_and_words_are_claims(world: World, said: str, wrong: list[str]):
    answered = world.ask(world.turns(says(said), says(said)), QUESTION)
    assert last(answered, "answer")["unconfirmed"] == wrong


@pytest.mark.parametrize("name", ["no_such_tool", "get_costs"])
def test_hundreds_of_calls_are_one_refusal(world: World, name: str):
    flood = calls(*[(name, {"i": n}) for n in range(400)])
    model = ScriptedModel(flood, says("Done."))
    answered = world.ask(world.turns_of(model), QUESTION)
    results = [e.data for e in answered if e.kind == "tool_result"]
    assert len(results) == MAX_CALLS + 1
    assert results[-1]["error"]["code"] == "too_many_calls"
    assert kinds(answered)[-1] == "done" and len(answered) < 2 * MAX_CALLS + 10


def test_calls_of_later_answers_have_no_room_left(world: World):
    ever: Callable[[Any], dict[str, Any]] = lambda messages: calls(  # noqa: E731
        *[("get_costs", {"n": n, "at": len(messages)}) for n in range(50)], id=f"c{len(messages)}-"
    )
    answered = world.ask(world.turns_of(ScriptedModel(*[ever] * 12)), QUESTION)
    assert len([e for e in answered if e.kind == "tool_result"]) <= MAX_CALLS + 12
