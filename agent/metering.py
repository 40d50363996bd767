"""Model calls under the budget: refused before they could exceed it, booked as soon as they are made."""

import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from agent.bedrock import MAX_OUTPUT_TOKENS, Reply
from agent.messages import size
from agent.prompts import SYSTEM
from agent.state import State
from mlops.aws.clients import Aws
from mlops.aws.ledger import Ledger
from mlops.aws.tokens import book_tokens, rate_of, turn_spent
from mlops.conversation import read
from mlops.errors import Alternative, RefusedError
from mlops.ledger import person_scope
from mlops.money import parse_usd, show_usd
from mlops.tools import TOOLS

# Tokens are longer than this on average; what is assumed is more than what is billed.
_CHARS_PER_TOKEN = 2
_FIXED_CHARS = len(SYSTEM) + size([[s.description, s.model_schema()] for s in TOOLS.values()])


class Meter:
    """Prices model calls at dated rates; a free model costs and books nothing."""

    def __init__(self, aws: Aws, clock: Callable[[], datetime]):
        self._aws = aws
        self._clock = clock

    def require(self, state: State, messages: Sequence[Mapping[str, Any]]) -> None:
        """RefusedError unless the most that this call can cost is left of month, budget and plan."""
        rate = rate_of(self._aws.settings.bedrock_model_id)
        tokens = (_FIXED_CHARS + size(messages)) // _CHARS_PER_TOKEN
        need = rate.cost(tokens, MAX_OUTPUT_TOKENS)
        if need == 0:
            return
        left = min(self._month_left(), self._turn_left(state, messages))
        if need > left:
            raise RefusedError(
                "over_budget",
                f"The model's next words may cost {show_usd(need)}; {show_usd(left)} are left.",
                (
                    Alternative(kind="raise_budget", message="Raise the budget"),
                    Alternative(kind="model", message="Set BEDROCK_MODEL_ID to a cheaper model"),
                ),
            )

    def book(self, state: State, reply: Reply) -> None:
        """A call repeated after a crash was paid twice, so each call has a key of its own."""
        call_id = f"{state['turn']}#{state['iterations'] + 1}#{uuid.uuid4().hex[:8]}"
        book_tokens(
            self._aws,
            state["session_id"],
            call_id,
            reply.input_tokens,
            reply.output_tokens,
            self._clock(),
        )

    def _month_left(self) -> int:
        settings = self._aws.settings
        totals = Ledger(self._aws).totals(person_scope(settings.person, self._clock()))
        return parse_usd(settings.monthly_limit_usd) if totals is None else totals.left_micro

    def _turn_left(self, state: State, messages: Sequence[Mapping[str, Any]]) -> int:
        """Once there is a plan, only what it keeps aside for words; until then the stated budget."""
        planned = read(messages).result("plan_training")
        stated = state["parsed"].get("constraints", {}).get("budget_usd")
        bound = planned["plan"]["tokens_usd"] if planned else stated
        if bound is None:
            return self._month_left()
        spent = turn_spent(
            self._aws,
            self._aws.settings.person,
            state["session_id"],
            state["turn"],
            self._clock(),
        )
        return parse_usd(bound) - spent
