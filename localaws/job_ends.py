"""How a training job ends: final status, times, bill, metrics and artefact, in one change of its record.

Seconds are real: nothing is added for machines that do not exist. TrainingTimeInSeconds covers every
start of the job, not the wait between them; spot is billed for a share of it, as AWS states savings.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any

from localaws.job_records import Record, enter

MAX_REASON_CHARS = 1024


class End(Enum):
    """Why a script is no longer running, with the job's final status and secondary status."""

    EXITED = ("Completed", "Completed", "Training job completed")
    FAILED = ("Failed", "Failed", "Training job failed")
    STOPPED = ("Stopped", "Stopped", "Training job stopped")
    OUT_OF_TIME = ("Stopped", "MaxRuntimeExceeded", "Training job runtime exceeded its limit")
    OUT_OF_WAIT = (
        "Stopped",
        "MaxWaitTimeExceeded",
        "Training job exceeded the time to wait for and run on spot instances",
    )
    INTERRUPTED = ("InProgress", "Interrupted", "The spot instance was reclaimed (simulated)")
    CLOSING = ("", "", "")


@dataclass
class Meter:
    """Training seconds of a job over all its starts; runs between `begin` and `pause`."""

    clock: Callable[[], datetime]
    before_seconds: float = 0.0
    _began: datetime | None = None

    def begin(self, now: datetime) -> None:
        self._began = now

    def pause(self) -> float:
        self.before_seconds, self._began = self.seconds(), None
        return self.before_seconds

    def seconds(self, now: datetime | None = None) -> float:
        return self.before_seconds + self.seconds_of_this_start(now)

    def seconds_of_this_start(self, now: datetime | None = None) -> float:
        return ((now or self.clock()) - self._began).total_seconds() if self._began else 0.0


@dataclass(frozen=True)
class Outcome:
    """All that a final record says beyond its status."""

    end: End
    meter: Meter
    savings: float
    reason: str | None = None
    model_uri: str | None = None
    metrics: list[dict[str, Any]] = field(default_factory=list)

    def apply(self, record: Record, now: datetime) -> None:
        status, secondary, message = self.end.value
        record["TrainingJobStatus"] = status
        record.setdefault("TrainingStartTime", now)
        record["TrainingEndTime"] = now
        record["TrainingTimeInSeconds"] = max(1, math.ceil(self.meter.seconds(now)))
        record["BillableTimeInSeconds"] = _billable(record, self.savings)
        record["FinalMetricDataList"] = self.metrics
        if self.model_uri is not None:
            record["ModelArtifacts"] = {"S3ModelArtifacts": self.model_uri}
        if self.reason is not None:
            record["FailureReason"] = self.reason[:MAX_REASON_CHARS]
        enter(record, now, secondary, self.reason or message)


def _billable(record: Record, savings: float) -> int:
    seconds = record["TrainingTimeInSeconds"]
    if not record.get("EnableManagedSpotTraining"):
        return seconds
    return max(1, math.ceil(seconds * (1 - savings)))
