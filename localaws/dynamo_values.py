"""DynamoDB attribute values in their wire form ({"S": "x"}): checked, sized, and encoded as sort keys."""

import base64
import binascii
from collections.abc import Callable
from decimal import Decimal, InvalidOperation, localcontext
from typing import Any

from localaws.errors import AwsError, invalid

Value = dict[str, Any]
Attributes = dict[str, Value]

MAX_ITEM_BYTES = 400 * 1024
_MAX_DEPTH = 32
_MAX_DIGITS = 38
_MAX_EXPONENT = 125
_MIN_EXPONENT = -130
_EXPONENT_BIAS = 1024
_INVALID = "One or more parameter values were invalid: "


def normal_number(text: Any) -> str:
    """The one spelling of a number (plain notation, no trailing zeros); at most 38 digits."""
    if isinstance(text, str) and text.isdigit() and text[0] != "0" and len(text) <= _MAX_DIGITS:
        return text
    try:
        number = Decimal(text)
    except (InvalidOperation, TypeError, ValueError) as error:
        raise invalid(f"The parameter cannot be converted to a numeric value: {text}") from error
    if not number.is_finite():
        raise invalid(f"The parameter cannot be converted to a numeric value: {text}")
    return _plain(number)


def add_numbers(left: str, right: str, sign: int) -> str:
    """left ± right, exact; more than 38 digits are refused as AWS does for stored numbers."""
    with localcontext() as context:
        context.prec = 300
        return _plain(Decimal(left) + sign * Decimal(right))


def checked(attributes: Any) -> tuple[Attributes, int]:
    """The item with normal numbers, and its size in bytes by DynamoDB's rules."""
    if not isinstance(attributes, dict):
        raise invalid("Item must be a map of attribute values")
    item, size = {}, 0
    for name, value in attributes.items():
        item[name], value_size = check_value(value, 1)
        size += len(name.encode()) + value_size
    return item, size


def check_value(value: Any, depth: int = 1) -> tuple[Value, int]:
    """One attribute value with normal numbers, and its size in bytes."""
    if not isinstance(value, dict) or len(value) != 1:
        raise invalid(
            "Supplied AttributeValue must contain exactly one of the supported datatypes"
        )
    kind, content = next(iter(value.items()))
    if kind == "S" and isinstance(content, str):
        return value, len(content.encode())
    check = _CHECKS.get(kind)
    if check is None or depth > _MAX_DEPTH:
        raise invalid(f"{_INVALID}unsupported type or nesting beyond 32 levels")
    normal, size = check(content, depth)
    return {kind: normal}, size


def sort_key(value: Value) -> bytes:
    """Bytes whose order is DynamoDB's order of values of one key type (S, N or B)."""
    kind, content = next(iter(value.items()))
    if kind == "S":
        return content.encode()
    if kind == "B":
        return base64.b64decode(content)
    return _number_key(Decimal(content))


def prefix_end(prefix: bytes) -> bytes | None:
    """The first key after all keys that begin with `prefix`; None when there is none."""
    stripped = prefix.rstrip(b"\xff")
    return stripped[:-1] + bytes([stripped[-1] + 1]) if stripped else None


def _plain(number: Decimal) -> str:
    if not number:
        return "0"
    digits = "".join(map(str, number.as_tuple().digits)).strip("0")
    if len(digits) > _MAX_DIGITS:
        raise invalid("Attempting to store more than 38 significant digits in a Number")
    if number.adjusted() > _MAX_EXPONENT:
        raise invalid(
            "Number overflow. Attempting to store a number with magnitude larger than supported range"
        )
    if number.adjusted() < _MIN_EXPONENT:
        raise invalid(
            "Number underflow. Attempting to store a number with magnitude smaller than supported range"
        )
    plain = format(number, "f")
    return plain.rstrip("0").rstrip(".") if "." in plain else plain


def _number_key(number: Decimal) -> bytes:
    """Sign, biased exponent, digits; complemented for negative numbers (with an end mark)."""
    if not number:
        return b"\x80"
    digits = "".join(map(str, number.as_tuple().digits)).strip("0").encode()
    body = (number.adjusted() + _EXPONENT_BIAS).to_bytes(2, "big") + digits
    if number > 0:
        return b"\xc0" + body
    return b"\x40" + bytes(255 - byte for byte in body) + b"\xff"


def _check_number(content: Any, _: int) -> tuple[str, int]:
    number = normal_number(content)
    return number, len(number) // 2 + 2


def _check_binary(content: Any, _: int) -> tuple[str, int]:
    try:
        return content, len(base64.b64decode(content, validate=True))
    except (binascii.Error, TypeError, ValueError) as error:
        raise AwsError("SerializationException", f"not base64: {error}") from error


def _check_one_byte(content: Any, _: int) -> tuple[bool, int]:
    if not isinstance(content, bool):
        raise AwsError("SerializationException", "a boolean was expected")
    return content, 1


def _check_list(content: Any, depth: int) -> tuple[list[Value], int]:
    pairs = [check_value(value, depth + 1) for value in content]
    return [value for value, _ in pairs], 3 + sum(size + 1 for _, size in pairs)


def _check_map(content: Any, depth: int) -> tuple[dict[str, Value], int]:
    checked_map, total = {}, 3
    for name, value in content.items():
        checked_map[name], size = check_value(value, depth + 1)
        total += len(name.encode()) + size + 1
    return checked_map, total


def _check_set(kind: str) -> Callable[[Any, int], tuple[list[str], int]]:
    def check(content: Any, depth: int) -> tuple[list[str], int]:
        pairs = [check_value({kind: element}, depth) for element in content]
        elements = [value[kind] for value, _ in pairs]
        if not elements:
            raise invalid(f"{_INVALID}An {_SET_NAMES[kind]} set may not be empty")
        if len(set(elements)) != len(elements):
            raise invalid(f"{_INVALID}Input collection {elements} contains duplicates.")
        return elements, sum(size for _, size in pairs)

    return check


_SET_NAMES = {"S": "string", "N": "number", "B": "binary"}
_CHECKS: dict[str, Callable[[Any, int], tuple[Any, int]]] = {
    "N": _check_number,
    "B": _check_binary,
    "BOOL": _check_one_byte,
    "NULL": _check_one_byte,
    "L": _check_list,
    "M": _check_map,
    "SS": _check_set("S"),
    "NS": _check_set("N"),
    "BS": _check_set("B"),
}
