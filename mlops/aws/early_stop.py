"""A running stage whose learning curve cannot reach the target any more is stopped, and what that saves is told.

Only the target's own validation metric counts, printed once per epoch. An engine whose live metric
is another one (the CRF's is F1 per token, not per entity) is never stopped.
"""

from collections.abc import Callable
from datetime import datetime

from mlops.aws.clients import Aws
from mlops.aws.events import EventLog
from mlops.aws.jobs import Jobs
from mlops.aws.metrics import curves
from mlops.aws.plans import Plans
from mlops.constraints import Comparator
from mlops.curve import StopVerdict, out_of_reach
from mlops.events import EventKind
from mlops.job import EndReason, Job, JobState
from mlops.money import cost_of_seconds, show_usd, to_usd
from mlops.plan import Plan

# Stopping takes time itself: with less than this to go it saves nothing.
WORTH_SECONDS = 10


def stop_when_out_of_reach(aws: Aws, job: Job, clock: Callable[[], datetime]) -> Job:
    """Looks at a training job's curve; the job as it is then. Repeating it stops nothing twice."""
    if job.state is not JobState.TRAINING or job.started_at is None:
        return job
    if job.stop_reason is None:
        plan = Plans(aws).get(job.plan_id)
        if not _may_stop(aws, plan):
            return job
        verdict, done = _look(aws, plan, job, clock())
        saved = _seconds_left(job, done, clock())
        if not verdict.out_of_reach or saved < WORTH_SECONDS:
            return job
        job = _mark(aws, job, verdict, saved, clock)
    return Jobs(aws).stop(job)


def _may_stop(aws: Aws, plan: Plan) -> bool:
    """A person can say no, in the sentence or by a setting; "at most" targets have no curve."""
    higher = plan.constraints.target_comparator not in (Comparator.LT, Comparator.LE)
    wanted = plan.early_stop and aws.settings.early_stop
    return wanted and higher and plan.constraints.target is not None


def _look(aws: Aws, plan: Plan, job: Job, now: datetime) -> tuple[StopVerdict, int]:
    """The verdict on the points so far, and how many there are."""
    name = f"eval_{plan.constraints.scored_by}"
    points = curves(aws, job.job_name, (name,), job.created_at, now)[name]
    scores = [point.value for point in points]
    return out_of_reach(scores, plan.constraints.target or 0.0, job.work.epochs), len(scores)


def _seconds_left(job: Job, done: int, now: datetime) -> int:
    """Of the training loop, at the pace that it had."""
    if not done or job.started_at is None:
        return 0
    pace = (now - job.started_at).total_seconds() / done
    return int(pace * max(0, job.work.epochs - done))


def _mark(
    aws: Aws, job: Job, verdict: StopVerdict, seconds: int, clock: Callable[[], datetime]
) -> Job:
    """Why it will end is stored before it is stopped, so that its plan goes on with the next stage."""
    saved = cost_of_seconds(seconds, job.usd_per_hour_micro)
    changes = {"stop_reason": EndReason.OUT_OF_REACH, "saved_usd": to_usd(saved)}
    marked = job.model_copy(update=changes)
    jobs = Jobs(aws)
    if not jobs.save(job, marked):
        return jobs.get(job.job_name)
    text = (
        f"I stop {job.job_name}: {verdict.why} That saves about {show_usd(saved)} "
        f"({seconds} s, an estimate)."
    )
    data = {
        "text": text,
        "rule": "early_stop",
        "job_name": job.job_name,
        "why": verdict.why,
        "saved_usd": to_usd(saved),
    }
    log, once = EventLog(aws, clock), f"curve#{job.job_name}"
    log.append(job.session_id, job.turn, EventKind.THINKING, data, once)
    return marked
