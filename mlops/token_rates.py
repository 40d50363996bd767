"""What a million tokens of a model cost: dated rows, or what an installation states; never a guess."""

import re
from datetime import date, datetime, timedelta
from functools import cache

from pydantic import BaseModel, ConfigDict

from mlops.errors import Alternative, RefusedError, RequestError
from mlops.money import parse_usd
from mlops.prices import Confidence, rates
from mlops.settings import Settings

# Where a model has two rates, the higher one counts for a prompt of more tokens than this.
LONG_PROMPT_TOKENS = 100_000
UNCONFIRMED = "unconfirmed: at most, half as much again is counted"
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
    confidence: Confidence = Confidence.B
    cache_read_micro: int | None = None
    cache_write_micro: int | None = None
    long_input_micro: int | None = None
    long_output_micro: int | None = None

    @property
    def is_free(self) -> bool:
        return self.input_micro == self.output_micro == 0

    @property
    def is_confirmed(self) -> bool:
        return self.confidence.is_verified

    def bounded(self) -> "TokenRate":
        """Half as much again, as the upper bound of a rate that nobody confirmed. An assumption: the
        regional profiles that are listed cost a tenth more than the global ones."""
        dearer = {
            name: -(-value * 3 // 2)
            for name, value in self
            if name.endswith("_micro") and value is not None
        }
        return self.model_copy(update=dearer | {"source": f"{self.source}; {UNCONFIRMED}"})

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


def rate_of(settings: Settings, now: datetime) -> TokenRate:
    """Of the settings' model: a confirmed row, else what the installation states, else the upper
    bound of an unconfirmed row.

    RefusedError when nobody has dated it, or too long ago: never a guess.
    """
    model_id, row = settings.bedrock_model_id, token_rates().get(settings.bedrock_model_id)
    if row is not None and (row.is_free or (row.is_confirmed and _is_young(row, settings, now))):
        return row
    if settings.model_rate is not None:
        row = _installations(model_id, settings.model_rate, now)
    if row is None:
        raise _refusal(settings, now, "is not known")
    if not _is_young(row, settings, now):
        days = settings.price_max_age_days
        raise _refusal(settings, now, f"is of {row.as_of}, more than {days} days old")
    return row if row.is_confirmed else row.bounded()


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
            confidence=Confidence(max(row["confidence"] for row in kinds.values())),
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


def _is_young(rate: TokenRate, settings: Settings, now: datetime) -> bool:
    return now.date() - rate.as_of <= timedelta(days=settings.price_max_age_days)


def _installations(model_id: str, text: str, now: datetime) -> TokenRate:
    try:
        stated = stated_rate(model_id, text)
        if stated.as_of > now.date() + timedelta(days=1):
            raise ValueError("its date lies in the future")
    except (ValueError, RequestError) as error:
        raise RequestError("bad_setting", f"LLMOPS_MODEL_RATE={text[:80]!r}: {error}") from error
    return stated


def _refusal(settings: Settings, now: datetime, why: str) -> RefusedError:
    usable = [r for r in token_rates().values() if r.is_free or _is_young(r, settings, now)]
    return RefusedError(
        "price_unknown",
        f"The token price of {settings.bedrock_model_id[:120]} {why}, so it may not be used. Look it"
        ' up and set LLMOPS_MODEL_RATE="<USD per million tokens> in, <USD> out, <date>".',
        tuple(
            Alternative(kind="model", message=f"Set BEDROCK_MODEL_ID to {name}")
            for name in sorted(rate.model_id for rate in usable)
        ),
    )


def _usd_of(kinds: dict[str, dict[str, str]], kind: str) -> int | None:
    return parse_usd(kinds[kind]["usd"]) if kind in kinds else None
