"""The sample corpora: same bytes everywhere, well formed, labelled synthetic, no leakage."""

import hashlib
from collections import Counter

import pytest

from mlops.samples import SAMPLES, Sample, cier, to_conll

SIZES = {"cier": (4000, 500, 500), "cier-small": (300, 100, 100)}
TYPES = {"Diagnose", "Medikament", "Dosierung", "Koerperteil", "Symptom", "Prozedur"}
DIGESTS = {
    "cier": "e2d811f72715806215b3aa5506a85a59ea97d6696cfe5e352e5592cd3551f330",
    "cier-small": "82c635cf4ee7c2877d4009995fa462e93757fc746bf8be070d9997b5b2e530f0",
}


@pytest.fixture(params=list(SAMPLES))
def sample(request: pytest.FixtureRequest) -> Sample:
    return SAMPLES[request.param]()


def test_sizes_and_labels(sample: Sample) -> None:
    assert tuple(len(rows) for rows in sample.splits.values()) == SIZES[sample.name]
    assert list(sample.splits) == ["train", "validation", "test"]
    for rows in sample.splits.values():
        kinds = {label[2:] for row in rows for _, label in row if label != "O"}
        assert kinds == TYPES


def test_it_says_that_it_is_synthetic_and_noisy(sample: Sample) -> None:
    assert sample.synthetic
    assert sample.language == "de"
    assert "synthetic" in sample.title
    assert "no patient" in sample.note and "Label noise" in sample.note


def test_the_bytes_never_change(sample: Sample) -> None:
    text = "".join(to_conll(rows) for rows in sample.splits.values())
    assert hashlib.sha256(text.encode()).hexdigest() == DIGESTS[sample.name]


def test_labels_are_strict_bio_and_tokens_are_plain(sample: Sample) -> None:
    for rows in sample.splits.values():
        for row in rows:
            previous = "O"
            for token, label in row:
                assert token and not any(c.isspace() for c in token)
                assert label == "O" or label[:2] in ("B-", "I-")
                assert not label.startswith("I-") or previous[2:] == label[2:]
                previous = label


def test_no_wording_occurs_twice(sample: Sample) -> None:
    wordings = Counter(
        tuple(token for token, _ in row) for rows in sample.splits.values() for row in rows
    )
    assert max(wordings.values()) == 1


def test_a_good_part_of_the_test_mentions_is_new() -> None:
    splits = cier().splits
    known = {m for row in splits["train"] for m in _mentions(row)}
    mentions = [m for row in splits["test"] for m in _mentions(row)]
    assert 0.15 < sum(m not in known for m in mentions) / len(mentions) < 0.6


def test_conll_text() -> None:
    row = (("starke", "B-Symptom"), ("Schmerzen", "I-Symptom"))
    assert to_conll([row, (("ja", "O"),)]) == (
        "starke\tB-Symptom\nSchmerzen\tI-Symptom\n\nja\tO\n\n"
    )
    assert to_conll([]) == ""


def _mentions(row: tuple[tuple[str, str], ...]) -> list[str]:
    found: list[str] = []
    for token, label in row:
        if label.startswith("B-"):
            found.append(token)
        elif label.startswith("I-"):
            found[-1] += f" {token}"
    return found
