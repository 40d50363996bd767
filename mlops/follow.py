"""Following a plan through is rules, not reasoning: after each finished job, the next stage or the report."""

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict

from mlops.constraints import Comparator, Constraints
from mlops.job import EndReason, Job, JobState
from mlops.plan import Plan

# Ends of a stage, not of its plan: nobody asked to stop the plan.
_MISSES = (EndReason.TIME_LIMIT, EndReason.OUT_OF_REACH)


class Move(BaseModel):
    """`stage` is the number of the stage to launch; None means: write the report."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    stage: int | None
    why: str


def next_move(plan: Plan, jobs: Sequence[Job]) -> Move:
    """What follows when the latest of a plan's jobs has ended (jobs in order of stage)."""
    last = jobs[-1]
    if last.state is JobState.STOPPED and last.end_reason not in _MISSES:
        return Move(stage=None, why="the job was stopped")
    if last.state is JobState.COMPLETED and meets_target(last, plan.constraints):
        return Move(stage=None, why="the validation score meets the target")
    if last.stage < len(plan.stages):
        return Move(stage=last.stage + 1, why=_why_further(last))
    return Move(stage=None, why="no further stage fits the plan")


def _why_further(last: Job) -> str:
    if last.state is JobState.STOPPED:
        return f"the job was stopped: {last.end_reason}"
    failed = last.state is JobState.FAILED
    return "the job failed" if failed else "the validation score misses the target"


def meets_target(job: Job, constraints: Constraints) -> bool:
    """On the validation score, so that the test score stays unused until the report."""
    if constraints.target is None:
        return True
    score = job.metrics.get(f"eval_{constraints.scored_by}")
    return score is not None and compare(score, constraints.target_comparator, constraints.target)


def compare(value: float, comparator: Comparator | None, limit: float) -> bool:
    """The clause's own comparison; without one, "at least"."""
    return {
        Comparator.GT: value > limit,
        Comparator.GE: value >= limit,
        Comparator.LT: value < limit,
        Comparator.LE: value <= limit,
    }[comparator or Comparator.GE]
