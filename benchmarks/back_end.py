"""A back end of our own for one benchmark: temporary data directory in, workbench and call counts out."""

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from agent.turns import Turns
from benchmarks import access_log
from localaws import stack
from mlops.events import Event, EventKind
from mlops.report import Report
from workbench import boot
from workbench.workbench import Workbench

ROOT = Path(__file__).resolve().parent.parent
SENTENCE = (
    "Train a Named Entity Recognition model on the ciER dataset. "
    "Budget: $10, Time: 1 hour, F1 score > 85%"
)
_START_SECONDS, _STOP_SECONDS, _TURN_SECONDS, _LOOK_SECONDS = 60.0, 20.0, 60.0, 0.02
_LAST_CHARACTERS = 800


@dataclass(frozen=True)
class BackEnd:
    """The embedded AWS with an access log, and all that a person's door to it needs."""

    home: Path
    services: boot.Services
    bench: Workbench

    def calls_of(self, work: Callable[[], object]) -> access_log.Calls:
        """The AWS calls that arrive while `work` runs; RuntimeError when none is logged.

        That happens when the code changes meanwhile: clients then start a server of that code.
        """
        before = access_log.mark(self.home)
        work()
        calls = access_log.read_calls(self.home, before)
        if not calls:
            raise RuntimeError("no call was logged: did the code change while it was measured?")
        return calls


@dataclass(frozen=True)
class Planned:
    """A plan that waits, and how long it took until the follower showed that."""

    plan_id: str
    seconds: float


@contextmanager
def temporary_home() -> Iterator[Path]:
    """An empty data directory; its server is stopped and all is deleted afterwards."""
    with tempfile.TemporaryDirectory(prefix="llmops-", ignore_cleanup_errors=True) as folder:
        home = Path(folder) / "home"
        try:
            yield home
        finally:
            if home.exists():
                stack.stop(home)


@contextmanager
def back_end() -> Iterator[BackEnd]:
    """Started, seeded and with its functions warm."""
    with temporary_home() as home:
        home.mkdir()
        command = ("benchmarks.access_log", "--home", str(home))
        with server(command, home.parent / "server.log", lambda: _is_announced(home)):
            services = boot.services(home, os.environ)
            try:
                yield BackEnd(home, services, Workbench(services))
            finally:
                services.turns.close()


def plan(bench: Workbench, session: str, text: str = SENTENCE) -> Planned:
    """Asks, and follows to the end of the turn, where a plan waits for approval."""
    began = time.perf_counter()
    planned: Planned | None = None
    for event in bench.follow(session, bench.ask(text, session)):
        _refuse_error(event)
        if event.kind is EventKind.APPROVAL:
            planned = Planned(str(event.data["plan_id"]), time.perf_counter() - began)
    if planned is None:
        raise RuntimeError("the turn ended without a plan")
    return planned


def train(bench: Workbench, session: str, text: str = SENTENCE) -> Report:
    """From the sentence to the report, approved as soon as the turn with the plan has ended."""
    plan_id = plan(bench, session, text).plan_id
    after = bench.last_event(session)
    for event in bench.follow(session, bench.approve(plan_id), after, plan_id):
        _refuse_error(event)
        if event.kind is EventKind.REPORT:
            return Report.model_validate(event.data)
    raise RuntimeError("the plan ended without a report")


def finish(turns: Turns, turn: str) -> None:
    """Waits for the end of a turn, without a call to AWS."""
    if not turns.wait(turn, _TURN_SECONDS):
        raise RuntimeError("the turn did not end")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def server(
    command: Sequence[str],
    log: Path,
    ready: Callable[[], bool],
    environ: Mapping[str, str] | None = None,
) -> Iterator[None]:
    """Runs a Python module as a server of its own; RuntimeError with its last words if it fails."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", *command],
            cwd=ROOT,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    try:
        _wait(process, log, ready)
        yield
    finally:
        _end(process)


def _wait(process: "subprocess.Popen[bytes]", log: Path, ready: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while not ready():
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"no server: {log.read_text(errors='replace')[-_LAST_CHARACTERS:]}")
        time.sleep(_LOOK_SECONDS)


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _is_announced(home: Path) -> bool:
    return stack.status(home).endpoint is not None


def _refuse_error(event: Event) -> None:
    if event.kind is EventKind.ERROR:
        raise RuntimeError(f"{event.data['code']}: {event.data['message']}")
