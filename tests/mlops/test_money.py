"""Micro-USD: exact round trips, costs up, what is left down."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mlops.errors import RequestError
from mlops.money import cost_of_seconds, parse_usd, seconds_for, show_usd, to_cents, to_usd

AMOUNTS = st.integers(-(10**15), 10**15)
RATES = st.integers(1, 200_000_000)
SECONDS = st.integers(0, 10_000_000)


@given(AMOUNTS)
def test_the_wire_is_exact(micro: int):
    text = to_usd(micro)
    assert parse_usd(text) == micro
    assert "e" not in text.lower()
    assert len(text.partition(".")[2]) >= 2


@given(st.decimals(-1_000_000, 1_000_000, allow_nan=False, places=9))
def test_digits_beyond_micro_round_up(amount: Decimal):
    exact = Fraction(amount) * 1_000_000
    assert 0 <= parse_usd(amount) - exact < 1


@pytest.mark.parametrize("digits", [7, 29, 60])
def test_rounding_up_does_not_depend_on_the_number_of_digits(digits: int):
    assert parse_usd("10." + "0" * (digits - 1) + "1") == 10_000_001


@pytest.mark.parametrize(
    ("text", "micro"),
    [
        ("10", 10_000_000),
        ("0.7364", 736_400),
        (".000001", 1),
        ("-0.5", -500_000),
        (3, 3_000_000),
        (Decimal("1E-6"), 1),
    ],
)
def test_amounts_are_read(text: str | int | Decimal, micro: int):
    assert parse_usd(text) == micro


@pytest.mark.parametrize(
    "text",
    ["", "ten", "NaN", "Infinity", "-inf", "$5", "1,5", "1e3", "1e999999", "1_000", "١٠", "."],
)
def test_what_is_no_amount_is_the_persons_to_mend(text: str):
    with pytest.raises(RequestError) as caught:
        parse_usd(text)
    assert caught.value.code == "bad_amount"


@pytest.mark.parametrize(
    ("seconds", "usd_per_hour", "micro"),
    [
        (2520, "0.7364", 515_480),  # 42 minutes on ml.g4dn.xlarge
        (3600, "1.408", 1_408_000),  # an hour on ml.g5.xlarge
        (1, "1.408", 392),  # 391.1 rounds up
        (0, "1.408", 0),
    ],
)
def test_known_costs(seconds: int, usd_per_hour: str, micro: int):
    assert cost_of_seconds(seconds, parse_usd(usd_per_hour)) == micro


@given(SECONDS, RATES)
def test_costs_round_up_by_less_than_a_micro(seconds: int, rate: int):
    exact = Fraction(seconds * rate, 3600)
    assert 0 <= cost_of_seconds(seconds, rate) - exact < 1


@given(st.integers(0, 10**12), RATES)
def test_seconds_bought_are_affordable_and_one_more_is_not(amount: int, rate: int):
    seconds = seconds_for(amount, rate)
    assert cost_of_seconds(seconds, rate) <= amount
    assert Fraction((seconds + 1) * rate, 3600) > amount


@given(AMOUNTS)
@example(19_999)
@example(-1)
def test_cents_round_down(micro: int):
    assert to_cents(micro) * 10_000 <= micro < (to_cents(micro) + 1) * 10_000


@pytest.mark.parametrize(
    ("micro", "shown"),
    [
        (10_000_000, "$10.00"),
        (1_234_500_000, "$1,234.50"),
        (515_480, "$0.5155"),
        (10_001_000, "$10.01"),
        (100, "$0.0001"),
        (1, "$0.000001"),
        (50_000, "$0.05"),
        (0, "$0.00"),
        (-2_500_000, "-$2.50"),
    ],
)
def test_amounts_for_people(micro: int, shown: str):
    assert show_usd(micro) == shown


@given(st.integers(1, 10**9))
def test_an_amount_is_never_shown_as_nothing(micro: int):
    assert set(show_usd(micro)) & set("123456789")
