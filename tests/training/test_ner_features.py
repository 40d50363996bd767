"""What the CRF sees of a token."""

from hypothesis import given
from hypothesis import strategies as st

from training.ner_features import featurize


def test_a_single_token_is_both_ends() -> None:
    (features,) = featurize(["Fieber"])
    assert {"begin", "end", "0w=fieber", "0shape=Xx", "s4=eber", "0title"} <= set(features)


def test_neighbours_and_shape() -> None:
    middle = featurize(["bei", "BRCA-2b", "Patient"])[1]
    assert {"-1w=bei", "+1w=patient", "0shape=X-9x", "0digit"} <= set(middle)
    assert "begin" not in middle and "end" not in middle


@given(st.lists(st.text(min_size=1), min_size=1, max_size=8))
def test_any_text_gives_one_list_per_token(tokens: list[str]) -> None:
    rows = featurize(tokens)
    assert len(rows) == len(tokens)
    assert all(isinstance(feature, str) for row in rows for feature in row)
