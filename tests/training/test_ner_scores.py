"""Our entity scores against seqeval, and the interval against what it must satisfy."""

import random
import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st
from seqeval.metrics import accuracy_score, classification_report
from sklearn.exceptions import UndefinedMetricWarning

from training.ner_scores import Score, entities, evaluate, f1_interval

LABELS = st.sampled_from(["O", "B-A", "I-A", "B-B", "I-B", "B-C-D", "I-C-D"])
PAIRS = st.lists(st.lists(st.tuples(LABELS, LABELS), min_size=1, max_size=12), min_size=1)


@given(PAIRS)
def test_scores_equal_seqeval(pairs: list[list[tuple[str, str]]]) -> None:
    gold = [[a for a, _ in sentence] for sentence in pairs]
    predicted = [[b for _, b in sentence] for sentence in pairs]
    ours = evaluate(gold, predicted)
    assert ours.accuracy == pytest.approx(accuracy_score(gold, predicted))
    if not ours.types:
        return  # seqeval has no report without a single entity
    report = _seqeval(gold, predicted)
    for name, score in {**ours.types, "micro avg": ours.total}.items():
        assert score.precision == pytest.approx(report[name]["precision"])
        assert score.recall == pytest.approx(report[name]["recall"])
        assert score.f1 == pytest.approx(report[name]["f1-score"])
        assert score.gold == report[name]["support"]


def test_an_inside_label_after_o_or_another_type_opens_an_entity() -> None:
    assert entities(["I-A", "I-A", "I-B", "B-B", "O", "I-B"]) == {
        ("A", 0, 2),
        ("B", 2, 3),
        ("B", 3, 4),
        ("B", 5, 6),
    }


def test_nothing_to_find_scores_zero_not_an_error() -> None:
    nothing = evaluate([["O"]], [["O"]])
    assert (nothing.total.f1, nothing.total.precision, nothing.total.recall) == (0.0, 0.0, 0.0)
    assert nothing.accuracy == 1.0
    assert f1_interval(nothing.sentences) == (0.0, 0.0)


def test_the_interval_holds_the_score_repeats_and_narrows_with_data() -> None:
    draw = random.Random(1)
    sentences = [Score(int(draw.random() < 0.8), 1, 1) for _ in range(800)]
    total = Score(sum(s.matched for s in sentences), 800, 800)
    low, high = f1_interval(sentences)
    assert low < total.f1 < high
    assert f1_interval(sentences) == (low, high)
    few_low, few_high = f1_interval(sentences[:50])
    assert few_high - few_low > high - low
    # A proportion of 0.8 over 800: 1.96 * sqrt(.16 / 800) = 0.0277 to each side.
    assert high - low == pytest.approx(2 * 0.0277, rel=0.2)


def _seqeval(gold: list[list[str]], predicted: list[list[str]]) -> dict[str, dict[str, float]]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UndefinedMetricWarning)
        return classification_report(gold, predicted, output_dict=True, zero_division=0)  # type: ignore[return-value]
