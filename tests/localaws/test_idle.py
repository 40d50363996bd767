"""What keeps the server awake: calls from outside, not its own."""

import threading

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.testclient import TestClient

from localaws.home import INTERNAL_APP_ID
from localaws.idle import OutsideCalls


@pytest.fixture
def calls() -> OutsideCalls:
    async def answer(request: Request) -> Response:
        return Response("ok")

    return OutsideCalls(Starlette(routes=[Route("/{path:path}", answer)]))


def rest(calls: OutsideCalls) -> float:
    threading.Event().wait(0.05)
    return calls.idle_seconds()


def test_outside_calls_count(calls: OutsideCalls):
    waited = rest(calls)
    TestClient(calls).get("/")
    assert calls.idle_seconds() < waited


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
def test_own_calls_and_health_do_not(calls: OutsideCalls, path: str, agent: str):
    waited = rest(calls)
    TestClient(calls).get(path, headers={"user-agent": agent})
    assert calls.idle_seconds() >= waited
