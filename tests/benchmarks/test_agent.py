"""The arithmetic of the agent's benchmark: time less what ran side by side, and what a cache saves."""

import pytest

from benchmarks.agent import covered
from benchmarks.agent_tokens import CHARS_PER_TOKEN, _split

POINT = {"cachePoint": {"type": "default"}}


@pytest.mark.parametrize(
    ("spans", "seconds"),
    [
        ([], 0),
        ([(0, 2), (5, 6)], 3),
        ([(0, 4), (1, 2)], 4),
        ([(3, 5), (0, 4)], 5),
    ],
)
def test_what_runs_side_by_side_counts_once(spans: list[tuple[float, float]], seconds: float):
    assert covered(spans) == seconds


def test_a_prefix_is_written_once_and_read_afterwards():
    seen: set[str] = set()
    first, second = _request("a" * 4_000), _request("a" * 4_000, "b" * 400)
    whole, read, written = _split(first, seen, least=100)
    assert (read, written) == (0, whole)
    longer, read, written = _split(second, seen, least=100)
    assert read == whole
    assert written == longer - whole
    assert longer - whole == pytest.approx(400 / CHARS_PER_TOKEN, abs=10)


def test_a_short_prefix_is_not_kept():
    seen: set[str] = set()
    for _ in range(2):
        assert _split(_request("a" * 40), seen, least=100)[1:] == (0, 0)


def _request(*texts: str) -> dict[str, object]:
    """A conversation whose last message carries the cache point, as the agent sends it."""
    blocks = [{"text": text} for text in texts]
    return {
        "system": [{"text": "s"}, POINT],
        "messages": [{"role": "user", "content": [*blocks, POINT]}],
    }
