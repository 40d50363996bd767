"""Token rates: dated, rounded up, the cache bounded where nobody dated it, never guessed."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops.errors import OpsError
from mlops.token_rates import LONG_PROMPT_TOKENS, TokenRate, stated_rate, token_rates
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
