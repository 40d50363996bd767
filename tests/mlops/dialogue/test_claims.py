"""Numbers of an answer against what was said before it: rounding is allowed, invention is not."""

import pytest

from mlops.dialogue.claims import known, may_claim, unconfirmed

SOURCES = [
    '{"test_f1": 0.9117, "f1_low": 0.896, "ceiling_usd": "2.30", "usd_per_hour": "0.7364"}',
    "Train NER on cier, at most $1,500, F1 above 85%",
    {
        "billed_seconds": 754,
        "memory_gib": 24,
        "datasets": [{"sentences": 12345}, {"sentences": 55}, {"name": "x"}],
    },
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
        "On 2026-11-22 the F1 of stage 2 of 3 was measured in 754 s.",
        "Precision, recall and F1 follow; job llmops-cier-12-s1-a1, in the 1990s, within an hour.",
        "It ran for 12 min 34 s, 12 minutes and 34 seconds, 13 minutes, 12.6 min, 0.2 hours.",
        "Das dauerte 754 Sekunden, etwa 13 Minuten.",
        "There are 12,345 sentences, about 12,000 sentences, 12.345 Sätze, 12,400 in all: 3 datasets.",
        "2 of the 3 datasets have rows, 1 GPU has 24 GiB or 24,576 MiB.",
        "F1 is ninety-one percent for two dollars thirty, einundneunzig Prozent.",
    ],
)
def test_what_is_known_or_claims_nothing(text: str):
    assert unconfirmed(text, known(SOURCES)) == []


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
        (
            "It took 5 hours and 12,999 sentences, 8 GPUs.",
            ["5 hours", "12,999 sentences", "8 GPUs"],
        ),
        (
            "It cost four dollars, and F1 is ninety-seven percent.",
            ["four dollars", "ninety-seven percent"],
        ),
        ("Vier Euro fünfzig, siebenundneunzig Prozent", ["Vier Euro", "siebenundneunzig Prozent"]),
        ("It ran 45 min, 9 epochs on 6 jobs", ["45 min", "9 epochs", "6 jobs"]),
        ("Das waren 17 Stunden und 7.777 Sätze.", ["17 Stunden", "7.777 Sätze"]),
        ("It needs 80 GiB.", ["80 GiB"]),
        ("a seven-hour run, 9-14 s each", ["seven-hour", "9-14 s"]),
    ],
)
def test_what_nothing_contains(text: str, wrong: list[str]):
    assert unconfirmed(text, known(SOURCES)) == wrong


@pytest.mark.parametrize(
    ("text", "cost"), [("It cost four dollars twenty.", "4.20"), ("Vier Euro zwanzig.", "4.20")]
)
def test_cents_in_words_belong_to_their_amount(text: str, cost: str):
    assert unconfirmed(text, known([{"cost_usd": cost}])) == []
    assert unconfirmed(text, known([{"cost_usd": "4.00"}])) != []


TOLD = {"billed_seconds": 90, "cost_usd": "0.9", "test_f1": 0.71, "max_minutes": 45}


@pytest.mark.parametrize(
    "text", ["90 s", "1.5 minutes", "$0.90", "90 cents", "F1 0.71", "71 %", "45 min"]
)
def test_a_figure_confirms_its_own_unit(text: str):
    assert unconfirmed(text, known([TOLD])) == []


@pytest.mark.parametrize(
    "text", ["$90", "90 minutes", "90 sentences", "90 %", "$0.71", "71 cents", "45 s", "$45"]
)
def test_a_figure_confirms_no_other_unit(text: str):
    assert unconfirmed(text, known([TOLD])) == [text]


def test_sums_are_of_their_unit_too():
    said = known([{"jobs": [{"billed_seconds": 40}, {"billed_seconds": 50}]}])
    assert unconfirmed("90 s in all", said) == []
    assert unconfirmed("90 minutes, 90 sentences", said) == ["90 minutes", "90 sentences"]


def test_without_sources_every_claim_is_unconfirmed():
    assert unconfirmed("$1 and 5%", known([])) == ["$1", "5%"]


def test_absurd_numbers_are_claims_too():
    assert unconfirmed(f"${'9' * 5000}", known(SOURCES)) != []


@pytest.mark.parametrize(
    "source", ["plan-7e1234567", "7e1234567", "1e-99999999999", {"7e9999999": 1}]
)
def test_a_part_of_an_id_is_no_number(source: object):
    """Read as one it would overflow."""
    assert unconfirmed("It costs $2.30, 97%, F1 0.9, 3 GPUs, 5 hours.", known([source])) != []


@pytest.mark.parametrize("word", ["0.97", "$4", "97%", "ninety-seven", "four ", "vier", "half"])
def test_words_that_may_claim(word: str):
    assert may_claim(word)


@pytest.mark.parametrize("word", ["Your ", "model", "dollars", "F", "a", "eine", "—", ""])
def test_words_that_claim_nothing(word: str):
    assert not may_claim(word)


def test_many_claims_against_many_numbers_take_no_time():
    said = known([{"rows": list(range(50_000))}])
    assert len(unconfirmed("".join(f"${n}.37 " for n in range(10_000)), said)) == 10_000
