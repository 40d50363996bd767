"""A text in a small language as tokens, taken one after the other by the language's own parser."""

import re
from collections.abc import Callable
from typing import NoReturn, TypeVar

Result = TypeVar("Result")


class Tokens:
    """Base of parsers; keywords are accepted in any case. `fail` raises the language's own error."""

    def __init__(self, text: str, token: re.Pattern[str]):
        self._tokens: list[str] = []
        self._at = 0
        text, position = text.rstrip(), 0
        while position < len(text):
            found = token.match(text, position)
            if found is None:
                self._tokens = [text[position:]]
                self.fail()
            self._tokens.append(found[1])
            position = found.end()

    def fail(self) -> NoReturn:
        raise NotImplementedError

    def peek(self, ahead: int = 0) -> str:
        """ "" after the last one."""
        at = self._at + ahead
        return self._tokens[at] if at < len(self._tokens) else ""

    def take(self) -> str:
        if not self.peek():
            self.fail()
        self._at += 1
        return self._tokens[self._at - 1]

    def accept(self, word: str) -> bool:
        found = self.peek().upper() == word
        self._at += found
        return found

    def expect(self, word: str) -> None:
        if not self.accept(word):
            self.fail()

    def whole(self, rule: Callable[[], Result]) -> Result:
        """What the rule makes of all tokens."""
        try:
            result = rule()
        except RecursionError:
            self.fail()
        if self.peek():
            self.fail()
        return result
