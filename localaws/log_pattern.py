"""Filter patterns of CloudWatch Logs: terms, "phrases", ?any of, -none of, and JSON. The rest is refused."""

import re

from localaws.errors import AwsError
from localaws.log_json_pattern import JsonPattern

_TERM = re.compile(r'\s*([-?]?)(?:"((?:[^"\\]|\\.)*)"|([^\s"]+))')
_REFUSED = ("[", "%")


def parse_pattern(text: str) -> "LogPattern | JsonPattern":
    text = text.strip()
    return JsonPattern(text) if text.startswith("{") else LogPattern(text)


class LogPattern:
    """Case-sensitive; all plain terms must occur, no `-` term, and one of the `?` terms if any."""

    def __init__(self, text: str):
        self._all: list[str] = []
        self._any: list[str] = []
        self._none: list[str] = []
        if text.startswith(_REFUSED):
            message = "Only terms and JSON are part of the embedded AWS, not columns or regex"
            raise AwsError("InvalidParameterException", message)
        at = 0
        while at < len(text):
            at = self._take(text, at)

    def matches(self, message: str) -> bool:
        return (
            all(term in message for term in self._all)
            and not any(term in message for term in self._none)
            and (not self._any or any(term in message for term in self._any))
        )

    def _take(self, text: str, at: int) -> int:
        found = _TERM.match(text, at)
        if found is None:
            raise AwsError("InvalidParameterException", "Invalid filter pattern")
        sign, phrase, word = found.groups()
        term = word if phrase is None else re.sub(r"\\(.)", r"\1", phrase)
        {"": self._all, "?": self._any, "-": self._none}[sign].append(term)
        return found.end()
