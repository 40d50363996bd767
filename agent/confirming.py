"""An answer of the model in, one whose numbers are confirmed out, or the numbers that are not."""

import json
from collections.abc import Callable
from typing import Any

from agent import messages as talk
from agent.asking import HaltError
from agent.journal import LeaseLostError
from agent.state import State
from mlops import answers
from mlops.claims import unconfirmed
from mlops.errors import OpsError
from mlops.language import Language

_NOT_CONFIRMED = (
    "Your last answer was not shown. No result of this conversation contains these numbers: {}. "
    "Answer again, with numbers from results only; leave out what no result says."
)
Message = dict[str, Any]


def confirmed(
    state: State,
    message: Message,
    ask: Callable[[list[Message]], Message],
    note: Callable[[str], None],
) -> tuple[Message, list[str]]:
    """The message, asked for once more where it states numbers that nothing here contains, and
    the numbers that stay so. `ask` answers a conversation, `note` tells why it is asked again."""
    wrong = _unconfirmed(state, message)
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
    return again, _unconfirmed(state, again)


def _unconfirmed(state: State, message: dict[str, Any]) -> list[str]:
    """The amounts and scores of an answer that neither person nor result nor code has named."""
    if talk.calls_of(message):
        return []
    said = (m for m in state["messages"] if m["role"] == "user")
    own = [answers.help_text(language) for language in Language]
    sources = [*own, *(json.dumps(m["content"], default=str) for m in said)]
    return unconfirmed(talk.text_of(message), sources)
