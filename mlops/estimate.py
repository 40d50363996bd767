"""How long a stage will be billed and what that costs: an interval (p50, p90), never a bare number.

The formula gives a wide band; finished jobs of the same engine, model and instance correct it.
"""

from collections.abc import Sequence
from statistics import median

from pydantic import BaseModel, ConfigDict

from mlops.instances import InstanceType
from mlops.models import Engine, Model
from mlops.money import cost_of_seconds, to_usd

# Measured: L-BFGS on NCBI-disease, 135.7 k tokens × 60 iterations in 9.2 CPU seconds.
CRF_SECONDS_PER_TOKEN_ITERATION = 9.2 / (135_701 * 60)
# Feature extraction, evaluation and bootstrap per token, measured with the same run.
CRF_SECONDS_PER_TOKEN = 6e-5
CRF_BAND = (1.0, 2.5)
# Peak dense 16-bit TFLOP/s from data sheets; utilisation of small encoders on short sentences.
PEAK_TFLOPS = {
    "T4": 65,
    "V100": 125,
    "A10G": 70,
    "L4": 121,
    "L40S": 362,
    "A100": 312,
    "H100": 1000,
}
UTILISATION = 0.15
PADDING = 1.15
LORA_FLOPS_PER_PARAMETER = 4
ENCODER_BAND = (1.0, 2.0)
ENOUGH_HISTORY = 3


class Work(BaseModel):
    """What a stage has to chew: tokens of the train split and passes over it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    train_tokens: int
    total_tokens: int
    epochs: int


class PastRun(BaseModel):
    """A finished job of the same engine, model and instance type."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    work: Work
    billed_seconds: int


class Estimate(BaseModel):
    """Billed seconds and cost at on-demand list price; `basis` says where the figures come from."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    p50_seconds: int
    p90_seconds: int
    p50_usd: str
    p90_usd: str
    basis: str


def estimate(
    model: Model,
    instance: InstanceType,
    usd_per_hour_micro: int,
    work: Work,
    overhead_seconds: int,
    history: Sequence[PastRun] = (),
) -> Estimate:
    """Billed time of one stage on one instance, start-up and upload included."""
    compute = compute_seconds(model, instance, work)
    low, high = CRF_BAND if model.engine is Engine.CRF else ENCODER_BAND
    basis = "formula, not yet measured on this back end"
    p50 = overhead_seconds + compute * low
    p90 = overhead_seconds * 1.5 + compute * high
    if len(history) >= ENOUGH_HISTORY:
        # Against the whole formula, so that start-up does not grow with the data.
        errors = [
            run.billed_seconds
            / max(1, overhead_seconds + compute_seconds(model, instance, run.work))
            for run in history
        ]
        formula = max(1, overhead_seconds + compute)
        p50 = median(errors) * formula
        p90 = max(errors) * 1.2 * formula
        basis = f"{len(history)} finished jobs of this kind"
    seconds = (max(1, round(p50)), max(2, round(p90)))
    costs = [to_usd(cost_of_seconds(s, usd_per_hour_micro)) for s in seconds]
    return Estimate(
        p50_seconds=seconds[0],
        p90_seconds=seconds[1],
        p50_usd=costs[0],
        p90_usd=costs[1],
        basis=basis,
    )


def compute_seconds(model: Model, instance: InstanceType, work: Work) -> float:
    """Time inside the training loop, without start-up; tokens × FLOPs over achievable FLOP/s."""
    if model.engine is Engine.CRF:
        return (
            work.train_tokens * work.epochs * CRF_SECONDS_PER_TOKEN_ITERATION
            + work.total_tokens * CRF_SECONDS_PER_TOKEN
        )
    peak = PEAK_TFLOPS.get(instance.gpu or "", min(PEAK_TFLOPS.values())) * 1e12
    flops = LORA_FLOPS_PER_PARAMETER * model.parameters * work.train_tokens * work.epochs * PADDING
    return flops / (peak * UTILISATION)
