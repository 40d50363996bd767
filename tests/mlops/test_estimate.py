"""Estimates are intervals that grow with the work and learn from finished jobs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops.budget import training_seconds
from mlops.estimate import (
    CRF_SECONDS_PER_TOKEN_ITERATION,
    EstimateError,
    PastRun,
    Work,
    compute_seconds,
    error_of,
    estimate,
)
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


@pytest.mark.parametrize(("known", "p90"), [(1, 160), (2, 140), (3, 120), (9, 120)])
def test_every_run_replaces_the_guess_and_more_of_them_narrow_the_band(known: int, p90: int):
    work = Work(train_tokens=1000, total_tokens=1000, epochs=60)
    runs = [PastRun(work=work, billed_seconds=100)] * known
    made = estimate(find_model("crf"), find_instance("ml.m5.large"), RATE, work, 300, runs)
    assert (made.p50_seconds, made.p90_seconds) == (100, p90)
    assert f"{known} finished job" in made.basis


def test_three_sizes_tell_start_up_from_work():
    """A machine with 40 s of start-up, three times slower than the formula: an outlier is ignored."""
    crf, instance = find_model("crf"), find_instance("ml.m5.large")
    works = [Work(train_tokens=n, total_tokens=n, epochs=60) for n in (10**5, 10**6, 3 * 10**6)]
    truth = [round(40 + 3 * compute_seconds(crf, instance, w)) for w in works]
    runs = [PastRun(work=w, billed_seconds=s) for w, s in zip(works, truth, strict=True)]
    runs += runs
    runs.append(PastRun(work=works[0], billed_seconds=900))
    other = Work(train_tokens=2 * 10**6, total_tokens=2 * 10**6, epochs=60)
    made = estimate(crf, instance, RATE, other, 300, runs)
    wanted = 40 + 3 * compute_seconds(crf, instance, other)
    assert made.p50_seconds == pytest.approx(wanted, rel=0.02)
    assert made.overhead_seconds == pytest.approx(40, abs=2)


def test_a_probe_of_the_machine_replaces_the_pace_of_the_formula():
    crf, instance = find_model("crf"), find_instance("ml.m5.large")
    work = Work(train_tokens=1_000_000, total_tokens=1_000_000, epochs=60)
    pace = 2 * CRF_SECONDS_PER_TOKEN_ITERATION
    plain = compute_seconds(crf, instance, work)
    assert compute_seconds(crf, instance, work, pace) == pytest.approx(2 * plain)
    assert "probe" in estimate(crf, instance, RATE, work, 5, (), pace).basis
    encoder = find_model("roberta-large")
    gpu = find_instance("ml.g5.xlarge")
    assert compute_seconds(encoder, gpu, work, pace) == compute_seconds(encoder, gpu, work)


def test_the_published_worked_example_is_met():
    """5,000 sentences × 3 epochs × 40 tokens with DistilBERT and LoRA: about 11 s on a T4."""
    work = Work(train_tokens=200_000, total_tokens=200_000, epochs=3)
    model, t4 = find_model("distilbert-base-uncased"), find_instance("ml.g4dn.xlarge")
    assert compute_seconds(model, t4, work) == pytest.approx(11, abs=2)
    made = estimate(model, t4, parse_usd("0.7364"), work, 300)
    assert "0.06" <= made.p50_usd <= "0.08"


def test_the_error_of_estimates_is_their_mean_share_of_what_was_billed():
    found = error_of([(90, 100), (130, 100)])
    assert (found.mape, found.jobs) == (pytest.approx(0.2), 2)
    assert error_of([(90, 0)]) == EstimateError(mape=None, jobs=0)


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


@given(MODELS, WORKS, st.integers(0, 600))
def test_a_clamp_that_buys_p90_leaves_more_than_the_expected_training(
    model: Model, work: Work, overhead: int
):
    """p90 counts the start-up and the slice after training: they are not taken twice."""
    made = estimate(model, instance_for(model), RATE, work, overhead)
    loop = made.p50_seconds - made.overhead_seconds - made.after_seconds
    left = training_seconds(made.p90_seconds, made.overhead_seconds, made.after_seconds)
    assert left >= max(1, loop - 1)
