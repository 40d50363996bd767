"""A sentence made of constraints is read back as the same constraints."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from mlops.constraints import Comparator, Intent, parse
from mlops.constraints import Constraints as C
from mlops.dialogue.phrasing import sentence
from mlops.money import to_usd

LIMITS = st.sampled_from([Comparator.LE, Comparator.LT])
FLOORS = st.sampled_from([Comparator.GE, Comparator.GT])

STARTS = [
    None,
    "18:00",
    "today 22:00",
    "tomorrow 09:00",
    "day after tomorrow 00:30",
    "friday 12:00",
    "in 120 minutes",
    "in 0.5 minutes",
    "18:00 UTC",
    "tomorrow 09:00 America/New_York",
    "next friday 09:00 CET",
    "next week friday 09:00",
    "in 14 days 18:00 +05:30",
    "12-24 18:00",
    "friday 11-27 09:00 UTC",
    "day 24 18:00",
    "2026-11-23 18:30",
    "2026-11-23 18:30 Europe/Berlin",
    "2026-11-23T17:00:00+00:00",
    "2026-11-23T17:00:31+00:00",
]


@st.composite
def said(draw: st.DrawFn) -> C:
    fields: dict[str, Any] = {
        "dataset": draw(st.sampled_from(["cier", "cier-small", "ncbi-disease"])),
        "task": draw(st.sampled_from([None, "token-classification"])),
        "model": draw(st.sampled_from([None, "crf", "distilbert-base-uncased"])),
        "instance_type": draw(st.sampled_from([None, "ml.g5.xlarge", "ml.m5.large"])),
        "spot": draw(st.sampled_from([None, True, False])),
        "region": draw(st.sampled_from([None, "us-west-2"])),
        "epochs": draw(st.one_of(st.none(), st.integers(2, 200))),
        "early_stop": draw(st.sampled_from([None, False])),
        "queue": draw(st.sampled_from([None, True, False])),
        "start_at": draw(st.sampled_from(STARTS)),
    }
    if fields["queue"]:
        fields["max_wait_minutes"] = draw(st.sampled_from([None, 1, 90, 120, 0.5]))
    if draw(st.booleans()):
        fields |= {
            "budget_usd": to_usd(draw(st.integers(100, 10**9))),
            "budget_comparator": draw(LIMITS),
        }
    if draw(st.booleans()):
        fields |= {"max_minutes": draw(st.integers(1, 3000)), "time_comparator": draw(LIMITS)}
    if draw(st.booleans()):
        fields |= {
            "metric": draw(st.sampled_from(["f1", "precision", "recall"])),
            "target": draw(st.integers(10, 990)) / 1000,
            "target_comparator": draw(FLOORS),
        }
    return C(**fields)


@given(said())
def test_what_is_said_again_is_understood_the_same(constraints: C):
    parsed = parse(sentence(constraints))
    assert parsed.intent is Intent.TRAIN
    assert parsed.problems == ()
    assert parsed.constraints == constraints
