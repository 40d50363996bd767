"""What a million tokens of a model cost: dated rows, or what an installation states; never a guess."""

import re
from datetime import date
from functools import cache

from pydantic import BaseModel, ConfigDict

from mlops.money import parse_usd
from mlops.prices import rates

# Where a model has two rates, the higher one counts for a prompt of more tokens than this.
LONG_PROMPT_TOKENS = 100_000
_STATED = re.compile(r"(\d+(?:\.\d+)?) in, (\d+(?:\.\d+)?) out, (\d{4}-\d\d-\d\d)")


class TokenRate(BaseModel):
    """What a million tokens of a model cost, in micro-USD; `long_*` above LONG_PROMPT_TOKENS.

    A cache rate that nobody dated is bounded: reading costs no more than the input does, writing
    for five minutes 1.25 times as much.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    model_id: str
    input_micro: int
    output_micro: int
    as_of: date
    source: str
    cache_read_micro: int | None = None
    cache_write_micro: int | None = None
    long_input_micro: int | None = None
    long_output_micro: int | None = None

    def cost(
        self,
        input_tokens: int,
        output_tokens: int,
        cache_read_tokens: int = 0,
        cache_write_tokens: int = 0,
    ) -> int:
        """Micro-USD, rounded up; input tokens are those that the cache had no part in."""
        prompt = input_tokens + cache_read_tokens + cache_write_tokens
        rate = self._long() if prompt > LONG_PROMPT_TOKENS else self
        read = rate.input_micro if rate.cache_read_micro is None else rate.cache_read_micro
        write = rate.cache_write_micro
        written = -(-rate.input_micro * 5 // 4) if write is None else write
        micro = input_tokens * rate.input_micro + output_tokens * rate.output_micro
        micro += cache_read_tokens * read + cache_write_tokens * written
        return -(-micro // 1_000_000)

    def _long(self) -> "TokenRate":
        """Cache rates are dated for short prompts only."""
        if self.long_input_micro is None or self.long_output_micro is None:
            return self
        long = {"input_micro": self.long_input_micro, "output_micro": self.long_output_micro}
        none = {"cache_read_micro": None, "cache_write_micro": None}
        return self.model_copy(update=long | none)


@cache
def token_rates() -> dict[str, TokenRate]:
    """Dated token rates by model id."""
    by_model: dict[str, dict[str, dict[str, str]]] = {}
    for row in rates():
        if row["kind"].startswith("model_"):
            by_model.setdefault(row["name"], {})[row["kind"]] = row
    return {
        model_id: TokenRate(
            model_id=model_id,
            input_micro=parse_usd(kinds["model_input"]["usd"]),
            output_micro=parse_usd(kinds["model_output"]["usd"]),
            as_of=date.fromisoformat(kinds["model_input"]["as_of"]),
            source=kinds["model_input"]["source"],
            cache_read_micro=_usd_of(kinds, "model_cache_read"),
            cache_write_micro=_usd_of(kinds, "model_cache_write"),
            long_input_micro=_usd_of(kinds, "model_input_long"),
            long_output_micro=_usd_of(kinds, "model_output_long"),
        )
        for model_id, kinds in by_model.items()
    }


def stated_rate(model_id: str, text: str) -> TokenRate:
    """A rate that an installation states: "2.20 in, 11.00 out, 2026-11-22".

    ValueError, or RequestError for a malformed amount, when it is not of that form.
    """
    found = _STATED.fullmatch(text.strip())
    if found is None:
        raise ValueError("state it as: 2.20 in, 11.00 out, 2026-11-22")
    return TokenRate(
        model_id=model_id,
        input_micro=parse_usd(found[1]),
        output_micro=parse_usd(found[2]),
        as_of=date.fromisoformat(found[3]),
        source="stated by this installation",
    )


def _usd_of(kinds: dict[str, dict[str, str]], kind: str) -> int | None:
    return parse_usd(kinds[kind]["usd"]) if kind in kinds else None
