"""Metric regexes of a job applied to its lines, in a process of their own.

A regex of the request may backtrack for ever, and Python's engine lets no other thread run
meanwhile: in this process it would stop the whole server.
"""

import contextlib
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from localaws.child_process import read_line

BUDGET_SECONDS = 0.1
"""CPU time for one regex on one line; ordinary ones take microseconds."""
_CHILD = Path(__file__).with_name("scan_child.py")
_ANSWER_SECONDS = 30.0


@dataclass(frozen=True)
class Found:
    """`values` holds (line number, metric name, text); `slow` names metrics that were given up."""

    values: tuple[tuple[int, str, str | None], ...] = ()
    slow: tuple[str, ...] = ()


class MetricScan:
    """Starts its process at once; `definitions` are MetricDefinitions of the request."""

    def __init__(self, definitions: Sequence[dict[str, str]]):
        self._names = [definition["Name"] for definition in definitions]
        self._process: subprocess.Popen[bytes] | None = None
        if definitions:
            patterns = json.dumps([definition["Regex"] for definition in definitions])
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", str(_CHILD), patterns, str(BUDGET_SECONDS)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                start_new_session=True,
                env={},
            )

    def scan(self, lines: Sequence[str]) -> Found:
        """A process that gives no answer is ended, and with it all metrics of the job."""
        if self._process is None or not lines:
            return Found()
        try:
            answer = json.loads(self._ask(self._process, json.dumps(lines).encode() + b"\n"))
        except (OSError, EOFError, ValueError):
            self.close()
            return Found(slow=tuple(self._names))
        return Found(
            tuple((number, self._names[index], text) for number, index, text in answer["found"]),
            tuple(self._names[index] for index in answer["slow"]),
        )

    def close(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        for pipe in (process.stdin, process.stdout):
            assert pipe is not None
            with contextlib.suppress(BrokenPipeError):  # what it did not read any more
                pipe.close()
        process.wait()

    def _ask(self, process: "subprocess.Popen[bytes]", batch: bytes) -> bytes:
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(batch)
        process.stdin.flush()
        return read_line(process.stdout.fileno(), _ANSWER_SECONDS)
