"""Model calls under the budget: the worst case is reserved before each call, the bill booked after it."""

import json
import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict

from agent.bedrock import MAX_OUTPUT_TOKENS, AttemptError
from agent.prompts import SYSTEM
from agent.replies import Reply, Usage
from agent.state import State
from mlops.aws.clients import Aws
from mlops.aws.notify import warn_of_budget
from mlops.aws.tokens import (
    Hold,
    hold_tokens,
    release_tokens,
    settle_tokens,
    turn_spent,
)
from mlops.dialogue.conversation import read
from mlops.errors import Alternative, RefusedError
from mlops.money import parse_usd, show_usd, to_usd
from mlops.token_rates import TokenRate, rate_of
from mlops.tool_spec import ToolSpec

# What the service writes around messages and tools, in its own words.
_FRAMING_TOKENS = 2_000


class Reservation(NamedTuple):
    """What is held for one call, and the most tokens that its prompt can have; no hold: it is free."""

    hold: Hold | None
    prompt_tokens: int


class ModelCall(BaseModel):
    """One attempt as it was booked, for the log."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model_id: str
    stop_reason: str
    usage: Usage
    cost_usd: str
    rate_as_of: str
    rate_source: str


class Meter:
    """Prices model calls at dated rates; a free model costs and books nothing."""

    def __init__(self, aws: Aws, clock: Callable[[], datetime]):
        self._aws = aws
        self._clock = clock

    def reserve(
        self,
        state: State,
        messages: Sequence[Mapping[str, Any]],
        tools: Sequence[ToolSpec] = (),
    ) -> Reservation:
        """Takes the most that this call can cost out of the month: all of its prompt may be written
        to the cache, and its answer be as long as is allowed.

        RefusedError unless that is left of month, budget and plan. A call repeated after a crash
        was paid twice, so each call has a key of its own.
        """
        offered = [[spec.name, spec.description, spec.model_schema()] for spec in tools]
        tokens = tokens_at_most([SYSTEM, offered, messages]) + _FRAMING_TOKENS
        need = rate_of(self._aws.settings, self._clock()).cost(
            0, MAX_OUTPUT_TOKENS, cache_write_tokens=tokens
        )
        if need == 0:
            return Reservation(None, tokens)
        self._require_turn(state, messages, need)
        call_id = f"{state['turn']}#{state['iterations'] + 1}#{uuid.uuid4().hex[:8]}"
        session, now = state["session_id"], self._clock()
        hold = hold_tokens(
            self._aws, session, call_id, 0, MAX_OUTPUT_TOKENS, now, cache_write_tokens=tokens
        )
        return Reservation(hold, tokens)

    def settle(self, reserved: Reservation, reply: Reply) -> ModelCall:
        """Books what the call used, or the most that it can have used."""
        usage = reply.usage or _at_most(reserved, MAX_OUTPUT_TOKENS)
        return self._book(reserved, usage, reply.stop_reason)

    def settle_attempt(self, reserved: Reservation, failed: AttemptError) -> ModelCall | None:
        """Books what a failed attempt used, or the most that it can have used; None, and all is
        given back, when no model was reached."""
        if not failed.reached:
            if reserved.hold is not None:
                release_tokens(self._aws, reserved.hold, self._clock())
            return None
        usage = failed.usage or _at_most(reserved, _answered(failed))
        return self._book(reserved, usage, failed.error.code)

    def _book(self, reserved: Reservation, usage: Usage, stop_reason: str) -> ModelCall:
        micro = 0
        if reserved.hold is not None:
            micro = settle_tokens(
                self._aws,
                reserved.hold,
                usage.input_tokens,
                usage.output_tokens,
                self._clock(),
                usage.cache_read_tokens,
                usage.cache_write_tokens,
                usage.at_most,
            )
            warn_of_budget(self._aws, reserved.hold.scopes, self._clock())
        rate = self._rate(reserved)
        return ModelCall(
            model_id=rate.model_id,
            stop_reason=stop_reason,
            usage=usage,
            cost_usd=to_usd(micro),
            rate_as_of=rate.as_of.isoformat(),
            rate_source=rate.source,
        )

    def _rate(self, reserved: Reservation) -> TokenRate:
        """Of the day on which the call was begun: a bill is booked also when the rate has since
        become too old for another call."""
        begun = reserved.hold.at if reserved.hold else self._clock()
        return rate_of(self._aws.settings, begun)

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


def tokens_at_most(value: Any) -> int:
    """One token for each byte: no byte-level tokenizer makes more of a text."""
    return len(json.dumps(value, default=str, ensure_ascii=False).encode("utf-8", "replace"))


def _at_most(reserved: Reservation, output_tokens: int) -> Usage:
    prompt = reserved.prompt_tokens
    return Usage(cache_write_tokens=prompt, output_tokens=output_tokens, at_most=True)


def _answered(failed: AttemptError) -> int:
    """A model whose connection broke may have gone on to its limit."""
    return min(failed.answered_chars, MAX_OUTPUT_TOKENS) if failed.ended else MAX_OUTPUT_TOKENS
