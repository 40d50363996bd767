"""How long a stage will be billed and what that costs: an interval (p50, p90), never a bare number.

The formula gives a wide band; finished jobs of the same engine, model and instance correct it.
"""

from collections.abc import Sequence
from itertools import combinations
from math import ceil
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
# Peak dense 16-bit TFLOP/s from data sheets; the trainer uses one GPU of an instance.
PEAK_TFLOPS = {
    "T4": 65,
    "V100": 125,
    "A10G": 70,
    "L4": 121,
    "L40S": 362,
    "A100": 312,
    "H100": 1000,
}
# FLOPs per token = 4·N + 8·layers·width·length for LoRA; length is the padded maximum.
LORA_FLOPS_PER_PARAMETER = 4
LORA_FLOPS_OF_ATTENTION = 8
SEQUENCE_TOKENS = 128
PADDING = 1.15
# Share of the peak that is reached: small encoders on short sentences, and from BERT base on.
UTILISATION_SMALL, UTILISATION_LARGE = 0.15, 0.25
SMALL_PARAMETERS = 80_000_000
ENCODER_BAND = (1.0, 2.0)

# A line through past runs needs so many sizes, so far apart (as a share of a usual run: else other
# work on the machine is taken for a slope); with less, one factor corrects the formula.
DISTINCT_SIZES = 3
SPREAD = 0.5
LEAST_SLOPE = 0.05
MOST_RUNS = 30
# How much longer than the worst run seen p90 is, by number of runs.
MARGINS = (1.6, 1.4, 1.2)


class Work(BaseModel):
    """What a stage has to chew: tokens of the train split and passes over it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    train_tokens: int
    total_tokens: int
    epochs: int


class PastRun(BaseModel):
    """A finished job of one engine, model and instance type; scores are those of the test split."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    work: Work
    billed_seconds: int
    fingerprint: str = ""
    scores: dict[str, float] = {}
    job_name: str = ""


class Estimate(BaseModel):
    """Billed seconds and cost at list price; `basis` says where the figures come from.

    `overhead_seconds` is start-up and upload within p50, the rest is the training loop;
    `tokens_per_second` counts every pass over the train split. `after_seconds` is the part of p90
    that comes after the loop: the slice kept for checkpoint, evaluation and upload.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    p50_seconds: int
    p90_seconds: int
    p50_usd: str
    p90_usd: str
    basis: str
    overhead_seconds: int = 0
    tokens_per_second: int = 0
    after_seconds: int = 0


class EstimateError(BaseModel):
    """Mean absolute percentage error of p50 against billed seconds, over so many jobs."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    mape: float | None
    jobs: int


class _Guess(BaseModel):
    """Seconds before rounding."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    p50: float
    p90: float
    overhead: float
    basis: str


def estimate(
    model: Model,
    instance: InstanceType,
    usd_per_hour_micro: int,
    work: Work,
    overhead_seconds: int,
    history: Sequence[PastRun] = (),
    crf_pace: float | None = None,
) -> Estimate:
    """Billed time of one stage on one instance, start-up and upload included.

    `crf_pace`: seconds per token and iteration that this back end measured of itself.
    """
    compute = compute_seconds(model, instance, work, crf_pace)
    guess = _formula(model, compute, overhead_seconds, crf_pace)
    if history:
        newest = history[:MOST_RUNS]
        runs = [
            (compute_seconds(model, instance, run.work, crf_pace), run.billed_seconds)
            for run in newest
        ]
        guess = _learned(runs, compute, overhead_seconds)
    seconds = (max(1, round(guess.p50)), max(2, round(guess.p90)))
    loop = max(1e-9, seconds[0] - guess.overhead)
    return Estimate(
        p50_seconds=seconds[0],
        p90_seconds=seconds[1],
        p50_usd=to_usd(cost_of_seconds(seconds[0], usd_per_hour_micro)),
        p90_usd=to_usd(cost_of_seconds(seconds[1], usd_per_hour_micro)),
        basis=guess.basis,
        overhead_seconds=min(seconds[0], round(guess.overhead)),
        tokens_per_second=round(work.train_tokens * work.epochs / loop) if loop >= 1 else 0,
        after_seconds=_after_seconds(model, instance, work, overhead_seconds, crf_pace),
    )


def compute_seconds(
    model: Model, instance: InstanceType, work: Work, crf_pace: float | None = None
) -> float:
    """Time inside the training loop, without start-up; tokens × FLOPs over achievable FLOP/s."""
    if model.engine is Engine.CRF:
        loop = work.train_tokens * work.epochs * (crf_pace or CRF_SECONDS_PER_TOKEN_ITERATION)
        return loop + _crf_evaluation(work, crf_pace)
    peak = PEAK_TFLOPS.get(instance.gpu or "", min(PEAK_TFLOPS.values())) * 1e12
    tokens = work.train_tokens * work.epochs * PADDING
    return tokens * flops_per_token(model) / (peak * _utilisation(model))


def _after_seconds(
    model: Model, instance: InstanceType, work: Work, overhead: float, crf_pace: float | None
) -> int:
    """Evaluation and bootstrap at the band's upper end, and the half of the overhead that p90 adds
    for the upload. A network's evaluation is one forward pass, a third of an epoch's work per token.
    """
    if model.engine is Engine.CRF:
        return ceil(_crf_evaluation(work, crf_pace) * CRF_BAND[1] + overhead / 2)
    held_out = (work.total_tokens - work.train_tokens) / (work.train_tokens * work.epochs or 1)
    evaluation = compute_seconds(model, instance, work) * held_out / 3 * ENCODER_BAND[1]
    return ceil(evaluation + overhead / 2)


def _crf_evaluation(work: Work, crf_pace: float | None) -> float:
    """Seconds of feature extraction, evaluation and bootstrap, slower where training is."""
    slower = (crf_pace or CRF_SECONDS_PER_TOKEN_ITERATION) / CRF_SECONDS_PER_TOKEN_ITERATION
    return work.total_tokens * CRF_SECONDS_PER_TOKEN * slower


def flops_per_token(model: Model) -> int:
    """Forward and backward of one token with LoRA; 0 for a model without a network."""
    attention = model.layers * model.hidden * SEQUENCE_TOKENS
    return LORA_FLOPS_PER_PARAMETER * model.parameters + LORA_FLOPS_OF_ATTENTION * attention


def error_of(pairs: Sequence[tuple[int, int]]) -> EstimateError:
    """From (estimated, billed) seconds; jobs that were billed nothing cannot be compared."""
    errors = [abs(billed - guessed) / billed for guessed, billed in pairs if billed > 0]
    mape = sum(errors) / len(errors) if errors else None
    return EstimateError(mape=mape, jobs=len(errors))


def _utilisation(model: Model) -> float:
    return UTILISATION_SMALL if model.parameters < SMALL_PARAMETERS else UTILISATION_LARGE


def _formula(model: Model, compute: float, overhead: float, crf_pace: float | None) -> _Guess:
    crf = model.engine is Engine.CRF
    low, high = CRF_BAND if crf else ENCODER_BAND
    basis = "formula, not yet measured on this back end"
    if crf and crf_pace:
        basis = "formula, calibrated to this machine by a short probe"
    return _Guess(
        p50=overhead + compute * low,
        p90=overhead * 1.5 + compute * high,
        overhead=overhead,
        basis=basis,
    )


def _learned(runs: Sequence[tuple[float, int]], compute: float, overhead: float) -> _Guess:
    """From (computed loop seconds, billed seconds) of past runs: a line where sizes allow one."""
    fixed, slope = _line(runs) or _factor(runs, overhead)
    worst = max(billed / max(1.0, fixed + slope * size) for size, billed in runs)
    margin = MARGINS[min(len(runs), len(MARGINS)) - 1]
    p50 = fixed + slope * compute
    jobs = f"{len(runs)} finished job{'s' if len(runs) > 1 else ''}"
    return _Guess(
        p50=p50,
        p90=p50 * max(1.0, worst) * margin,
        overhead=fixed,
        basis=f"{jobs} of this kind",
    )


def _factor(runs: Sequence[tuple[float, int]], overhead: float) -> tuple[float, float]:
    """One factor on the whole formula, so that start-up does not grow with the data."""
    ratio = median(billed / max(1.0, overhead + size) for size, billed in runs)
    return ratio * overhead, ratio


def _line(runs: Sequence[tuple[float, int]]) -> tuple[float, float] | None:
    """Fixed part and slope by Theil and Sen: the median of pairwise slopes, then of the rest."""
    sizes = sorted({round(size, 1) for size, _ in runs})
    usual = median(billed for _, billed in runs)
    if len(sizes) < DISTINCT_SIZES or sizes[-1] - sizes[0] < SPREAD * usual:
        return None
    slopes = [
        (b[1] - a[1]) / (b[0] - a[0]) for a, b in combinations(runs, 2) if abs(b[0] - a[0]) > 0.05
    ]
    slope = median(slopes)
    if slope < LEAST_SLOPE:
        return None
    return max(0.0, median(billed - slope * size for size, billed in runs)), slope
