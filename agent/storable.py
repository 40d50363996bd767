"""Texts and JSON of models and servers in, what our stores, screens and the next request can take out."""

import math
import re
from typing import Any

_DEPTH = 20
_INTEGER_BITS = 63
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069]")


def clean(text: str) -> str:
    """Without what no screen or store can take: control characters, halves of surrogate pairs,
    marks that turn the direction of the text around."""
    return _CONTROL.sub("", text).encode("utf-8", "replace").decode("utf-8")


def storable(value: Any, depth: int = _DEPTH) -> Any:
    """The same JSON with clean texts; ValueError for what is nested too deep, and for a number that
    JSON does not know or a checkpoint cannot hold."""
    if depth == 0:
        raise ValueError("nested too deep")
    if isinstance(value, dict):
        return {clean(key): storable(part, depth - 1) for key, part in value.items()}
    if isinstance(value, list):
        return [storable(part, depth - 1) for part in value]
    is_long = isinstance(value, int) and value.bit_length() > _INTEGER_BITS
    if is_long or (isinstance(value, float) and not math.isfinite(value)):
        raise ValueError("a number out of range")
    return clean(value) if isinstance(value, str) else value
