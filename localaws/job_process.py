"""The script of a training job as a process group: limits, output pipe, signals, use of the machine.

Limits hold where the system has prlimit and /proc (Linux): data segment, CPU time, core files.
The group keeps only its priority elsewhere.
"""

import contextlib
import os
import resource
import select
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
_MEMORY_BYTES = _PAGE_BYTES * os.sysconf("SC_PHYS_PAGES")
_NICENESS = 5
_MEMORY_SHARE = 0.8
_CPU_SECONDS_PER_SECOND = 64
_READ_BYTES = 1 << 16
_PROC = Path("/proc")


@dataclass(frozen=True)
class Use:
    """Share of one core (may exceed 100) and of the machine's memory, in percent."""

    cpu_percent: float
    memory_percent: float


class JobProcess:
    """Started at once; stdout and stderr come out of one pipe."""

    def __init__(
        self, command: list[str], cwd: Path, environ: dict[str, str], max_runtime_seconds: float
    ):
        self._process = subprocess.Popen(
            command,
            cwd=cwd,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self.pid = self._process.pid
        assert self._process.stdout is not None
        self._pipe = self._process.stdout
        self._poll = select.poll()
        self._poll.register(self._pipe, select.POLLIN)
        self._drained = False
        self._sampled = (time.monotonic(), 0.0)
        _limit(self.pid, max_runtime_seconds)

    def read(self, seconds: float) -> bytes:
        """What it printed, b"" when nothing came in time; `ended` tells when there is no more."""
        exited = self._process.poll() is not None
        if self._drained:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(seconds)
            return b""
        if not self._poll.poll(0 if exited else seconds * 1000):
            self._drained = exited
            return b""
        chunk = os.read(self._pipe.fileno(), _READ_BYTES)
        self._drained = not chunk
        return chunk

    @property
    def ended(self) -> bool:
        return self._drained and self._process.poll() is not None

    def signal(self, number: signal.Signals) -> None:
        _signal_group(self.pid, number)

    def finish(self) -> int:
        """Kills what still runs of the group; the exit code, negative for a signal."""
        self.signal(signal.SIGKILL)
        code = self._process.wait()
        self._pipe.close()
        return code

    def use(self) -> Use | None:
        """Since the last call; None where there is no /proc."""
        stats = [stat for stat in map(_stat, _pids()) if stat and stat.group == self.pid]
        if not stats:
            return None
        now, cpu = time.monotonic(), sum(stat.cpu_seconds for stat in stats)
        elapsed, spent = now - self._sampled[0], cpu - self._sampled[1]
        self._sampled = (now, cpu)
        memory = sum(stat.resident_bytes for stat in stats)
        return Use(
            cpu_percent=max(0.0, 100 * spent / elapsed) if elapsed > 0 else 0.0,
            memory_percent=100 * memory / _MEMORY_BYTES,
        )


def started_ticks(pid: int) -> int | None:
    """When a process started, in clock ticks since boot: with its id it names it for good."""
    stat = _stat(pid)
    return stat.started_ticks if stat else None


def kill_left_over(pid: int, ticks: int) -> bool:
    """Kills the group of a process of an earlier server, if it is still that process."""
    if started_ticks(pid) != ticks:
        return False
    _signal_group(pid, signal.SIGKILL)
    return True


@dataclass(frozen=True)
class _Stat:
    group: int
    cpu_seconds: float
    started_ticks: int
    resident_bytes: int


def _stat(pid: int) -> _Stat | None:
    """proc(5), fields after the command name, which may itself hold spaces and brackets."""
    try:
        text = (_PROC / str(pid) / "stat").read_text()
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()
    return _Stat(
        group=int(fields[2]),
        cpu_seconds=(int(fields[11]) + int(fields[12])) / _TICKS_PER_SECOND,
        started_ticks=int(fields[19]),
        resident_bytes=int(fields[21]) * _PAGE_BYTES,
    )


def _pids() -> list[int]:
    with contextlib.suppress(FileNotFoundError):
        return [int(entry) for entry in os.listdir(_PROC) if entry.isdigit()]
    return []


def _signal_group(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)


def _limit(pid: int, max_runtime_seconds: float) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.setpriority(os.PRIO_PGRP, pid, _NICENESS)
        if hasattr(resource, "prlimit"):
            memory = int(_MEMORY_BYTES * _MEMORY_SHARE)
            cpu = int(max_runtime_seconds + 1) * _CPU_SECONDS_PER_SECOND
            resource.prlimit(pid, resource.RLIMIT_DATA, (memory, memory))
            resource.prlimit(pid, resource.RLIMIT_CPU, (cpu, cpu))
            resource.prlimit(pid, resource.RLIMIT_CORE, (0, 0))
