"""A training job as we record it: one enum of states, one of end reasons, one function that changes state."""

from datetime import datetime
from enum import StrEnum
from math import ceil

from pydantic import BaseModel, ConfigDict

from mlops.budget import STOP_GRACE_SECONDS
from mlops.estimate import Estimate, Work
from mlops.money import SECONDS_PER_HOUR, cost_of_seconds, parse_usd, to_usd
from mlops.plan import Plan, Stage

PLAN_TAG = "llmops:plan"


class JobState(StrEnum):
    """Where a job is; the last three are final."""

    STARTING = "starting"
    TRAINING = "training"
    UPLOADING = "uploading"
    STOPPING = "stopping"
    COMPLETED = "completed"
    FAILED = "failed"
    STOPPED = "stopped"

    @property
    def is_final(self) -> bool:
        return self in (JobState.COMPLETED, JobState.FAILED, JobState.STOPPED)


class EndReason(StrEnum):
    """Why a final job ended."""

    FINISHED = "finished"
    ERROR = "error"
    STOPPED = "stopped on request"
    TIME_LIMIT = "reached its time limit"
    OUT_OF_REACH = "target out of reach"


class Observation(BaseModel):
    """What DescribeTrainingJob says of a job, in our terms."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    status: str
    secondary_status: str
    billed_seconds: int | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    metrics: dict[str, float] = {}
    model_uri: str | None = None
    failure_reason: str | None = None


class Job(BaseModel):
    """The record of one stage's attempt; `cost_usd` is set when it has ended, `storage_usd` is the
    training volume's part of it.

    `stop_reason` is set when we stop it ourselves, `saved_usd` is about what that saves.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    job_name: str
    plan_id: str
    session_id: str
    turn: str
    person: str
    stage: int
    attempt: int = 1
    dataset: str
    synthetic: bool
    sandbox: bool
    model: str
    engine: str
    instance_type: str
    spot: bool = False
    usd_per_hour: str
    usd_per_hour_micro: int
    max_runtime_seconds: int
    ceiling_usd: str
    estimate: Estimate
    work: Work
    state: JobState = JobState.STARTING
    secondary_status: str = "Starting"
    end_reason: EndReason | None = None
    created_at: datetime
    started_at: datetime | None = None
    ended_at: datetime | None = None
    billed_seconds: int | None = None
    cost_usd: str | None = None
    metrics: dict[str, float] = {}
    model_uri: str | None = None
    failure_reason: str | None = None
    settled: bool = False
    fingerprint: str = ""
    stop_reason: EndReason | None = None
    saved_usd: str | None = None
    storage_usd_per_hour: str = "0.00"
    storage_usd: str | None = None

    @property
    def running_micro(self) -> int:
        """Micro-USD of an hour, volume included."""
        return self.usd_per_hour_micro + parse_usd(self.storage_usd_per_hour)

    def scores(self, split: str) -> dict[str, float]:
        """Of the "test" or the "eval" split, by the names that they have in both."""
        prefix = f"{split}_"
        return {
            name.removeprefix(prefix): value
            for name, value in self.metrics.items()
            if name.startswith(prefix)
        }

    def cost_so_far_micro(self, now: datetime) -> int:
        """The bill when known, else the seconds since training started at list price."""
        if self.cost_usd is not None:
            return parse_usd(self.cost_usd)
        if self.started_at is None:
            return 0
        ran = (self.ended_at or now) - self.started_at
        return cost_of_seconds(max(0, int(ran.total_seconds())), self.running_micro)


_STATES = {"Completed": JobState.COMPLETED, "Failed": JobState.FAILED, "Stopped": JobState.STOPPED}
_RUNNING = {
    "Training": JobState.TRAINING,
    "Restarting": JobState.TRAINING,
    "Interrupted": JobState.TRAINING,
    "Uploading": JobState.UPLOADING,
}
_TIME_LIMITS = ("MaxRuntimeExceeded", "MaxWaitTimeExceeded")


def change(job: Job, seen: Observation) -> Job:
    """The one door for state: a final job never changes, an equal observation changes nothing."""
    if job.state.is_final:
        return job
    seen = seen.model_copy(update={"started_at": seen.started_at or job.started_at})
    state = _state_of(seen)
    billed = billed_seconds_of(seen)
    cost = storage = None
    if billed is not None:
        total, volume = _bill(job, billed, seen)
        cost, storage = to_usd(total), to_usd(volume)
    return job.model_copy(
        update={
            "state": state,
            "secondary_status": seen.secondary_status,
            "end_reason": _end_reason(job, state, seen),
            "started_at": seen.started_at,
            "ended_at": seen.ended_at,
            "billed_seconds": billed,
            "cost_usd": cost,
            "storage_usd": storage,
            "metrics": {**job.metrics, **seen.metrics},
            "model_uri": seen.model_uri if state is not JobState.FAILED else None,
            "failure_reason": seen.failure_reason,
        }
    )


def launched(plan: Plan, stage: Stage, attempt: int, now: datetime) -> Job:
    """The first record of a stage's attempt."""
    return Job(
        job_name=job_name(plan.plan_id, plan.dataset.name, stage.number, attempt),
        plan_id=plan.plan_id,
        session_id=plan.session_id,
        turn=plan.turn,
        person=plan.person,
        stage=stage.number,
        attempt=attempt,
        dataset=plan.dataset.name,
        synthetic=plan.dataset.synthetic,
        fingerprint=plan.dataset.fingerprint,
        sandbox=plan.sandbox,
        model=stage.model,
        engine=stage.engine,
        instance_type=stage.instance_type,
        spot=stage.spot,
        usd_per_hour=stage.usd_per_hour,
        usd_per_hour_micro=parse_usd(stage.usd_per_hour),
        storage_usd_per_hour=stage.storage_usd_per_hour,
        max_runtime_seconds=stage.max_runtime_seconds,
        ceiling_usd=stage.ceiling_usd,
        estimate=stage.estimate,
        work=stage.work,
        created_at=now,
    )


def job_name(plan_id: str, dataset: str, stage: int, attempt: int) -> str:
    """Deterministic, so that launching the same attempt twice is the same job (at most 63 characters)."""
    slug = (
        "".join(c if c.isascii() and c.isalnum() else "-" for c in dataset.lower())
        .strip("-")[:24]
        .strip("-")
    )
    return f"llmops-{slug or 'data'}-{plan_id[-12:]}-s{stage}-a{attempt}"


def numbers_of(name: str) -> tuple[int, int]:
    """Stage and attempt of a job name that we made."""
    stage, attempt = name.rsplit("-", 2)[1:]
    return int(stage.removeprefix("s")), int(attempt.removeprefix("a"))


def _state_of(seen: Observation) -> JobState:
    if seen.status in _STATES:
        return _STATES[seen.status]
    if seen.status == "Stopping":
        return JobState.STOPPING
    return _RUNNING.get(seen.secondary_status, JobState.STARTING)


def _bill(job: Job, billed: int, seen: Observation) -> tuple[int, int]:
    """Micro-USD in all and the volume's part of it; only their sum is rounded up, so that it never
    exceeds a ceiling that was rounded once.

    Spot saves on the instance alone: its volume is there all the time that the job runs.
    """
    kept = billed
    if job.spot and seen.started_at is not None and seen.ended_at is not None:
        ran = ceil((seen.ended_at - seen.started_at).total_seconds())
        kept = max(billed, min(ran, job.max_runtime_seconds + STOP_GRACE_SECONDS))
    rate = parse_usd(job.storage_usd_per_hour)
    instance = cost_of_seconds(billed, job.usd_per_hour_micro)
    exact = billed * job.usd_per_hour_micro + kept * rate
    total = -(-exact // SECONDS_PER_HOUR) if rate else instance
    return total, total - instance


def billed_seconds_of(seen: Observation) -> int | None:
    """What SageMaker says, else the whole time that it ran: a job that ran was not free. None while it
    runs: its bill grows."""
    if seen.status not in _STATES:
        return None
    if seen.billed_seconds is not None or seen.started_at is None or seen.ended_at is None:
        return seen.billed_seconds
    return max(0, ceil((seen.ended_at - seen.started_at).total_seconds()))


def _end_reason(job: Job, state: JobState, seen: Observation) -> EndReason | None:
    if not state.is_final:
        return None
    if seen.secondary_status in _TIME_LIMITS:
        return EndReason.TIME_LIMIT
    return {
        JobState.COMPLETED: EndReason.FINISHED,
        JobState.FAILED: EndReason.ERROR,
    }.get(state, job.stop_reason or EndReason.STOPPED)
