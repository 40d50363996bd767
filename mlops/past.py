"""What finished jobs teach: runs for the estimator, waits for an instance, and how wrong estimates were."""

from collections.abc import Iterable

from mlops.estimate import EstimateError, PastRun, error_of
from mlops.grid import History
from mlops.job import Job, JobState
from mlops.waits import Wait, key, seen


def history(jobs: Iterable[Job]) -> History:
    """Finished runs by (model, instance type), in the order of the jobs: newest first."""
    runs: dict[tuple[str, str], list[PastRun]] = {}
    for job in jobs:
        if job.state is JobState.COMPLETED and job.billed_seconds:
            runs.setdefault((job.model, job.instance_type), []).append(_run(job))
    return runs


def waits(jobs: Iterable[Job]) -> dict[str, Wait]:
    """From launch to the start of training, of every job that started."""
    return seen(
        (key(job.instance_type, job.spot), (job.started_at - job.created_at).total_seconds())
        for job in jobs
        if job.started_at is not None
    )


def spot_shares(jobs: Iterable[Job]) -> dict[str, list[float]]:
    """Billed share of the training time of finished spot jobs, by instance type."""
    shares: dict[str, list[float]] = {}
    for job in jobs:
        if job.spot and job.billed_seconds and job.started_at and job.ended_at:
            trained = (job.ended_at - job.started_at).total_seconds()
            if trained > 0:
                share = min(1.0, job.billed_seconds / trained)
                shares.setdefault(job.instance_type, []).append(share)
    return shares


def estimate_error(jobs: Iterable[Job]) -> EstimateError:
    """Estimated (p50) against billed seconds of completed jobs."""
    return error_of(
        [
            (job.estimate.p50_seconds, job.billed_seconds)
            for job in jobs
            if job.state is JobState.COMPLETED and job.billed_seconds
        ]
    )


def _run(job: Job) -> PastRun:
    return PastRun(
        work=job.work,
        billed_seconds=job.billed_seconds or 0,
        fingerprint=job.fingerprint,
        scores=job.scores("test"),
        job_name=job.job_name,
    )
