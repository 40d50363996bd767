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
from localaws.tokens import Tokens

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
    parser = _Parser(expression, scope)
    result = parser.whole(parser.sum)
    if not isinstance(result, dict):
        raise _invalid(f"The expression {expression} must give a time series, not a number")
    return result


class _Parser(Tokens):
    """Recursive descent that computes as it reads."""

    def __init__(self, text: str, scope: Scope):
        self._text = text
        self._scope = scope
        super().__init__(text, _TOKEN)

    def sum(self) -> Value:
        value = self._product()
        while self.peek() in ("+", "-"):
            value = _combine(self.take(), value, self._product())
        return value

    def _product(self) -> Value:
        value = self._factor()
        while self.peek() in ("*", "/"):
            value = _combine(self.take(), value, self._factor())
        return value

    def _factor(self) -> Value:
        if self.accept("-"):
            return _combine("*", -1.0, self._factor())
        if self.accept("("):
            value = self.sum()
            self.expect(")")
            return value
        token = self.take()
        if token[:1].isdigit():
            return float(token)
        if token in _FUNCTIONS:
            return self._function(token)
        if not token[:1].isalpha() or self.peek() == "(":
            self.fail()
        return self._scope.series(token)

    def _function(self, name: str) -> Value:
        self.expect("(")
        several = self._several()
        if several is not None:
            value: Value = _across(several, _FUNCTIONS[name])
        else:
            value = self.sum()
            if not isinstance(value, dict) or not value:
                raise _invalid(f"{name} needs a time series with data")
            value = _FUNCTIONS[name](value.values())
        self.expect(")")
        return value

    def _several(self) -> list[Series] | None:
        """METRICS() or [a, b]; None where something else follows."""
        if self.peek() == "METRICS":
            self.take()
            self.expect("(")
            self.expect(")")
            return self._scope.metrics()
        if not self.accept("["):
            return None
        found = [self._listed()]
        while self.accept(","):
            found.append(self._listed())
        self.expect("]")
        return found

    def _listed(self) -> Series:
        value = self.sum()
        if not isinstance(value, dict):
            self.fail()
        return value

    def fail(self) -> NoReturn:
        raise _invalid(
            f"The expression {self._text} is not part of the embedded AWS: only + - * / and"
            " AVG, SUM, MIN, MAX of METRICS() or [a, b] are"
        )


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
