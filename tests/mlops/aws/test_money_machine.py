"""However launches, ends, calls, crashes and clocks fall together: no scope exceeds its limit, the books
add up, and in the end nothing stays reserved. MONEY_STEPS=200000 makes the run longer."""

import logging
import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import cast

import pytest
from hypothesis import HealthCheck, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.mlops.aws.in_process import Dynamo
from tests.mlops.aws.money_machine import Money

STEPS = int(os.environ.get("MONEY_STEPS", "10000"))
PARTS = 4
STEPS_OF_ONE = 50


@pytest.fixture
def silence() -> Iterator[None]:
    """What goes wrong is meant to: no line for each of thousands."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.usefixtures("silence")
@pytest.mark.parametrize("part", range(PARTS))
def test_money_is_safe_whatever_happens(
    tmp_path: Path, part: int, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("mlops.aws.events.random.uniform", lambda *_: 0.0)
    monkeypatch.setattr("mlops.aws.launch._pause", lambda _: None)
    monkeypatch.setattr("mlops.aws.launch._LOOKS", 2)
    dynamo, before = Dynamo(tmp_path), Money.steps
    run_state_machine_as_test(
        cast(type[Money], seed(part)(partial(Money, dynamo))),
        settings=settings(
            max_examples=-(-STEPS * 6 // (5 * PARTS * STEPS_OF_ONE)),
            stateful_step_count=STEPS_OF_ONE,
            database=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
        ),
    )
    dynamo.store.close()
    assert Money.steps - before >= STEPS // PARTS
