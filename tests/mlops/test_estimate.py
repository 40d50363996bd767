"""Estimates are intervals that grow with the work and learn from finished jobs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops.estimate import PastRun, Work, compute_seconds, estimate
from mlops.instances import find as find_instance
from mlops.models import LADDER, OTHERS, Engine, Model
from mlops.models import find as find_model
from mlops.money import cost_of_seconds, parse_usd, to_usd

MODELS = st.sampled_from((*LADDER, *OTHERS))
WORKS = st.builds(
    Work,
    train_tokens=st.integers(0, 10_000_000),
    total_tokens=st.integers(0, 12_000_000),
    epochs=st.integers(1, 100),
)
RATE = parse_usd("1.408")


def instance_for(model: Model):
    return find_instance("ml.g5.xlarge" if model.needs_gpu else "ml.m5.large")


@given(MODELS, WORKS, st.integers(0, 600), st.lists(st.integers(1, 10**5), max_size=5))
def test_an_estimate_is_an_interval_with_its_cost(
    model: Model, work: Work, overhead: int, billed: list[int]
):
    history = [PastRun(work=work, billed_seconds=seconds) for seconds in billed]
    made = estimate(model, instance_for(model), RATE, work, overhead, history)
    assert 1 <= made.p50_seconds <= made.p90_seconds
    assert made.p50_usd == to_usd(cost_of_seconds(made.p50_seconds, RATE))
    assert made.p90_usd == to_usd(cost_of_seconds(made.p90_seconds, RATE))


@given(MODELS, WORKS, st.integers(0, 10**6))
def test_more_work_takes_longer(model: Model, work: Work, more: int):
    larger = work.model_copy(
        update={
            "train_tokens": work.train_tokens + more,
            "total_tokens": work.total_tokens + more,
        }
    )
    instance = instance_for(model)
    assert compute_seconds(model, instance, larger) >= compute_seconds(model, instance, work)


def test_a_measured_crf_run_is_met():
    """135.7 k tokens, 60 iterations: 9.2 CPU seconds of L-BFGS."""
    work = Work(train_tokens=135_701, total_tokens=135_701, epochs=60)
    seconds = compute_seconds(find_model("crf"), find_instance("ml.m5.large"), work)
    assert seconds == pytest.approx(9.2 + 135_701 * 6e-5)


def test_a_faster_gpu_takes_less_time():
    work = Work(train_tokens=1_000_000, total_tokens=1_200_000, epochs=5)
    model = find_model("roberta-large")
    times = [
        compute_seconds(model, find_instance(name), work)
        for name in ("ml.g4dn.xlarge", "ml.g6.xlarge", "ml.p4d.24xlarge", "ml.p5.48xlarge")
    ]
    assert times == sorted(times, reverse=True)


def test_an_unknown_gpu_counts_as_the_slowest():
    work = Work(train_tokens=1000, total_tokens=1000, epochs=1)
    model = find_model("roberta-large")
    slow = compute_seconds(model, find_instance("ml.g4dn.xlarge"), work)
    assert compute_seconds(model, find_instance("ml.g7e.2xlarge"), work) == slow


@pytest.mark.parametrize("known", [0, 1, 2])
def test_few_runs_are_no_basis(known: int):
    work = Work(train_tokens=1000, total_tokens=1000, epochs=60)
    runs = [PastRun(work=work, billed_seconds=7)] * known
    made = estimate(find_model("crf"), find_instance("ml.m5.large"), RATE, work, 300, runs)
    assert made.basis.startswith("formula")


def test_three_runs_replace_the_guess():
    work = Work(train_tokens=100_000, total_tokens=120_000, epochs=60)
    runs = [PastRun(work=work, billed_seconds=seconds) for seconds in (90, 100, 130)]
    made = estimate(find_model("crf"), find_instance("ml.m5.large"), RATE, work, 300, runs)
    assert (made.p50_seconds, made.p90_seconds) == (100, 156)
    assert made.basis == "3 finished jobs of this kind"


@pytest.mark.parametrize("factor", [100, 1 / 100])
def test_start_up_does_not_grow_with_the_data(factor: float):
    """Runs that were exactly as the formula says keep the formula for other sizes."""
    crf, instance = find_model("crf"), find_instance("ml.m5.large")
    work = Work(train_tokens=100_000, total_tokens=120_000, epochs=60)
    billed = round(300 + compute_seconds(crf, instance, work))
    other = Work(
        train_tokens=round(work.train_tokens * factor),
        total_tokens=round(work.total_tokens * factor),
        epochs=60,
    )
    runs = [PastRun(work=work, billed_seconds=billed)] * 3
    learned = estimate(crf, instance, RATE, other, 300, runs)
    assert learned.p50_seconds == pytest.approx(
        300 + compute_seconds(crf, instance, other), rel=0.01
    )
    assert crf.engine is Engine.CRF
