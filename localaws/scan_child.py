"""Runs inside a scanner process: lines of a job in, what its metric regexes found in them out.

argv: the regexes as JSON, seconds of CPU for one regex on one line. One JSON line per batch. A regex
that takes longer is given up for good. Stands alone: only the standard library.
"""

import json
import re
import signal
import sys
from collections.abc import Iterable
from typing import NoReturn


class TooSlow(Exception):
    """Raised by the timer inside the regex engine, which looks for signals as it backtracks."""


class Scanner:
    """`found` holds (line number, pattern number, text of the first group)."""

    def __init__(self, patterns: Iterable[str], budget_seconds: float):
        self._patterns = dict(enumerate(re.compile(pattern) for pattern in patterns))
        self._budget_seconds = budget_seconds
        signal.signal(signal.SIGVTALRM, _interrupt)

    def scan(self, lines: list[str]) -> dict[str, list[object]]:
        found: list[object] = []
        slow: list[object] = []
        for number, line in enumerate(lines):
            for index in list(self._patterns):
                try:
                    found += [(number, index, text) for text in self._groups(index, line)]
                except TooSlow:
                    del self._patterns[index]
                    slow.append(index)
        return {"found": found, "slow": slow}

    def _groups(self, index: int, line: str) -> list[str | None]:
        signal.setitimer(signal.ITIMER_VIRTUAL, self._budget_seconds)
        try:
            return [match.group(1) for match in self._patterns[index].finditer(line)]
        finally:
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)


def _interrupt(*_: object) -> NoReturn:
    raise TooSlow


def main(argv: list[str]) -> None:
    scanner = Scanner(json.loads(argv[1]), float(argv[2]))
    for batch in sys.stdin.buffer:
        answer = json.dumps(scanner.scan(json.loads(batch)))
        sys.stdout.write(f"{answer}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv)
