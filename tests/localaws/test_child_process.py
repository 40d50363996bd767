"""A child process between two pipes: its answers, its end, and what it prints."""

import os
import sqlite3
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from localaws.child_process import ChildProcess
from tests.patience import PATIENCE_SECONDS, eventually

ECHO = """
import os, sys
requests, results = os.fdopen(int(sys.argv[1])), os.fdopen(int(sys.argv[2]), "w")
for line in requests:
    print(line.strip(), flush=True)
    if line.startswith("say"):
        results.write(line)
        results.flush()
"""

Start = Callable[..., ChildProcess]


class Log:
    def __init__(self, *, broken: bool = False):
        self.lines: list[str] = []
        self.broken = broken

    def write(self, events: list[tuple[int, str]]) -> None:
        if self.broken:
            raise sqlite3.OperationalError("disk full")
        self.lines += [line for _, line in events]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    started: list[ChildProcess] = []

    def start(script: str, log: Log) -> ChildProcess:
        def command(requests: int, results: int) -> list[str]:
            return [sys.executable, "-c", script, str(requests), str(results)]

        started.append(ChildProcess(command, tmp_path, {}, 512, log.write))
        return started[-1]

    yield start
    for child in started:
        child.close()


def test_it_answers_each_line_and_what_it_prints_is_logged(start: Start):
    log = Log()
    child = start(ECHO, log)
    assert child.ask(b"say one\n", PATIENCE_SECONDS) == b"say one\n"
    assert child.ask(b"say two\n", PATIENCE_SECONDS) == b"say two\n"
    eventually(lambda: log.lines == ["say one", "say two"])


def test_a_late_answer_is_given_to_nobody_else(start: Start):
    """Whoever waited for its turn would take it for its own."""
    child = start(ECHO, Log())
    assert child.ask(b"say one\n", PATIENCE_SECONDS) == b"say one\n"
    with pytest.raises(TimeoutError):
        child.ask(b"silence\n", 0.01)
    with pytest.raises(EOFError):
        child.ask(b"say two\n", PATIENCE_SECONDS)
    assert not child.is_alive()


def test_who_waits_for_an_answer_hears_of_its_end(start: Start):
    log = Log()
    child = start(ECHO, log)
    heard: list[BaseException] = []

    def ask() -> None:
        with pytest.raises(EOFError) as caught:
            child.ask(b"silence\n", PATIENCE_SECONDS)
        heard.append(caught.value)

    asking = threading.Thread(target=ask)
    asking.start()
    eventually(lambda: log.lines == ["silence"])
    child.close()
    asking.join()
    assert len(heard) == 1
    child.close()
    for line in (b"say one\n", b""):
        with pytest.raises(EOFError):
            child.ask(line, PATIENCE_SECONDS)


@pytest.mark.skipif(not os.path.isdir("/dev/fd"), reason="open descriptors are listed elsewhere")
def test_one_that_does_not_start_leaves_no_pipe(tmp_path: Path):
    before = len(os.listdir("/dev/fd"))
    with pytest.raises(FileNotFoundError):
        ChildProcess(lambda *_: [sys.executable], tmp_path / "gone", {}, 512, Log().write)
    assert len(os.listdir("/dev/fd")) == before


def test_a_log_that_fails_does_not_stop_it(start: Start):
    """It would block on a pipe that nobody reads."""
    script = "print(('x' * 99 + '\\n') * 10_000, flush=True)\n" + ECHO
    child = start(script, Log(broken=True))
    assert child.ask(b"say one\n", PATIENCE_SECONDS) == b"say one\n"


def test_an_endless_line_is_cut(start: Start):
    log = Log()
    child = start("print('x' * 1_000_000, end='', flush=True)\n" + ECHO, log)
    assert child.ask(b"say one\n", PATIENCE_SECONDS) == b"say one\n"
    eventually(lambda: sum(map(len, log.lines)) >= 1_000_000)
    assert len(log.lines) > 1
