"""Names of datasets: slugs, and what a person's words resolve to."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops.errors import RequestError
from mlops.names import NAME_PATTERN, resolve, slug


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("ciER", "cier"),
        ("NCBI Disease", "ncbi-disease"),
        ("Über Größe", "uber-grosse"),
        ("../../etc/passwd", "etc-passwd"),
        ("a_b.v2", "a_b.v2"),
        (" <b>x</b> ", "b-x-b"),
        ("x" * 63, "x" * 63),
    ],
)
def test_slug(name: str, wanted: str) -> None:
    assert slug(name) == wanted


@pytest.mark.parametrize("name", ["", "..", "---", "数据", "x" * 64])
def test_impossible_names(name: str) -> None:
    with pytest.raises(RequestError) as caught:
        slug(name)
    assert caught.value.code == "bad_dataset_name" and len(caught.value.message) < 200


@given(st.text())
def test_a_slug_is_valid_and_stable(name: str) -> None:
    try:
        made = slug(name)
    except RequestError:
        return
    assert re.fullmatch(NAME_PATTERN, made) and slug(made) == made


STORED = ["cier", "cier-small", "ncbi-disease", "wnut17"]


@pytest.mark.parametrize(
    ("wanted", "name"),
    [
        ("cier", "cier"),
        ("ciER", "cier"),
        ("CiER dataset", "cier"),
        ("the ci-ER data set", "cier"),
        ("den cier-Datensatz", "cier"),
        ("CIER_small", "cier-small"),
        ("NCBI disease corpus", "ncbi-disease"),
        ("WNUT 17", "wnut17"),
    ],
)
def test_resolve(wanted: str, name: str) -> None:
    assert resolve(wanted, STORED) == name


def test_an_exact_name_wins_over_equal_ones() -> None:
    assert resolve("ci-er", ["cier", "ci-er"]) == "ci-er"
    assert resolve("the-corpus", ["the-corpus", "the"]) == "the-corpus"
    with pytest.raises(RequestError, match="several"):
        resolve("CI.ER", ["cier", "ci-er"])


def test_a_name_is_never_completed() -> None:
    with pytest.raises(RequestError, match="Did you mean cier-small") as caught:
        resolve("cier", ["cier-small", "wnut17"])
    error = caught.value
    assert error.code == "unknown_dataset"
    assert {alternative.kind for alternative in error.alternatives} == {"dataset"}
    assert "llmops datasets import" in error.message
    ways = [(way.message, way.changes) for way in error.alternatives]
    assert ways == [
        ("Use the dataset cier-small.", {"dataset": "cier-small"}),
        ("Use the dataset wnut17.", {"dataset": "wnut17"}),
        ("Import your own, as said above.", {}),
    ]


def test_all_that_there_is_is_offered_as_far_as_there_are_letters() -> None:
    with pytest.raises(RequestError) as caught:
        resolve("nosuch", [f"set-{n:02}" for n in range(30)])
    assert len(caught.value.alternatives) == 10
    assert not any("`" in way.message for way in caught.value.alternatives)


@pytest.mark.parametrize("wanted", ["", "  ", "dataset", "🙂", "x" * 10_000])
def test_nothing_to_resolve(wanted: str) -> None:
    with pytest.raises(RequestError) as caught:
        resolve(wanted, STORED)
    assert caught.value.code == "unknown_dataset" and len(caught.value.message) < 400


def test_typing_errors_are_suggested() -> None:
    with pytest.raises(RequestError, match="Did you mean cier"):
        resolve("cierr", STORED)
    with pytest.raises(RequestError, match="no datasets yet"):
        resolve("cier", [])
