"""The Pareto front against its definition."""

from hypothesis import given
from hypothesis import strategies as st

from mlops.pareto import front

POINTS = st.lists(st.tuples(*[st.integers(0, 6)] * 3), max_size=30)


def dominates(a: tuple[int, ...], b: tuple[int, ...]) -> bool:
    return a != b and all(x <= y for x, y in zip(a, b, strict=True))


@given(POINTS)
def test_the_front_is_what_nothing_dominates(points: list[tuple[int, int, int]]):
    wanted = {p for p in points if not any(dominates(q, p) for q in points)}
    found = front(points, lambda p: p)
    assert set(found) == wanted
    assert len(found) == len(wanted)
