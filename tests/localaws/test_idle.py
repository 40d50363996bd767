"""What keeps the server awake: calls from outside, not its own."""

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.testclient import TestClient

from localaws.home import INTERNAL_APP_ID
from localaws.idle import OutsideCalls


class Ticks:
    """A stopwatch by hand."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def ticks() -> Ticks:
    return Ticks()


@pytest.fixture
def calls(ticks: Ticks) -> OutsideCalls:
    async def answer(request: Request) -> Response:
        return Response("ok")

    return OutsideCalls(Starlette(routes=[Route("/{path:path}", answer)]), ticks)


def test_outside_calls_count(calls: OutsideCalls, ticks: Ticks):
    ticks.now = 60
    assert calls.idle_seconds() == 60
    TestClient(calls).get("/")
    assert calls.idle_seconds() == 0


def test_open_calls_are_counted_while_they_are_answered():
    seen: list[int] = []

    async def answer(request: Request) -> Response:
        seen.append(calls.open_calls())
        return Response("ok")

    calls = OutsideCalls(Starlette(routes=[Route("/", answer)]))
    TestClient(calls).get("/")
    assert (seen, calls.open_calls()) == ([1], 0)


@pytest.mark.parametrize(
    ("path", "agent"),
    [("/", f"Boto3/1.44 md/x app/{INTERNAL_APP_ID}"), ("/_local/health", "curl")],
)
def test_own_calls_and_health_do_not(calls: OutsideCalls, ticks: Ticks, path: str, agent: str):
    ticks.now = 60
    TestClient(calls).get(path, headers={"user-agent": agent})
    assert calls.idle_seconds() == 60
