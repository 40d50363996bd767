"""What surrounds the screens in their process: health routes, the Host check, start-up work, faults.

Start-up work runs in a thread of its own: turns whose process died are taken up again, at once
and then every ten seconds.
"""

import gc
import logging
import os
import threading
import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import streamlit as st
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from streamlit import config

from app import session
from mlops.errors import FaultError, OpsError

HOSTS = ("localhost", "127.0.0.1")
RESUME_EVERY_SECONDS = 10.0

_log = logging.getLogger(__name__)
_ready = threading.Event()


async def healthz(request: Request) -> JSONResponse:
    """The process answers."""
    return JSONResponse({"status": "ok"})


async def readyz(request: Request) -> JSONResponse:
    """200 once the back end was reached, 503 before."""
    ready = _ready.is_set()
    return JSONResponse({"ready": ready}, status_code=200 if ready else 503)


ROUTES = (Route("/healthz", healthz), Route("/readyz", readyz))


def middleware(environ: Mapping[str, str] = os.environ) -> list[Middleware]:
    """Refuses strangers' Host headers on every route; Streamlit's own list guards its websocket."""
    added = [h.strip() for h in environ.get("LLMOPS_ALLOWED_HOSTS", "").split(",") if h.strip()]
    hosts = [*HOSTS, *added]
    config.set_option("server.allowedHosts", hosts)
    return [Middleware(TrustedHostMiddleware, allowed_hosts=hosts)]


@asynccontextmanager
async def lifespan(app: st.App) -> AsyncIterator[dict[str, Any]]:
    """Starts the resuming thread; at the end, running turns may finish."""
    stop = threading.Event()
    thread = threading.Thread(target=resume_turns, args=(stop,), name="resume", daemon=True)
    thread.start()
    yield {}
    stop.set()
    if _ready.is_set():
        session.workbench().close()


def resume_turns(
    stop: threading.Event,
    pause_seconds: float = RESUME_EVERY_SECONDS,
    resume: Callable[[], int] | None = None,
) -> None:
    """Takes up orphaned turns until told to stop; a fault is logged and tried again."""
    while not stop.is_set():
        try:
            taken_up = (resume or session.workbench().resume)()
        except OpsError as error:
            _log.error("Could not look for interrupted turns: %s", error.message)
            _let_go_if_lost()
        except Exception:
            _log.exception("Could not look for interrupted turns")
            _let_go_if_lost()
        else:
            if taken_up:
                _log.info("Took up %d interrupted turns", taken_up)
            if not _ready.is_set():
                _settle_memory()
                _ready.set()
        stop.wait(pause_seconds)


def explain_fault(fault: Exception) -> bool:
    """A fault of ours on a screen: a number to find it by, the trace in the log alone."""
    number = uuid.uuid4().hex[:8]
    _log.error("Fault %s on a screen", number, exc_info=fault)
    st.error(f"Something went wrong on our side (fault {number}; the server's log has details).")
    return True


def _let_go_if_lost() -> None:
    """A back end that does not answer is given up, so that the next look starts or joins one."""
    try:
        session.workbench().sessions()
    except FaultError:
        session.forget_workbench()
    except OpsError:
        return


def _settle_memory() -> None:
    """What was imported by now stays: the collector need not look at it again."""
    gc.collect()
    gc.freeze()
