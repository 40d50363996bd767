"""What a training job prints: lines to CloudWatch Logs, values of its metric regexes to CloudWatch."""

import math
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

from localaws.job_process import Use
from localaws.job_records import Record
from localaws.logs import WriteLog
from localaws.metric_scan import MetricScan
from localaws.script_mode import HOST

GROUP = "/aws/sagemaker/TrainingJobs"
NAMESPACE = "/aws/sagemaker/TrainingJobs"
BATCH_SECONDS = 0.2
_MAX_BATCH_LINES = 5000
_MAX_LINE_CHARS = 200_000
_MAX_SCANNED_CHARS = 2_000
"""Metrics further right in a line are not found; it bounds what a regex costs."""

_TOO_SLOW = " takes too long; the metric is not recorded any more"

LogEvents = list[tuple[int, str]]


PutPoints = Callable[[str, list[tuple[str, dict[str, str], float, datetime]]], None]
"""(namespace, [(metric, dimensions, value, at)])"""


class JobOutput:
    """Collects bytes, writes lines and points in batches, and remembers each metric's last value."""

    def __init__(self, record: Record, write_log: WriteLog, put_points: PutPoints):
        self._name = record["TrainingJobName"]
        self._stream = f"{self._name}/{HOST}-{int(time.time())}"
        self._write_log = write_log
        self._put_points = put_points
        definitions = record["AlgorithmSpecification"].get("MetricDefinitions") or []
        self._scan = MetricScan(definitions)
        self._rest = b""
        self._events: LogEvents = []
        self._points: list[tuple[str, dict[str, str], float, datetime]] = []
        self._flushed = time.monotonic()
        self.last: dict[str, tuple[float, datetime]] = {}

    def write(self, chunk: bytes) -> None:
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        if len(self._rest) > _MAX_LINE_CHARS:
            lines, self._rest = [*lines, self._rest], b""
        self._take(lines)
        if self._is_due():
            self.flush()

    def add_use(self, use: Use) -> None:
        now, dimensions = datetime.now(UTC), {"Host": f"{self._name}/{HOST}"}
        self._points.append(("CPUUtilization", dimensions, use.cpu_percent, now))
        self._points.append(("MemoryUtilization", dimensions, use.memory_percent, now))

    def close(self) -> None:
        self._take([self._rest] if self._rest else [])
        self._rest = b""
        self.flush()
        self._scan.close()

    def flush(self) -> None:
        self._flushed = time.monotonic()
        events, self._events = self._events, []
        if events:
            events = events + self._find_metrics(events)
        points, self._points = self._points, []
        if events:
            self._write_log(GROUP, self._stream, events)
        if points:
            self._put_points(NAMESPACE, points)

    def final_metrics(self) -> list[dict[str, Any]]:
        return [
            {"MetricName": name, "Value": value, "Timestamp": at}
            for name, (value, at) in self.last.items()
        ]

    def _is_due(self) -> bool:
        late = time.monotonic() - self._flushed >= BATCH_SECONDS
        return late or len(self._events) >= _MAX_BATCH_LINES

    def _take(self, lines: Iterable[bytes]) -> None:
        milliseconds = int(time.time() * 1000)
        for raw in lines:
            line = raw.decode(errors="replace").rstrip("\r")[:_MAX_LINE_CHARS]
            if line:
                self._events.append((milliseconds, line))

    def _find_metrics(self, events: LogEvents) -> LogEvents:
        """Points of these lines; returns a line for each regex that was given up."""
        found = self._scan.scan([line[:_MAX_SCANNED_CHARS] for _, line in events])
        dimensions = {"TrainingJobName": self._name}
        for number, name, text in found.values:
            value, at = _number(text), datetime.fromtimestamp(events[number][0] / 1000, UTC)
            if value is not None:
                self._points.append((name, dimensions, value, at))
                self.last[name] = (value, at)
        now = events[-1][0]
        return [(now, f"[embedded AWS] the regex of {name}{_TOO_SLOW}") for name in found.slow]


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if math.isfinite(value) else None
