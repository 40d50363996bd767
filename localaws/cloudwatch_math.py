"""Metric math of GetMetricData: + - * / with parentheses, and AVG, SUM, MIN, MAX.

Works on series (time → value) and plain numbers. As on AWS: two series meet at the times that both
have, a division by zero leaves no point, and a function gives a number for one series but a series
for METRICS() or a list of series, at the times that any of them has. The rest is refused.
"""

import operator
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from statistics import fmean
from typing import NoReturn

from localaws.errors import AwsError

Series = dict[datetime, float]
Value = Series | float

_TOKEN = re.compile(r"\s*(\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|[A-Za-z][A-Za-z0-9_]*|[-+*/()\[\],])")
_OPERATORS: dict[str, Callable[[float, float], float]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
}
_FUNCTIONS: dict[str, Callable[[Iterable[float]], float]] = {
    "AVG": fmean,
    "SUM": sum,
    "MIN": min,
    "MAX": max,
}
_MAX_CHARS = 2048


@dataclass(frozen=True)
class Scope:
    """`series` gives the result of another query by its id; `metrics` are those of METRICS()."""

    series: Callable[[str], Series]
    metrics: Callable[[], list[Series]]


def evaluate(expression: str, scope: Scope) -> Series:
    """Raises ValidationError for an expression that is not known here or gives a plain number."""
    if len(expression) > _MAX_CHARS:
        raise _invalid("An expression takes at most 2048 characters")
    try:
        result = _Parser(expression, scope).whole()
    except RecursionError as error:
        raise _invalid("The expression is nested too deeply") from error
    if not isinstance(result, dict):
        raise _invalid(f"The expression {expression} must give a time series, not a number")
    return result


class _Parser:
    """Recursive descent that computes as it reads."""

    def __init__(self, text: str, scope: Scope):
        self._text = text
        self._scope = scope
        self._tokens = _tokens(text)
        self._at = 0

    def whole(self) -> Value:
        value = self._sum()
        if self._peek():
            self._fail()
        return value

    def _sum(self) -> Value:
        value = self._product()
        while self._peek() in ("+", "-"):
            value = _combine(self._take(), value, self._product())
        return value

    def _product(self) -> Value:
        value = self._factor()
        while self._peek() in ("*", "/"):
            value = _combine(self._take(), value, self._factor())
        return value

    def _factor(self) -> Value:
        token = self._take()
        if token == "-":
            return _combine("*", -1.0, self._factor())
        if token == "(":
            value = self._sum()
            self._expect(")")
            return value
        if token[:1].isdigit():
            return float(token)
        if token in _FUNCTIONS:
            return self._function(token)
        if not token[:1].isalpha() or self._peek() == "(":
            self._fail()
        return self._scope.series(token)

    def _function(self, name: str) -> Value:
        self._expect("(")
        several = self._several()
        if several is not None:
            value: Value = _across(several, _FUNCTIONS[name])
        else:
            value = self._sum()
            if not isinstance(value, dict) or not value:
                raise _invalid(f"{name} needs a time series with data")
            value = _FUNCTIONS[name](value.values())
        self._expect(")")
        return value

    def _several(self) -> list[Series] | None:
        """METRICS() or [a, b]; None where something else follows."""
        if self._tokens[self._at : self._at + 3] == ["METRICS", "(", ")"]:
            self._at += 3
            return self._scope.metrics()
        if self._peek() != "[":
            return None
        found: list[Series] = []
        while self._take() in ("[", ","):
            value = self._sum()
            if not isinstance(value, dict):
                self._fail()
            found.append(value)
        if self._tokens[self._at - 1] != "]":
            self._fail()
        return found

    def _peek(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def _take(self) -> str:
        if self._at >= len(self._tokens):
            self._fail()
        self._at += 1
        return self._tokens[self._at - 1]

    def _expect(self, token: str) -> None:
        if self._peek() != token:
            self._fail()
        self._at += 1

    def _fail(self) -> NoReturn:
        raise _invalid(
            f"The expression {self._text} is not part of the embedded AWS: only + - * / and"
            " AVG, SUM, MIN, MAX of METRICS() or [a, b] are"
        )


def _tokens(text: str) -> list[str]:
    tokens, at = [], 0
    while at < len(text.rstrip()):
        found = _TOKEN.match(text, at)
        if found is None:
            raise _invalid(f"The expression {text} has an unknown sign at {at}")
        tokens.append(found[1])
        at = found.end()
    return tokens


def _combine(sign: str, left: Value, right: Value) -> Value:
    compute = _OPERATORS[sign]
    if isinstance(left, dict) and isinstance(right, dict):
        times = [at for at in left if at in right and not (sign == "/" and right[at] == 0)]
        return {at: compute(left[at], right[at]) for at in times}
    if isinstance(left, dict):
        assert isinstance(right, float)
        return (
            {} if sign == "/" and right == 0 else {t: compute(v, right) for t, v in left.items()}
        )
    if isinstance(right, dict):
        return {t: compute(left, v) for t, v in right.items() if not (sign == "/" and v == 0)}
    if sign == "/" and right == 0:
        raise _invalid("Division of a number by zero")
    return compute(left, right)


def _across(several: list[Series], function: Callable[[Iterable[float]], float]) -> Series:
    times = sorted({at for series in several for at in series})
    return {at: function([s[at] for s in several if at in s]) for at in times}


def _invalid(message: str) -> AwsError:
    return AwsError("ValidationError", message)
