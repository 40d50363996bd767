"""Around the screens: hosts, health, and turns that are taken up again."""

import threading

import anyio
import pytest
from starlette.applications import Starlette
from starlette.types import Message
from streamlit import config

from app import server, session
from mlops.errors import FaultError
from tests.fake_workbench import FakeWorkbench


def status_of(path: str, host: str, environ: dict[str, str] | None = None) -> int:
    """One GET through middleware and routes, without a server."""
    app = Starlette(routes=list(server.ROUTES), middleware=server.middleware(environ or {}))
    answers: list[Message] = []
    scope = {
        "type": "http",
        "method": "GET",
        "path": path,
        "headers": [(b"host", host.encode())],
        "query_string": b"",
    }

    async def receive() -> Message:
        return {"type": "http.request", "body": b""}

    async def send(message: Message) -> None:
        answers.append(message)

    anyio.run(app, scope, receive, send)
    return answers[0]["status"]


@pytest.mark.parametrize("host", ["localhost:8501", "127.0.0.1"])
def test_our_own_hosts_are_answered(host: str) -> None:
    assert status_of("/healthz", host) == 200


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/_stcore/health"])
def test_strangers_hosts_are_refused_on_every_route(path: str) -> None:
    assert status_of(path, "attacker.example") == 400


def test_more_hosts_come_from_the_environment() -> None:
    environ = {"LLMOPS_ALLOWED_HOSTS": "ops.example, ,lab.example"}
    assert status_of("/healthz", "lab.example", environ) == 200
    assert status_of("/healthz", "other.example", environ) == 400
    assert config.get_option("server.allowedHosts")[-2:] == ["ops.example", "lab.example"]


def test_readiness_waits_for_the_back_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "_ready", threading.Event())
    monkeypatch.setattr(server, "_settle_memory", lambda: None)
    assert status_of("/readyz", "localhost") == 503
    stop = threading.Event()

    def resume() -> int:
        stop.set()
        return 1

    server.resume_turns(stop, 0, resume)
    assert status_of("/readyz", "localhost") == 200


def test_a_fault_while_resuming_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "_ready", threading.Event())
    monkeypatch.setattr(server, "_settle_memory", lambda: None)
    monkeypatch.setattr(session, "workbench", FakeWorkbench)
    stop, tries = threading.Event(), []

    def resume() -> int:
        tries.append(1)
        if len(tries) == 1:
            raise RuntimeError("away")
        stop.set()
        return 0

    server.resume_turns(stop, 0, resume)
    assert len(tries) == 2


@pytest.mark.parametrize("lost", [True, False])
def test_only_a_back_end_that_does_not_answer_is_given_up(
    monkeypatch: pytest.MonkeyPatch, lost: bool
) -> None:
    fake, forgotten = FakeWorkbench(), []
    fake.failure = FaultError("unreachable", "No answer.") if lost else None
    monkeypatch.setattr(session, "workbench", lambda: fake)
    monkeypatch.setattr(session, "forget_workbench", lambda: forgotten.append(1))
    stop = threading.Event()

    def resume() -> int:
        stop.set()
        raise FaultError("unreachable", "No answer.")

    server.resume_turns(stop, 0, resume)
    assert bool(forgotten) is lost
