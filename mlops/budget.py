"""What an amount of money or time still buys: worst cases, and the clamp that becomes MaxRuntimeInSeconds."""

from pydantic import BaseModel, ConfigDict

from mlops.money import cost_of_seconds, seconds_for

# After MaxRuntimeInSeconds SageMaker sends SIGTERM and waits this long; it is billed.
STOP_GRACE_SECONDS = 120
# No cap is tighter than this when the budget allows it: an estimate may be wrong by this much.
ROOM_SECONDS = 300
ROOM_FACTOR = 4


class Clamp(BaseModel):
    """How long a stage may run, and which clause made it shorter than we would have liked."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_runtime_seconds: int
    bound_by: str | None


def ceiling(max_runtime_seconds: int, usd_per_hour_micro: int) -> int:
    """Most that a stage can cost, in micro-USD: its clamp and the stop grace, at the on-demand
    price of an hour with its volume."""
    return cost_of_seconds(max_runtime_seconds + STOP_GRACE_SECONDS, usd_per_hour_micro)


def training_seconds(max_runtime_seconds: int, overhead_seconds: int, after_seconds: int) -> int:
    """How long the trainer may train from its own start on: the clamp without the start-up that is
    billed before it and the slice kept for checkpoint, evaluation and upload.

    The p90 estimate counts both, so a clamp that buys p90 leaves more than the expected training.
    """
    running = max_runtime_seconds - overhead_seconds
    return max(1, running - min(after_seconds, running // 2))


def clamp(
    left_micro: int, left_seconds: int | None, usd_per_hour_micro: int, p90_seconds: int
) -> Clamp | None:
    """The longest useful run that can exceed neither money nor time; None when that would not
    buy the p90 estimate. `left_seconds` None means that nobody limited time."""
    limits = {
        None: max(ROOM_FACTOR * p90_seconds, p90_seconds + ROOM_SECONDS),
        "budget_usd": seconds_for(max(0, left_micro), usd_per_hour_micro) - STOP_GRACE_SECONDS,
    }
    if left_seconds is not None:
        limits["max_minutes"] = left_seconds
    bound_by = min(limits, key=lambda clause: limits[clause])
    if limits[bound_by] < p90_seconds:
        return None
    return Clamp(max_runtime_seconds=limits[bound_by], bound_by=bound_by)
