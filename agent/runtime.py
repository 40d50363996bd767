"""The headless API on the AgentCore Runtime contract: requests start turns and stream their events as SSE.

A request starts its turn in the turn runner and then only tails the log: a client that leaves ends
its stream, never the mission.
"""

import logging
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import anyio.to_thread
from bedrock_agentcore.runtime import BedrockAgentCoreApp, PingStatus, RequestContext
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from agent.runtime_auth import access_of, guards
from agent.runtime_frames import read_payload
from agent.runtime_response import FrameResponse
from agent.runtime_routes import Routes, answer, explain, problem_of
from agent.runtime_streams import Streams
from agent.runtime_tails import MOST_STREAMS, Tails
from agent.services import Services
from mlops.errors import OpsError, RequestError

RESUME_EVERY_SECONDS = 10.0
# Every open stream holds a thread, and so does /ping: some are always left.
_THREADS = MOST_STREAMS + 56

_LOG = logging.getLogger(__name__)


def create_app(
    services: Services,
    host: str = "127.0.0.1",
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    revive: Callable[[], None] = lambda: None,
) -> BedrockAgentCoreApp:
    """The app, for a server at `host`; RefusedError when strangers could reach that.

    `revive` is called when the back end could not be reached. `app.state.tails.close()` ends the
    open streams.
    """
    access = access_of(services.settings, host)
    tails = Tails(services.aws, clock)
    streams = Streams(services, tails, clock)

    @asynccontextmanager
    async def lifespan(_: Any) -> AsyncIterator[None]:
        anyio.to_thread.current_default_thread_limiter().total_tokens = _THREADS
        stop = threading.Event()
        resume = threading.Thread(
            target=_resume_turns, args=(services, stop, revive), name="resume", daemon=True
        )
        resume.start()
        yield
        stop.set()
        await anyio.to_thread.run_sync(tails.close)

    app = BedrockAgentCoreApp(lifespan=lifespan, middleware=guards(access))
    app.state.tails = tails
    app.entrypoint(_entry(streams))
    app.ping(lambda: PingStatus.HEALTHY_BUSY if services.turns.is_busy() else PingStatus.HEALTHY)
    for path, act in Routes(services, tails, clock).by_path.items():
        app.add_route(path, answer(act), methods=["GET"])
    app.add_exception_handler(HTTPException, _unknown_route)
    app.add_exception_handler(Exception, _fault)
    return app


def _entry(streams: Streams) -> Callable[[Any, RequestContext], Any]:
    """The framework wants a function of `payload` and `context`, called by just these names."""

    def invoke(payload: Any, context: RequestContext) -> Any:
        try:
            return FrameResponse(streams.start(read_payload(payload, context.session_id)))
        except Exception as error:
            return problem_of(explain(error))

    return invoke


def _resume_turns(services: Services, stop: threading.Event, revive: Callable[[], None]) -> None:
    """Takes up turns whose process died, now and then every few seconds."""
    while not stop.is_set():
        try:
            if taken_up := services.turns.resume_orphans():
                _LOG.warning("took up %d interrupted turns", taken_up)
        except Exception as error:
            _LOG.warning("could not look for interrupted turns: %s", explain(error).message)
            _try(revive)
        stop.wait(RESUME_EVERY_SECONDS)


def _try(revive: Callable[[], None]) -> None:
    try:
        revive()
    except OpsError as error:
        _LOG.warning("the back end could not be brought back: %s", error.message)


async def _unknown_route(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    said = RequestError("unknown_route", "There is nothing here.")
    return problem_of(said, error.status_code)


async def _fault(_: Request, error: Exception) -> Response:
    return problem_of(explain(error))
