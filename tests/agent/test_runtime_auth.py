"""Who may call the headless API: token, host, origin, body size, and what a stranger learns."""

import json

import pytest

from agent.runtime_auth import MAX_BODY_BYTES, access_of
from mlops.errors import RefusedError, RequestError
from mlops.settings import Settings, is_loopback
from tests.agent.runtime_client import serving
from tests.agent.world import World

TOKEN = "correct horse battery staple"
ORIGIN = "https://ops.example.com"


def test_without_the_token_nothing_is_told(world: World):
    with serving(world, serve_token=Settings.from_env({}, serve_token=TOKEN).serve_token) as api:
        for said in ({}, _bearer("wrong"), _bearer(""), {"Authorization": f"Basic {TOKEN}"}):
            answer = api.get("/sessions", **said)
            assert (answer.status, answer.json()["error"]["code"]) == (401, "unauthorized")
            assert answer.headers["WWW-Authenticate"] == "Bearer"
        assert api.post({"prompt": "Hello!"}).status == 401
        assert api.get("/nowhere").status == 401
        assert api.get("/sessions", **_bearer(TOKEN)).status == 200
        assert api.get("/ping").status == 200
    assert world.events() == []


@pytest.mark.parametrize(
    ("origins", "origin", "allowed"),
    [(ORIGIN, ORIGIN, True), (ORIGIN, "https://evil.com", False), ("", ORIGIN, False)],
)
def test_a_preflight_is_answered_for_known_origins(
    world: World, origins: str, origin: str, allowed: bool
):
    asks = {"Origin": origin, "Access-Control-Request-Method": "POST"}
    with serving(world, serve_origins=origins) as api:
        answer = api.pool.request("OPTIONS", f"{api.url}/invocations", headers=asks)
    assert (answer.status == 200) is allowed
    assert answer.headers.get("Access-Control-Allow-Origin") == (origin if allowed else None)


def test_a_page_elsewhere_cannot_start_anything(world: World):
    """A browser sends a simple request without asking first: the origin gives it away."""
    body = {"prompt": "Hello!", "session": world.session}
    with serving(world) as api:
        for origin in ("https://evil.com", "null"):
            assert api.post(body, {"Origin": origin}).status == 403
        assert world.events() == []
        assert api.post(body, {"Origin": api.url}).status == 200


def test_a_refusal_can_be_read_by_a_known_origin(world: World):
    settings = Settings.from_env({}, serve_token=TOKEN)
    with serving(world, serve_token=settings.serve_token, serve_origins=ORIGIN) as api:
        answer = api.get("/sessions", Origin=ORIGIN)
    assert (answer.status, answer.headers["Access-Control-Allow-Origin"]) == (401, ORIGIN)


def test_a_name_that_was_rebound_to_loopback_is_refused(world: World):
    with serving(world) as api:
        port = api.url.rpartition(":")[2]
        assert api.get("/sessions", Host=f"evil.com:{port}").status == 421
        assert api.get("/sessions", Host=f"localhost:{port}").status == 200


@pytest.mark.parametrize("body", [b"{", b"", b"\xff", b"[" * 100_000, b'{"prompt": }'])
def test_what_is_no_json_is_400(world: World, body: bytes):
    with serving(world) as api:
        answer = api.post(body)
    assert (answer.status, answer.json()["error"]["code"]) == (400, "bad_json")


def test_a_body_has_a_limit(world: World):
    with serving(world) as api:
        answer = api.post(b" " * (MAX_BODY_BYTES + 1))
        assert (answer.status, answer.json()["error"]["code"]) == (413, "body_too_large")
        large = json.dumps({"prompt": "x" * 9_999, "session": "s"}).encode()
        padded = large + b" " * (MAX_BODY_BYTES - len(large))
        assert api.post(padded).status == 200


def test_unknown_routes_and_methods_say_little(world: World):
    with serving(world) as api:
        for method, path, status in (
            ("GET", "/docs", 404),
            ("GET", "/openapi.json", 404),
            ("GET", "/invocations", 405),
            ("DELETE", "/sessions", 405),
        ):
            answer = api.pool.request(method, api.url + path)
            assert (answer.status, answer.json()["error"]["code"]) == (status, "unknown_route")


def test_a_websocket_is_not_opened(world: World):
    upgrade = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    }
    with serving(world) as api:
        assert api.get("/ws", **upgrade).status in (403, 404)


@pytest.mark.parametrize("host", ["0.0.0.0", "10.0.0.7", "::", "example.com"])
def test_others_are_let_in_with_a_token_alone(host: str):
    with pytest.raises(RefusedError) as raised:
        access_of(Settings(), host)
    ways = " ".join(way.message for way in raised.value.alternatives)
    assert "LLMOPS_SERVE_TOKEN" in ways
    assert not access_of(Settings.from_env({}, serve_token=TOKEN), host).loopback
    assert access_of(Settings(serve_platform_auth=True), host).token is None


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "127.0.0.2"])
def test_loopback(host: str):
    assert is_loopback(host)
    assert access_of(Settings(), host).loopback


@pytest.mark.parametrize("origins", ["*", "example.com", "https://a.com/path", "https://a.com,*"])
def test_an_origin_is_named_exactly(origins: str):
    with pytest.raises(RequestError):
        access_of(Settings(serve_origins=origins), "127.0.0.1")


def test_a_short_token_is_refused_by_name_and_the_token_is_no_output():
    with pytest.raises(RequestError) as raised:
        Settings.from_env({"LLMOPS_SERVE_TOKEN": "hunter2"})
    assert "LLMOPS_SERVE_TOKEN" in raised.value.message
    assert "hunter2" not in raised.value.message
    settings = Settings.from_env({"LLMOPS_SERVE_TOKEN": TOKEN})
    assert TOKEN not in f"{settings!r} {settings.model_dump_json()} {settings.to_env()}"


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}
