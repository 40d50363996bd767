"""The learning-curve stop: sure before it stops, and never wrong about what is already reached."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.learning_curves import CURVES, MOST_FALSE_STOPS, simulate, stopped_after
from mlops.curve import CONFIDENT, out_of_reach

SCORES = st.lists(st.floats(0, 1), max_size=40)


def saturating(top: float, rate: float, steps: int) -> list[float]:
    return [top * (1 - math.exp(-rate * step)) for step in range(1, steps + 1)]


@given(SCORES, st.floats(0.01, 1), st.integers(1, 60))
def test_any_points_get_a_verdict_with_its_probability(
    points: list[float], target: float, planned: int
):
    verdict = out_of_reach(points, target, planned)
    assert 0 <= verdict.probability <= 1 + 1e-9
    assert verdict.why
    if verdict.out_of_reach:
        assert verdict.probability >= CONFIDENT
        assert verdict.bound < target
        assert max(points) < target
        assert 3 <= len(points) < planned


def test_a_flat_curve_far_below_the_target_is_given_up_early():
    points = saturating(0.6, 1.5, 20)
    assert [out_of_reach(points[:n], 0.85, 20).out_of_reach for n in (2, 5)] == [False, True]


def test_a_curve_that_still_climbs_goes_on():
    points = saturating(0.95, 0.1, 6)
    assert not out_of_reach(points, 0.85, 20).out_of_reach


def test_a_late_starter_is_not_judged():
    assert not out_of_reach([0.0, 0.01, 0.0, 0.02, 0.01], 0.85, 10).out_of_reach
    assert not out_of_reach([0.05, 0.06, 0.1, 0.18, 0.3], 0.85, 10).out_of_reach


@pytest.mark.parametrize("points", [[], [0.5], [0.9, 0.5, 0.5, 0.5]])
def test_nothing_is_said_of_too_few_points_or_a_target_that_is_met(points: list[float]):
    assert not out_of_reach(points, 0.85, 20).out_of_reach


def test_two_hundred_seeded_curves_have_few_false_stops_and_save_epochs():
    false_stops = saved = 0
    for number in range(CURVES):
        _, scores, target = simulate(number)
        stop = stopped_after(scores, target)
        false_stops += stop is not None and max(scores) >= target
        saved += len(scores) - stop if stop and max(scores) < target else 0
    assert false_stops <= MOST_FALSE_STOPS * CURVES
    assert saved > 100
