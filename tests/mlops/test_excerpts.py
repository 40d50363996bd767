"""Titles and labels: one line, whole words, never longer than there is room for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops.excerpts import excerpt


@pytest.mark.parametrize(
    ("text", "most", "shown"),
    [
        ("Train NER", 9, "Train NER"),
        (" Train \n NER ", 9, "Train NER"),
        ("Train a model on cier", 13, "Train a…"),
        ("Train a model on cier", 14, "Train a model…"),
        ("On cier. Budget: $10", 10, "On cier…"),
        ("llmops-cier-6f0f22680d4f", 12, "llmops-cier…"),
        ("", 5, ""),
    ],
)
def test_it_is_cut_between_words_and_says_so(text: str, most: int, shown: str):
    assert excerpt(text, most) == shown


@given(st.text(), st.integers(1, 30))
def test_it_is_never_longer_than_it_may_be(text: str, most: int):
    made = excerpt(text, most)
    assert len(made) <= most
    assert made.removesuffix("…") in " ".join(text.split())
