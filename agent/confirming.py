"""Checks the numbers of a model's answer, and asks once more when some are in no result."""

from collections.abc import Callable
from typing import Any

from agent import messages as talk
from agent.asking import HaltError
from agent.journal import LeaseLostError
from agent.state import State
from mlops.dialogue import answers
from mlops.dialogue.claims import Known, known, unconfirmed
from mlops.dialogue.language import Language
from mlops.errors import OpsError

_NOT_CONFIRMED = (
    "Your last answer was not shown. No result of this conversation contains these numbers: {}. "
    "Answer again, with numbers from results only; leave out what no result says."
)
Message = dict[str, Any]


def known_in(state: State) -> Known:
    """The numbers that person, results and code have named."""
    own = [answers.help_text(language) for language in Language]
    said = (block for m in state["messages"] if m["role"] == "user" for block in m["content"])
    return known([*own, *(part for block in said for part in _parts(block))])


def confirmed(
    state: State,
    message: Message,
    said: Known,
    ask: Callable[[list[Message]], Message],
    note: Callable[[str], None],
) -> tuple[Message, list[str]]:
    """The message to use, and those of its numbers that no result contains.

    A message with such numbers is asked for once more. `ask` sends a conversation to the model;
    `note` tells the person why it is asked again.
    """
    wrong = _unconfirmed(message, said)
    if not wrong:
        return message, []
    numbers = ", ".join(wrong)
    note(f"No result contains {numbers}: I ask for the answer again.")
    told = [message, talk.noted(_NOT_CONFIRMED.format(numbers))]
    try:
        again = ask([*state["messages"], *told])
    except (HaltError, LeaseLostError):
        raise
    except OpsError:
        return message, wrong
    return again, _unconfirmed(again, said)


def _parts(block: dict[str, Any]) -> list[Any]:
    """What a block says; a result's own lists are counted, not the list of its parts."""
    if "toolResult" not in block:
        return [block.get("text", "")]
    return [part.get("json", part.get("text", "")) for part in block["toolResult"]["content"]]


def _unconfirmed(message: Message, said: Known) -> list[str]:
    """Calls say nothing: what they ask for is judged by the gate."""
    return [] if talk.calls_of(message) else unconfirmed(talk.text_of(message), said)
