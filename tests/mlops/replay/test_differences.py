"""Every place where two values differ, with both values; nothing where they do not."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops.replay.differences import Findings, differences

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(JSON)
def test_a_value_equals_itself(value: object):
    assert differences(1, "x", value, value) == []


@given(JSON, JSON)
def test_others_differ_somewhere(one: object, other: object):
    same = json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    assert bool(differences(1, "x", one, other)) != same


def test_paths_and_values():
    stored = {"a": [1, {"b": "x"}], "gone": 1}
    found = differences(7, "plan", stored, {"a": [1, {"b": "y"}, 2], "new": None})
    assert [(d.path, d.stored, d.replayed) for d in found] == [
        ("a[1].b", "x", "y"),
        ("a[2]", "(nothing)", "2"),
        ("gone", "1", "(nothing)"),
        ("new", "(nothing)", "None"),
    ]
    assert {d.seq for d in found} == {7}


@pytest.mark.parametrize(("one", "other"), [(1, True), (1, 1.0), ("1", 1), ([], {})])
def test_another_type_is_another_value(one: object, other: object):
    assert len(differences(1, "x", one, other)) == 1


def test_long_values_are_cut():
    [found] = differences(1, "x", "a" * 9_999, "b")
    assert len(found.stored) < 300


def test_findings_count():
    found = Findings()
    found.compare("plans", 1, "x", 1, 2)
    found.compare("plans", 2, "x", 1, 1)
    found.skip("x", "why")
    assert (found.checked, len(found.differences), found.skipped) == ({"plans": 2}, 1, ["x: why"])
