"""JSON filter patterns of CloudWatch Logs: { $.level = "ERROR" && ($.ms > 100 || $.user IS NULL) }.

Comparators = != < > <= >=, IS NULL, IS TRUE, IS FALSE, EXISTS, NOT EXISTS; * in text stands for any
signs. A line that is not JSON, or lacks the field (but for NOT EXISTS), does not match.
"""

import json
import re
from collections.abc import Callable
from typing import Any, NoReturn

from localaws.errors import AwsError
from localaws.tokens import Tokens

Test = Callable[[Any], bool]

_TOKEN = re.compile(
    r'\s*(&&|\|\||!=|<=|>=|[=<>()]|"(?:[^"\\]|\\.)*"|\$[^\s=<>!()&|]*|[^\s=<>!()&|"]+)'
)
_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]")
_SELECTOR = re.compile(r"\$(?:\.[^.\[\]]+|\[\d+\])+")
_WORDS: dict[str, Test] = {
    "NULL": lambda value: value is None,
    "TRUE": lambda value: value is True,
    "FALSE": lambda value: value is False,
}
_ORDER: dict[str, Callable[[float, float], bool]] = {
    "<": lambda a, b: a < b,
    ">": lambda a, b: a > b,
    "<=": lambda a, b: a <= b,
    ">=": lambda a, b: a >= b,
}
_MISSING = object()


class JsonPattern:
    """`text` with its braces."""

    def __init__(self, text: str):
        if not text.endswith("}"):
            _fail()
        parser = _Parser(text[1:-1], _TOKEN)
        self._test = parser.whole(parser.any)

    def matches(self, message: str) -> bool:
        try:
            document = json.loads(message)
        except ValueError:
            return False
        return isinstance(document, dict | list) and self._test(document)


class _Parser(Tokens):
    """Recursive descent that puts the test together."""

    def fail(self) -> NoReturn:
        _fail()

    def any(self) -> Test:
        tests = [self._all()]
        while self.accept("||"):
            tests.append(self._all())
        return lambda document: any(test(document) for test in tests)

    def _all(self) -> Test:
        tests = [self._one()]
        while self.accept("&&"):
            tests.append(self._one())
        return lambda document: all(test(document) for test in tests)

    def _one(self) -> Test:
        if self.accept("("):
            inner = self.any()
            self.expect(")")
            return inner
        steps = _steps(self.take())
        word = self.take()
        if word.upper() == "EXISTS":
            return lambda document: _find(document, steps) is not _MISSING
        if word.upper() == "NOT" and self.take().upper() == "EXISTS":
            return lambda document: _find(document, steps) is _MISSING
        meets = self._comparison(word)

        def test(document: Any) -> bool:
            value = _find(document, steps)
            return value is not _MISSING and meets(value)

        return test

    def _comparison(self, word: str) -> Test:
        wanted = self.take()
        if word.upper() == "IS":
            return _WORDS.get(wanted.upper()) or _fail()
        if word in _ORDER:
            number, compare = _number(wanted), _ORDER[word]
            return lambda value: _is_number(value) and compare(value, number)
        if word not in ("=", "!="):
            _fail()
        equal = _equal(wanted)
        return equal if word == "=" else lambda value: not equal(value)


def _steps(selector: str) -> list[str | int]:
    if _SELECTOR.fullmatch(selector) is None:
        _fail()
    return [name or int(index) for name, index in _STEP.findall(selector)]


def _find(document: Any, steps: list[str | int]) -> Any:
    for step in steps:
        if isinstance(step, str) and isinstance(document, dict) and step in document:
            document = document[step]
        elif isinstance(step, int) and isinstance(document, list) and step < len(document):
            document = document[step]
        else:
            return _MISSING
    return document


def _equal(wanted: str) -> Test:
    """A quoted value is text; a bare one is a number where it can be, else text."""
    quoted = wanted.startswith('"')
    text = re.sub(r"\\(.)", r"\1", wanted[1:-1]) if quoted else wanted
    if not quoted and re.fullmatch(r"-?\d+(\.\d+)?([eE][+-]?\d+)?", text):
        number = float(text)
        return lambda value: _is_number(value) and value == number
    parts = [re.escape(part) for part in text.split("*")]
    pattern = re.compile(".*".join(parts), re.DOTALL)
    return lambda value: isinstance(value, str) and pattern.fullmatch(value) is not None


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return _fail()


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _fail() -> NoReturn:
    raise AwsError("InvalidParameterException", "Invalid filter pattern")
