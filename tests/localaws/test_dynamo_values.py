"""Attribute values: one spelling per number, sizes, keys that sort as DynamoDB sorts."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localaws.dynamo_values import (
    add_numbers,
    check_value,
    checked,
    normal_number,
    prefix_end,
    sort_key,
)
from localaws.errors import AwsError

numbers = st.decimals(
    min_value=Decimal("-1e30"), max_value=Decimal("1e30"), allow_nan=False, places=7
)


@given(numbers, numbers)
def test_number_keys_sort_numerically(a: Decimal, b: Decimal):
    keys = [sort_key({"N": normal_number(str(n))}) for n in (a, b)]
    assert (keys[0] < keys[1]) == (a < b)
    assert (keys[0] == keys[1]) == (a == b)


@given(st.text(min_size=1), st.text(min_size=1))
def test_string_keys_sort_by_utf8(a: str, b: str):
    assert (sort_key({"S": a}) < sort_key({"S": b})) == (a.encode() < b.encode())


@given(st.binary(min_size=1, max_size=3), st.binary(max_size=3))
def test_prefix_end_bounds_exactly_the_prefix(prefix: bytes, other: bytes):
    end = prefix_end(prefix)
    inside = other >= prefix and (end is None or other < end)
    assert inside == other.startswith(prefix)


@pytest.mark.parametrize(
    ("text", "normal"),
    [("007", "7"), ("1.50", "1.5"), ("1E2", "100"), ("-0", "0"), ("1e-3", "0.001"), ("12", "12")],
)
def test_numbers_have_one_spelling(text: str, normal: str):
    assert normal_number(text) == normal


@pytest.mark.parametrize("text", ["", "x", "NaN", "Infinity", "1" * 39, "1e126", "1e-131", None])
def test_bad_numbers_are_refused(text: str):
    with pytest.raises(AwsError) as caught:
        normal_number(text)
    assert caught.value.code == "ValidationException"


def test_arithmetic_is_decimal_and_exact():
    assert add_numbers("0.1", "0.2", 1) == "0.3"
    assert add_numbers("1" * 38, "1", -1) == "1" * 37 + "0"
    with pytest.raises(AwsError, match="38"):
        add_numbers("1" * 38, "0.1", 1)


def test_sizes_count_names_and_values():
    assert checked({"ab": {"S": "é"}})[1] == 4
    assert checked({"a": {"BOOL": True}, "b": {"NULL": True}})[1] == 4
    assert check_value({"L": [{"S": "xyz"}]})[1] == 3 + 3 + 1


@pytest.mark.parametrize(
    "value",
    [{}, {"S": 1}, {"X": "1"}, {"SS": []}, {"NS": ["1", "1.0"]}, {"S": "a", "N": "1"}, "a"],
)
def test_bad_values_are_refused(value: object):
    with pytest.raises(AwsError):
        check_value(value)


def test_nesting_is_bounded():
    value: dict = {"S": "x"}
    for _ in range(40):
        value = {"L": [value]}
    with pytest.raises(AwsError, match="32"):
        check_value(value)
