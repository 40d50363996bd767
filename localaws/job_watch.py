"""Watches a running script: its output, what is looked after meanwhile, and the reasons to end it."""

import math
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from localaws.job_ends import End, Meter
from localaws.job_output import BATCH_SECONDS, JobOutput
from localaws.job_process import JobProcess
from localaws.job_records import Record
from localaws.spot import Market

_HOUSEKEEPING_SECONDS = 2.0
_CLOSING_GRACE_SECONDS = 2.0


@dataclass(frozen=True)
class Limits:
    """When the platform ends a start of the job; None where it never does."""

    runtime_seconds: float
    wait_until: datetime | None
    interrupt_after_seconds: float | None

    @classmethod
    def of(cls, record: Record, market: Market) -> "Limits":
        stopping = record["StoppingCondition"]
        wait = stopping.get("MaxWaitTimeInSeconds")
        passed = [t["Status"] for t in record["SecondaryStatusTransitions"]].count("Interrupted")
        again = record.get("EnableManagedSpotTraining") and passed < market.times
        return cls(
            stopping["MaxRuntimeInSeconds"],
            record["CreationTime"] + timedelta(seconds=wait) if wait else None,
            market.interrupt_after_seconds if again else None,
        )


@dataclass
class Signals:
    """What others want of a running job: `stop` its script, or put it down for a later start."""

    stop: threading.Event = field(default_factory=threading.Event)
    closing: threading.Event = field(default_factory=threading.Event)

    def reason_to_end(self, limits: Limits, meter: Meter) -> End | None:
        if self.closing.is_set():
            return End.CLOSING
        if self.stop.is_set():
            return End.STOPPED
        if meter.seconds() >= limits.runtime_seconds:
            return End.OUT_OF_TIME
        if limits.wait_until is not None and meter.clock() >= limits.wait_until:
            return End.OUT_OF_WAIT
        if meter.seconds_of_this_start() >= (limits.interrupt_after_seconds or math.inf):
            return End.INTERRUPTED
        return None


def watch(
    process: JobProcess,
    output: JobOutput,
    reason_to_end: Callable[[], End | None],
    grace_seconds: float,
    look_after: Callable[[], None],
) -> End:
    """Until the script is gone: SIGTERM when there is a reason, SIGKILL after the grace."""
    end, kill_at, looked = End.EXITED, math.inf, time.monotonic()
    while not process.ended:
        output.write(process.read(BATCH_SECONDS))
        if time.monotonic() - looked >= _HOUSEKEEPING_SECONDS:
            looked = time.monotonic()
            look_after()
        if end is End.EXITED and (reason := reason_to_end()) is not None:
            end = reason
            process.signal(signal.SIGTERM)
            closing = end is End.CLOSING
            kill_at = time.monotonic() + (_CLOSING_GRACE_SECONDS if closing else grace_seconds)
        elif time.monotonic() > kill_at:
            process.signal(signal.SIGKILL)
    return end
