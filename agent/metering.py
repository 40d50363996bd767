"""Model calls under the budget: the worst case is reserved before each call, the bill booked after it."""

import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from agent.bedrock import MAX_OUTPUT_TOKENS, Reply
from agent.messages import size
from agent.prompts import SYSTEM
from agent.state import State
from mlops.aws.clients import Aws
from mlops.aws.tokens import (
    Hold,
    hold_tokens,
    rate_of,
    release_tokens,
    settle_tokens,
    turn_spent,
)
from mlops.conversation import read
from mlops.errors import Alternative, RefusedError
from mlops.money import parse_usd, show_usd, to_usd
from mlops.tools import TOOLS

# Tokens are longer than this on average; what is assumed is more than what is billed.
_CHARS_PER_TOKEN = 2
_FIXED_CHARS = len(SYSTEM) + size([[s.description, s.model_schema()] for s in TOOLS.values()])


class Meter:
    """Prices model calls at dated rates; a free model costs and books nothing."""

    def __init__(self, aws: Aws, clock: Callable[[], datetime]):
        self._aws = aws
        self._clock = clock

    def reserve(self, state: State, messages: Sequence[Mapping[str, Any]]) -> Hold | None:
        """Takes the most that this call can cost out of the month; None for a free model.

        RefusedError unless that is left of month, budget and plan. A call repeated after a crash
        was paid twice, so each call has a key of its own.
        """
        tokens = (_FIXED_CHARS + size(messages)) // _CHARS_PER_TOKEN
        need = rate_of(self._aws.settings.bedrock_model_id).cost(tokens, MAX_OUTPUT_TOKENS)
        if need == 0:
            return None
        self._require_turn(state, messages, need)
        call_id = f"{state['turn']}#{state['iterations'] + 1}#{uuid.uuid4().hex[:8]}"
        session, now = state["session_id"], self._clock()
        return hold_tokens(self._aws, session, call_id, tokens, MAX_OUTPUT_TOKENS, now)

    def settle(self, hold: Hold | None, reply: Reply) -> None:
        """Books what the call used."""
        if hold is not None:
            tokens = reply.input_tokens, reply.output_tokens
            settle_tokens(self._aws, hold, *tokens, self._clock())

    def release(self, hold: Hold | None) -> None:
        """The call failed: nothing of it is billed."""
        if hold is not None:
            release_tokens(self._aws, hold, self._clock())

    def _require_turn(
        self, state: State, messages: Sequence[Mapping[str, Any]], need: int
    ) -> None:
        """Once there is a plan, only what it keeps aside for words; until then the stated budget."""
        planned = read(messages).result("plan_training")
        stated = state["parsed"].get("constraints", {}).get("budget_usd")
        bound = planned["plan"]["tokens_usd"] if planned else stated
        if bound is None:
            return
        person, session, turn = self._aws.settings.person, state["session_id"], state["turn"]
        spent = turn_spent(self._aws, person, session, turn, self._clock())
        left = parse_usd(bound) - spent
        if need <= left:
            return
        raised = to_usd(parse_usd(bound) + need - left)
        raise RefusedError(
            "over_budget",
            f"The model's next words may cost {show_usd(need)}; {show_usd(left)} are left.",
            (
                Alternative(
                    kind="raise_budget", message=f"Raise the budget to ${raised}", cost_usd=raised
                ),
                Alternative(kind="model", message="Set BEDROCK_MODEL_ID to a cheaper model"),
            ),
        )
