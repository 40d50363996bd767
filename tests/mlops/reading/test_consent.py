"""A bare yes or no, and what only looks like one."""

import pytest

from mlops.reading.consent import approval
from mlops.reading.quantities import read


@pytest.mark.parametrize("text", ["yes", "go ahead", "ok do it", "ja bitte", "approve the plan"])
def test_yes(text: str):
    assert approval(read(text)) is True


@pytest.mark.parametrize(
    "text",
    ["no", "actually no", "forget it", "never mind", "cancel the plan", "brich ab", "verwirf den Plan",
     "nein danke", "no, not now"],
)  # fmt: skip
def test_no(text: str):
    assert approval(read(text)) is False


@pytest.mark.parametrize(
    "text", ["not now", "not yet", "noch nicht", "yes but $5", "no, on cier", "stop the job", "the plan", "", "don't stop it", "do not cancel the plan", "nicht abbrechen"]
)  # fmt: skip
def test_neither(text: str):
    assert approval(read(text)) is None
