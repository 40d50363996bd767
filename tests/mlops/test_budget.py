"""The clamp: whatever it allows can never cost more than there is, nor run for less than p90."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops.budget import STOP_GRACE_SECONDS, ceiling, clamp, training_seconds
from mlops.money import cost_of_seconds, parse_usd

MONEY = st.integers(-1_000_000, 10**9)
TIMES = st.none() | st.integers(-10_000, 10**6)
RATES = st.integers(1, 200_000_000)
P90 = st.integers(1, 10**6)


@given(MONEY, TIMES, RATES, P90)
def test_a_clamp_exceeds_neither_money_nor_time_and_is_worth_starting(
    left: int, seconds: int | None, rate: int, p90: int
):
    clamped = clamp(left, seconds, rate, p90)
    if clamped is None:
        return
    assert ceiling(clamped.max_runtime_seconds, rate) <= left
    assert clamped.max_runtime_seconds >= p90
    assert seconds is None or clamped.max_runtime_seconds <= seconds


@given(MONEY, TIMES, RATES, P90)
def test_nothing_is_refused_that_fits(left: int, seconds: int | None, rate: int, p90: int):
    fits = ceiling(p90, rate) <= left and (seconds is None or p90 <= seconds)
    assert (clamp(left, seconds, rate, p90) is not None) == fits


@given(MONEY, TIMES, RATES, P90)
def test_what_binds_is_what_would_break_with_one_second_more(
    left: int, seconds: int | None, rate: int, p90: int
):
    clamped = clamp(left, seconds, rate, p90)
    if clamped is None:
        return
    longer = clamped.max_runtime_seconds + 1
    if clamped.bound_by == "budget_usd":
        assert (longer + STOP_GRACE_SECONDS) * rate > left * 3600
    elif clamped.bound_by == "max_minutes":
        assert seconds is not None and longer > seconds
    else:
        assert clamped.max_runtime_seconds == max(4 * p90, p90 + 300)


@given(st.integers(0, 10**6), RATES)
def test_the_ceiling_covers_the_run_and_the_stop_grace(seconds: int, rate: int):
    assert ceiling(seconds, rate) == cost_of_seconds(seconds + STOP_GRACE_SECONDS, rate)


@pytest.mark.parametrize(
    ("left", "seconds", "bound_by"),
    [("10", None, None), ("0.30", None, "budget_usd"), ("10", 500, "max_minutes")],
)
def test_what_binds(left: str, seconds: int | None, bound_by: str | None):
    clamped = clamp(parse_usd(left), seconds, parse_usd("1.408"), 400)
    assert clamped is not None and clamped.bound_by == bound_by


@given(st.integers(1, 10**6), st.integers(0, 1000), st.integers(0, 1000))
def test_the_trainer_leaves_the_slice_and_the_start_up(clamp_: int, overhead: int, after: int):
    seconds = training_seconds(clamp_, overhead, after)
    assert seconds >= 1
    if clamp_ - overhead >= 2 * after + 1:
        assert seconds == clamp_ - overhead - after
    if clamp_ - overhead >= 2:
        assert seconds <= clamp_ - overhead
