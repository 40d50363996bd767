"""A hundred launches from four processes want ten dollars: ten get one each, all are settled."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.money import contest
from localaws import stack
from mlops.money import parse_usd


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    made = tmp_path / "home"
    yield made
    stack.stop(made)


def test_concurrent_launches_share_a_limit_and_never_exceed_it(home: Path):
    found = contest(home, launches=100, processes=4, limit_usd="10")
    assert found.accepted == 10 == found.settled
    assert found.refused == {"over_budget": 90}
    assert found.without_alternatives == 0
    assert found.most_reserved_micro == parse_usd("10")
    assert 0 < found.spent_micro < parse_usd("10")
    assert found.reserved_micro == 0
    assert found.disagreements == ()
