"""Filter patterns of CloudWatch Logs: terms, "phrases", ?any of and -none of. The rest is refused."""

import re

from localaws.errors import AwsError

_TERM = re.compile(r'\s*([-?]?)(?:"((?:[^"\\]|\\.)*)"|([^\s"]+))')
_REFUSED = ("{", "[", "%")


class LogPattern:
    """Case-sensitive; all plain terms must occur, no `-` term, and one of the `?` terms if any."""

    def __init__(self, text: str):
        self._all: list[str] = []
        self._any: list[str] = []
        self._none: list[str] = []
        text = text.strip()
        if text.startswith(_REFUSED):
            message = "Only term patterns are part of the embedded AWS, not JSON, fields or regex"
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
