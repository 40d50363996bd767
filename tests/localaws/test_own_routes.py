"""Beyond AWS the server answers its owner only."""

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from localaws.own_routes import STATE_PATH, OwnRoutes


@pytest.fixture
def client() -> TestClient:
    inner = Starlette(routes=[Route("/{path:path}", lambda _: PlainTextResponse("AWS"))])
    return TestClient(OwnRoutes(inner, "secret", lambda: True))


def test_state_with_the_token(client: TestClient):
    answer = client.get(STATE_PATH, headers={"Authorization": "Bearer secret"})
    assert (answer.status_code, answer.json()) == (200, {"busy": True})
    assert client.post(STATE_PATH, headers={"Authorization": "Bearer secret"}).status_code == 405


@pytest.mark.parametrize("sent", [None, "Bearer", "Bearer wrong", "Bearer secretly", "Bearer ü"])
def test_nothing_without_it(client: TestClient, sent: str | None):
    headers = {} if sent is None else {b"Authorization": sent.encode()}
    answer = client.get(STATE_PATH, headers=headers)
    assert answer.status_code == 403
    assert "busy" not in answer.text


def test_all_else_is_aws(client: TestClient):
    assert client.get("/anything").text == "AWS"
