"""Numbers of an answer against what was said before it: rounding is allowed, invention is not."""

import pytest

from mlops.claims import unconfirmed

SOURCES = [
    '{"test_f1": 0.9117, "f1_low": 0.896, "ceiling_usd": "2.30", "usd_per_hour": "0.7364"}',
    "Train NER on cier, at most $1,500, F1 above 85%",
]


@pytest.mark.parametrize(
    "text",
    [
        "F1 is 0.9117, that is 91.17 %, 91.2% or 91 percent.",
        "The score of 0.91 is above the F1 > 85% that you wanted.",
        "It costs at most $2.30, or $2.3, or 2,30 $, or 2.3 dollars, at $0.74 per hour.",
        "Your budget of $1,500 (1500 USD, $1.5k) is kept.",
        "F1 score: 91.2",
        "1. First the data.\n2. Then ml.g5.xlarge and ml.p4d.24xlarge.\n3. In 2026, under 1 hour.",
        "On 2026-11-22 the F1 of stage 2 of 3 was measured in 750 s.",
        "Precision, recall and F1 follow in 10 minutes; job llmops-cier-12-s1-a1.",
        "There are 500 sentences, 3 datasets and 12 GPUs.",
    ],
)
def test_what_is_known_or_claims_nothing(text: str):
    assert unconfirmed(text, SOURCES) == []


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("It costs $2.50.", ["$2.50"]),
        ("It costs 3 dollars and reaches 95%.", ["3 dollars", "95%"]),
        ("F1 was 0.93, precision 91.2.", ["0.93"]),
        ("You saved $10,000.", ["$10,000"]),
        ("Das kostet 7,50 Dollar.", ["7,50 Dollar"]),
        ("About $2.30 now, $9.99 later, $9.99 at most.", ["$9.99"]),
        ("You get 99 cents back", ["99 cents"]),
    ],
)
def test_what_nothing_contains(text: str, wrong: list[str]):
    assert unconfirmed(text, SOURCES) == wrong


def test_without_sources_every_claim_is_unconfirmed():
    assert unconfirmed("$1 and 5%", []) == ["$1", "5%"]


def test_absurd_numbers_are_claims_too():
    assert unconfirmed(f"${'9' * 5000}", SOURCES) != []
