"""What is answered from a plan: its price, which one waits, what can be done with it."""

from typing import Any

import pytest

from mlops.dialogue.conversation import Conversation, noted, read, understand
from mlops.workflow import next_step

PLAN = {
    "plan_id": "plan-0123456789abcdef",
    "ceiling_usd": "2.00",
    "dataset": {"name": "cier", "synthetic": False},
    "stages": [],
}


def asked(text: str, is_open: bool = True) -> str:
    """What the policy says to `text` after a plan was made."""
    use = {"toolUse": {"toolUseId": "1", "name": "plan_training", "input": {}}}
    result = {"toolUseId": "1", "content": [{"json": {"plan": PLAN}}], "status": "success"}
    before: list[dict[str, Any]] = [
        {"role": "user", "content": [{"text": "Train NER on cier for $5"}]},
        {"role": "assistant", "content": [use]},
        {"role": "user", "content": [{"toolResult": result}]},
        {"role": "assistant", "content": [{"text": "Well."}]},
    ]
    message = {"role": "user", "content": [{"text": text}]}
    heard = [*before, message]
    parsed = understand(heard)
    waiting = str(PLAN["plan_id"]) if is_open else None
    conversation: Conversation = read([*before, noted(message, parsed, heard, waiting)])
    return next_step(conversation, parsed).text


@pytest.mark.parametrize(
    "text", ["how much is that?", "ok, how much is it", "was kostet das?", "Wie teuer ist das?"]
)
def test_its_price(text: str):
    assert "$2.00" in asked(text)
    assert "plan-0123456789abcdef" in asked(text)
    assert "$2.00" in asked(text, is_open=False)
    assert "plan-0123456789abcdef" not in asked(text, is_open=False)


@pytest.mark.parametrize(
    "text",
    ["which plan is waiting?", "is it approved?", "what is waiting for my approval?",
     "Welcher Plan wartet auf Freigabe?"],
)  # fmt: skip
def test_which_one_waits(text: str):
    assert "plan-0123456789abcdef" in asked(text)
    assert "plan-0123456789abcdef" not in asked(text, is_open=False)


def test_there_is_no_exchange_rate():
    assert "$2.00" in asked("how much is that in euros?")
    assert "Wechselkurs" in asked("Was ist das in Euro?")


def test_what_was_no_change_is_said_so():
    assert "did not take that as a change of plan-0123456789abcdef" in asked(
        "blorp the frobnicator"
    )
    assert "named entity" in asked("blorp the frobnicator", is_open=False)
    assert asked("don't train it").startswith("Nothing is trained. plan-0123456789abcdef")
    assert asked("don't train it", is_open=False) == "Nothing is trained."


def test_a_yes_without_a_plan_is_told_that_none_waits():
    assert asked("yes", is_open=False) == "No plan of this conversation waits for a decision."
