"""A child process that answers each line with a line, over two pipes of its own; what it prints is logged.

Memory is limited by RLIMIT_DATA where the system has prlimit (Linux).
"""

import contextlib
import logging
import os
import resource
import select
import signal
import sqlite3
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from localaws.errors import AwsError

_READ_BYTES = 1 << 16
_MAX_LINE_BYTES = 200_000
_LOG = logging.getLogger(__name__)

WriteEvents = Callable[[list[tuple[int, str]]], None]
"""[(epoch milliseconds, line)]"""


class ChildProcess:
    """`command` gets the descriptors to read requests from and to write answers to."""

    def __init__(
        self,
        command: Callable[[int, int], list[str]],
        cwd: Path,
        environ: Mapping[str, str],
        memory_mb: int,
        write_events: WriteEvents,
    ):
        self._write_events = write_events
        self._turn = threading.Lock()
        their_requests, self._requests = os.pipe()
        self._results, their_results = os.pipe()
        try:
            self._process = subprocess.Popen(
                command(their_requests, their_results),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                cwd=cwd,
                env=environ,
                pass_fds=(their_requests, their_results),
                start_new_session=True,
            )
        except BaseException:
            self._close_pipes()
            raise
        finally:
            os.close(their_requests)
            os.close(their_results)
        _limit_memory(self._process.pid, memory_mb)
        threading.Thread(target=self._copy_output, daemon=True).start()

    def is_alive(self) -> bool:
        return self._process.poll() is None

    def ask(self, line: bytes, seconds: float) -> bytes:
        """Raises EOFError when it ended, or TimeoutError, and ends it: a late answer would be taken
        for that of the next one who asks. Without a line: what it says by itself."""
        with self._turn:
            if self._requests < 0:
                raise EOFError
            try:
                _write_all(self._requests, line)
            except OSError as error:
                raise EOFError from error
            try:
                return read_line(self._results, seconds)
            except TimeoutError:
                self.end()
                raise

    def exit_code(self, seconds: float) -> int | None:
        """Negative for a signal; None when it still runs then."""
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def end(self) -> None:
        """Whoever waits for an answer gets EOFError."""
        with contextlib.suppress(ProcessLookupError):  # another thread was faster
            if self.is_alive():
                os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def close(self) -> None:
        """Ends it and gives its pipes back, once nobody reads them."""
        self.end()
        with self._turn:
            if self._requests >= 0:
                self._close_pipes()

    def log(self, lines: list[str]) -> None:
        now = int(time.time() * 1000)
        try:
            self._write_events([(now, line) for line in lines if line])
        except (sqlite3.Error, AwsError):
            _LOG.warning("process %d: %d log lines lost", self._process.pid, len(lines))

    def _close_pipes(self) -> None:
        os.close(self._requests)
        os.close(self._results)
        self._requests = self._results = -1

    def _copy_output(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as pipe:
            rest = b""
            while chunk := os.read(pipe.fileno(), _READ_BYTES):
                *lines, rest = (rest + chunk).split(b"\n")
                if len(rest) > _MAX_LINE_BYTES:
                    lines, rest = [*lines, rest], b""
                self.log([line.decode(errors="replace") for line in lines])
            self.log([rest.decode(errors="replace")])


def read_line(descriptor: int, seconds: float) -> bytes:
    """Raises TimeoutError, or EOFError when the other end was closed."""
    deadline = time.monotonic() + seconds
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    parts: list[bytes] = []
    while not (parts and parts[-1].endswith(b"\n")):
        if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
            raise TimeoutError
        part = os.read(descriptor, _READ_BYTES)
        if not part:
            raise EOFError
        parts.append(part)
    return b"".join(parts)


def _write_all(descriptor: int, content: bytes) -> None:
    view = memoryview(content)
    while view:
        view = view[os.write(descriptor, view) :]


def _limit_memory(pid: int, memory_mb: int) -> None:
    if not hasattr(resource, "prlimit"):
        return
    limit = memory_mb * 1024 * 1024
    try:
        resource.prlimit(pid, resource.RLIMIT_DATA, (limit, limit))
    except ProcessLookupError:
        return
