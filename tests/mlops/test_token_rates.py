"""Token rates: dated, rounded up, the cache bounded where nobody dated it, never guessed."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops.errors import OpsError, RefusedError, RequestError
from mlops.settings import Settings
from mlops.token_rates import (
    LONG_PROMPT_TOKENS,
    UNCONFIRMED,
    TokenRate,
    rate_of,
    stated_rate,
    token_rates,
)
from tests.factories import NOW

SONNET = "global.anthropic.claude-sonnet-4-6"  # $3 in, $15 out


def test_token_rates_are_dated_and_the_planner_is_free():
    rates = token_rates()
    assert all(rate.source and rate.as_of <= NOW.date() for rate in rates.values())
    assert rates["local.planner-v1"].cost(10**9, 10**9, 10**9, 10**9) == 0


@given(st.integers(0, LONG_PROMPT_TOKENS), st.integers(0, 10**6))
def test_token_costs_round_up(tokens_in: int, tokens_out: int):
    exact = tokens_in * 3 + tokens_out * 15
    assert token_rates()[SONNET].cost(tokens_in, tokens_out) == exact
    haiku = token_rates()["global.anthropic.claude-haiku-5-5"]
    tenths = tokens_in + tokens_out * 5
    assert haiku.cost(tokens_in, tokens_out) == -(-tenths // 10)


def test_a_long_prompt_has_the_higher_of_two_rates():
    haiku = token_rates()["global.anthropic.claude-haiku-5-5"]
    assert haiku.cost(LONG_PROMPT_TOKENS, 0) == 10_000
    assert haiku.cost(LONG_PROMPT_TOKENS + 2, 10) == 50_001 + 25
    assert haiku.cost(2, 10, cache_read_tokens=LONG_PROMPT_TOKENS) == 50_001 + 25


def test_an_undated_cache_costs_its_upper_bound():
    rate = token_rates()[SONNET]
    assert rate.cost(0, 0, cache_read_tokens=1_000) == 3_000
    assert rate.cost(0, 0, cache_write_tokens=1_000) == 3_750


def test_a_dated_cache_rate_counts():
    rate = token_rates()[SONNET].model_copy(
        update={"cache_read_micro": 300_000, "cache_write_micro": 6_000_000}
    )
    assert rate.cost(1, 1, cache_read_tokens=1_000, cache_write_tokens=10) == 3 + 15 + 300 + 60


def test_an_installation_can_state_a_rate():
    rate = stated_rate("us.vendor.model", " 2.20 in, 11.00 out, 2026-11-22 ")
    assert rate == TokenRate(
        model_id="us.vendor.model",
        input_micro=2_200_000,
        output_micro=11_000_000,
        as_of=date(2026, 11, 22),
        source="stated by this installation",
    )


@pytest.mark.parametrize(
    "text", ["", "2.20", "2.20 in, 11 out", "-1 in, 2 out, 2026-11-22", "1 in, 2 out, 2026-13-01"]
)
def test_a_rate_that_is_not_of_the_form_is_refused(text: str):
    with pytest.raises((ValueError, OpsError)):
        stated_rate("m", text)


UNCONFIRMED_MODEL = "global.anthropic.claude-sonnet-5-5"  # confidence C, $2 in, $10 out
LONG_AFTER = NOW + timedelta(days=200)


def test_a_confirmed_row_counts_until_it_is_too_old():
    settings = Settings(bedrock_model_id=SONNET)
    assert rate_of(settings, NOW) == token_rates()[SONNET]
    with pytest.raises(RefusedError, match="more than 180 days old") as refused:
        rate_of(settings, LONG_AFTER)
    assert refused.value.code == "price_unknown" and "LLMOPS_MODEL_RATE" in refused.value.message
    assert [way.message for way in refused.value.alternatives] == [
        "Set BEDROCK_MODEL_ID to local.planner-v1"
    ]
    renewed = settings.model_copy(update={"model_rate": f"3 in, 15 out, {LONG_AFTER:%Y-%m-%d}"})
    assert rate_of(renewed, LONG_AFTER).cost(1_000, 0) == 3_000
    assert rate_of(settings.model_copy(update={"price_max_age_days": 400}), LONG_AFTER)


def test_an_unconfirmed_row_is_an_upper_bound_until_an_installation_confirms_it():
    settings = Settings(bedrock_model_id=UNCONFIRMED_MODEL)
    rate = rate_of(settings, NOW)
    assert (rate.input_micro, rate.output_micro) == (3_000_000, 15_000_000)
    assert rate.source.endswith(UNCONFIRMED) and not rate.is_confirmed
    stated = settings.model_copy(update={"model_rate": "2.10 in, 10.50 out, 2026-11-01"})
    assert rate_of(stated, NOW).input_micro == 2_100_000 and rate_of(stated, NOW).is_confirmed
    with pytest.raises(RefusedError):
        rate_of(settings, LONG_AFTER)


@pytest.mark.parametrize("day", ["2001-01-01", "2026-01-01"])
def test_a_stated_rate_becomes_too_old_as_well(day: str):
    settings = Settings(bedrock_model_id="some.model", model_rate=f"1 in, 2 out, {day}")
    with pytest.raises(RefusedError, match=f"is of {day}"):
        rate_of(settings, NOW)


def test_a_rate_of_the_future_is_a_mistake():
    settings = Settings(bedrock_model_id="some.model", model_rate="1 in, 2 out, 2099-01-01")
    with pytest.raises(RequestError, match="future"):
        rate_of(settings, NOW)


def test_the_free_planner_never_becomes_too_old():
    settings = Settings(bedrock_model_id="local.planner-v1")
    assert rate_of(settings, NOW + timedelta(days=10_000)).is_free
