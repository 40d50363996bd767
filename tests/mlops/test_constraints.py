"""The parser against a table of sentences, against random text, and at its edges."""

import csv
import json
import re
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops.constraints import Comparator, Constraints, Intent, Parsed, parse

ROWS = list(
    csv.DictReader(
        Path(__file__).with_name("sentences.csv").read_text(encoding="utf-8").splitlines(),
        delimiter="|",
        quoting=csv.QUOTE_NONE,
    )
)
MISSION = (
    "Train a Named Entity Recognition model on the ciER dataset. "
    "Budget: $10, Time: 1 hour, F1 score > 85%"
)
TASKS = {
    "ner": "token-classification",
    "tc": "text-classification",
    "qa": "question-answering",
    "sum": "summarization",
    "mt": "translation",
}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["sentence"])
def test_sentence(row: dict[str, str]):
    assert described(parse(row["sentence"])) == set(row["expected"].split())


def described(parsed: Parsed) -> set[str]:
    """A `Parsed` in the short form of the table; what is absent there must be absent here."""
    c = parsed.constraints
    words = [str(parsed.intent)]
    words += [short for short, task in TASKS.items() if task == c.task]
    words += [f"usd{c.budget_comparator}{c.budget_usd}"] if c.budget_usd else []
    words += [f"min{c.time_comparator}{c.max_minutes}"] if c.max_minutes else []
    words += [f"{c.metric or 'target'}{c.target_comparator}{c.target}"] if c.target else []
    words += [f"metric={c.metric}"] if c.metric and not c.target else []
    named = {"ds": c.dataset, "model": c.model, "type": c.instance_type, "region": c.region}
    words += [f"{key}={value}" for key, value in named.items() if value]
    words += [] if c.spot is None else [f"spot={'yes' if c.spot else 'no'}"]
    words += [] if c.queue is None else [f"queue={'yes' if c.queue else 'no'}"]
    words += [f"wait={c.max_wait_minutes}"] if c.max_wait_minutes else []
    words += [f"start={c.start_at.replace(' ', '_')}"] if c.start_at else []
    words += [f"problem={problem.clause}" for problem in parsed.problems]
    words += [f"ref={','.join(parsed.refers_to_previous)}"] if parsed.refers_to_previous else []
    words += [] if parsed.approve is None else ["yes" if parsed.approve else "no"]
    return set(words)


def test_table_is_broad():
    german = [r for r in ROWS if re.search(r"[äöüß]|(?i:trainir?e)|Kosten|Hallo", r["sentence"])]
    assert len(ROWS) - len(german) >= 150
    assert len(german) >= 40
    assert {row["expected"].split()[0] for row in ROWS} == {str(intent) for intent in Intent}


def test_mission_sentence_as_json():
    data = json.loads(parse(MISSION).model_dump_json())
    assert data["intent"] == "train"
    assert data["constraints"] == {
        "task": "token-classification",
        "dataset": "cier",
        "budget_usd": "10.00",
        "budget_comparator": "<=",
        "max_minutes": 60,
        "time_comparator": "<=",
        "metric": "f1",
        "target": 0.85,
        "target_comparator": ">",
        "model": None,
        "instance_type": None,
        "spot": None,
        "region": None,
        "epochs": None,
        "early_stop": None,
        "queue": None,
        "max_wait_minutes": None,
        "start_at": None,
        "timezone": None,
    }
    assert data["evidence"] == {
        "task": "Named Entity Recognition",
        "dataset": "ciER",
        "budget_usd": "Budget: $10",
        "max_minutes": "Time: 1 hour",
        "target": "F1 score > 85%",
        "metric": "F1",
    }
    assert data["problems"] == []


def test_minutes_are_dumped_whole_when_whole():
    assert '"max_minutes":60,' in parse("train on cier in 1 hour").model_dump_json()
    assert '"max_minutes":1.5,' in parse("train on cier in 90 seconds").model_dump_json()


def test_parsed_survives_its_json():
    parsed = parse(MISSION)
    assert Parsed.model_validate_json(parsed.model_dump_json()) == parsed


def test_a_problem_says_clause_and_next_step():
    (problem,) = parse("Train NER on cier for 10 Euro").problems
    assert problem.model_dump() == {
        "clause": "budget_usd",
        "message": "'10 Euro' is not in US dollars; say the budget in dollars.",
    }


def test_conflict_names_both():
    (problem,) = parse("Train NER on cier for $10 or $20").problems
    assert "'$10'" in problem.message
    assert "'$20'" in problem.message


def test_two_datasets_are_both_named_and_a_small_per_cent_is_asked_about():
    (problem,) = parse("Train NER on cier and cier-small for $5").problems
    assert "'cier' and 'cier-small'" in problem.message
    (problem,) = parse("Train NER on cier, F1 > 0.85%").problems
    assert problem.message == "'F1 > 0.85%' is below 1%; did you mean 85%?"


def test_default_metric_shows_the_words_of_the_target():
    assert parse("Train NER on cier, at least 85%").evidence["metric"] == "at least 85%"


def test_a_budget_finer_than_a_micro_dollar_rounds_down():
    assert parse("train on cier for $0.0000019").constraints.budget_usd == "0.000001"
    assert parse("train on cier for $0.0000001").constraints.budget_usd is None


def test_nothing_said_is_nothing_found():
    parsed = parse("")
    assert parsed == Parsed(intent=Intent.OTHER, constraints=Constraints(), evidence={})


@pytest.mark.parametrize("row", ROWS[::3], ids=lambda row: row["sentence"])
def test_case_and_white_space_change_nothing(row: dict[str, str]):
    sentence = row["sentence"]
    expected = described(parse(sentence))
    for variant in (
        sentence.upper(),
        sentence.lower(),
        sentence.replace(" ", "  \n"),
        f"\t{sentence} \u00a0",
    ):
        assert described(parse(variant)) == expected, variant


FRAGMENTS = st.sampled_from(
    "train NER on cier the dataset $ 10 - -5 % 85 F1 > < >= at least no not more than hour h min "
    "½ and to between , . : budget time half an spot g5.xlarge € cents it that ? ! / 1h30 \u200b ß İ"
    " k 0 1.500,50 1,2,3 .5 ml. us-west-2 höchstens nicht Stunde auf dem , no , actually".split(
        " "
    )
)
TEXTS = st.one_of(
    st.text(max_size=5000),
    st.lists(FRAGMENTS, max_size=60).map(" ".join),
    st.lists(FRAGMENTS).map("".join),
)


@settings(max_examples=300)
@given(TEXTS)
def test_any_text_gives_consistent_clauses(text: str):
    parsed = parse(text)
    values = parsed.constraints.model_dump(exclude_none=True)
    said = {name for name in values if not name.endswith("_comparator")}
    assert said == set(parsed.evidence)
    assert all(words and words in text for words in parsed.evidence.values())
    assert parsed == parse(text)
    c = parsed.constraints
    assert c.target is None or 0 < c.target <= 1
    assert c.max_minutes is None or c.max_minutes > 0
    assert c.budget_usd is None or 0 < Decimal(c.budget_usd) <= 10**9
    assert c.budget_comparator in (None, Comparator.LT, Comparator.LE)
    assert c.target_comparator in (None, Comparator.GT, Comparator.GE)


@given(
    st.integers(1, 10**7), st.sampled_from(("${}", "{} dollars", "USD {}", "{} $", "at most ${}"))
)
def test_cents_are_read_exactly(cents: int, form: str):
    amount = f"{Decimal(cents) / 100:.2f}"
    parsed = parse(f"Train NER on cier, {form.format(amount)}, F1 > 85%")
    assert Decimal(parsed.constraints.budget_usd or 0) == Decimal(amount)


@given(st.integers(1, 600), st.sampled_from(("{} minutes", "{}m", "{} min", "{} Minuten")))
def test_minutes_are_read_exactly(minutes: int, form: str):
    parsed = parse(f"Train NER on cier in {form.format(minutes)}")
    assert parsed.constraints.max_minutes == minutes


PIECES = "$|-|a/|F1 > |on cier |a half |how train cost |NER, cier |$1 actually |-daten|start |don't spend "
PIECES += "|at 6 |6pm |not |next week |24.12. |at 18:00 |18:00 New York time, |+05:30 |wait until "


@pytest.mark.parametrize("piece", PIECES.split("|"))
def test_a_hundred_thousand_characters_are_read(piece: str):
    """Anything quadratic would run for minutes here."""
    text = f"$1 how {piece * 100_000}"[:100_000]
    assert isinstance(parse(text), Parsed)


@pytest.mark.parametrize(
    ("text", "wanted", "words"),
    [
        ("train on cier, no early stopping", False, "no early stopping"),
        ("train on cier without an early stop", False, "without an early stop"),
        ("train on cier, don't stop early", False, "don't stop early"),
        ("trainiere auf cier ohne vorzeitigen Abbruch", False, "ohne vorzeitigen Abbruch"),
        ("train on cier with early-stopping", True, "early-stopping"),
        ("train on cier", None, None),
    ],
)
def test_early_stopping_is_a_persons_choice(text: str, wanted: bool | None, words: str | None):
    parsed = parse(text)
    assert (parsed.intent, parsed.constraints.dataset) == ("train", "cier")
    assert parsed.constraints.early_stop is wanted
    assert parsed.evidence.get("early_stop") == words


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("train on cier for 30 epochs", 30),
        ("trainiere auf cier mit 5 Epochen, Budget 2 $", 5),
        ("train on cier with 2.5 epochs", None),
        ("train on cier with 0 epochs", None),
        ("train on cier, budget $5", None),
    ],
)
def test_epochs(text: str, wanted: int | None):
    assert parse(text).constraints.epochs == wanted


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        ("1 500 USD", "1500.00"),
        ("1 500 $", "1500.00"),
        ("1 500 dollars", "1500.00"),
        ("$1 500", "1500.00"),
        ("USD 1 500", "1500.00"),
        ("12 345 678.50 USD", "12345678.50"),
        ("1 500,50 USD", "1500.50"),
        ("1\u00a0500 USD", "1500.00"),
        ("1\u202f500.25 USD", "1500.25"),
        ("1'500 USD", "1500.00"),
        ("$1’500’000", "1500000.00"),
        ("1\u2009500 $", "1500.00"),
        ("1,500 USD", "1500.00"),
        ("500 USD", "500.00"),
    ],
)
def test_thousands_may_be_grouped_by_a_space_or_an_apostrophe(said: str, wanted: str):
    parsed = parse(f"Train NER on cier, budget {said}, F1 > 85%")
    assert parsed.problems == ()
    assert parsed.constraints.budget_usd == wanted
    assert said in parsed.evidence["budget_usd"]
    assert parsed.constraints.target == 0.85


@pytest.mark.parametrize(
    ("text", "budget", "minutes", "epochs"),
    [
        ("train on cier for $5 100 epochs", "5.00", None, 100),
        ("train on cier for $5 500 sentences", "5.00", None, None),
        ("train on cier in 30 minutes, 100 USD", "100.00", 30, None),
        ("train on cier, 5 100 USD", "5100.00", None, None),
        ("train on cier, start at 18:00 100 USD", "100.00", None, None),
        ("train on cier for 15 00 USD", None, None, None),
    ],
)
def test_a_space_groups_nothing_else(text, budget, minutes, epochs):
    said = parse(text).constraints
    assert (said.max_minutes, said.epochs) == (minutes, epochs)
    if budget is not None:
        assert said.budget_usd == budget
