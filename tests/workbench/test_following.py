"""When a stream of events ends: with its turn, with its plan's report, or because nobody is left."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from mlops.errors import FaultError
from mlops.events import Event, EventKind
from tests.workbench.scripted import SESSION, TURN, event
from workbench.following import Follower


class Played(Follower):
    """The log is a list of batches, one a poll; `alive` and `open` say what the back end would."""

    def __init__(self, *batches: list[Event], alive: bool = True, is_open: bool = True):
        self._clock = lambda: datetime.now(UTC)
        self._pause = lambda seconds: None
        self._batches: Iterator[list[Event]] = iter(batches)
        self._alive, self._plan_open = alive, is_open

    def running_turn(self, session_id: str) -> Any:
        return object() if self._alive else None

    def _tail(self, session_id: str, after: int) -> list[Event]:
        return next(self._batches, [])

    def _is_open(self, plan_id: str) -> bool:
        return self._plan_open


def kinds(follower: Follower, plan_id: str | None = None, **more: Any) -> list[str]:
    on_idle = more.get("on_idle")
    return [e.kind.value for e in follower.follow(SESSION, TURN, 0, plan_id, on_idle)]


ANSWER = event(EventKind.ANSWER, 1, text="Done.")
DONE = event(EventKind.DONE, 2)
REPORT = event(EventKind.REPORT, 4, plan_id="plan-1")
OTHER = event(EventKind.REPORT, 3, plan_id="plan-0")


def test_a_turn_ends_with_done():
    assert kinds(Played([ANSWER], [], [DONE], [], [REPORT])) == ["answer", "done"]


def test_a_plan_is_followed_past_its_turn_to_its_own_report():
    found = kinds(Played([ANSWER, DONE], [], [OTHER], [], [REPORT]), "plan-1")
    assert found == ["answer", "done", "report", "report"]


def test_an_error_of_the_plan_ends_it():
    error = event(EventKind.ERROR, 3, plan_id="plan-1")
    assert kinds(Played([ANSWER, DONE], [error], [REPORT]), "plan-1")[-1] == "error"


def test_a_plan_that_never_started_is_not_waited_for():
    refused = event(EventKind.ERROR, 1, code="over_budget")
    assert kinds(Played([refused, DONE], is_open=False), "plan-1") == ["error", "done"]


def test_a_report_written_between_two_looks_is_not_lost():
    assert kinds(Played([ANSWER, DONE], [REPORT], is_open=False), "plan-1")[-1] == "report"


def test_a_turn_whose_process_died_is_a_fault():
    with pytest.raises(FaultError, match="ended without an answer"):
        kinds(Played([event(EventKind.USER, 1, text="x")], alive=False))


def test_idle_time_is_handed_out():
    idle: list[int] = []
    kinds(Played([], [], [DONE]), on_idle=lambda: idle.append(1))
    assert len(idle) == 2
