"""The client's side of the embedded AWS: start it or join it, look at it, stop it, empty it.

One server per data directory: the lock decides, whoever starts at the same moment. The server
outlives the process that started it.
"""

import contextlib
import http.client
import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from infra.package import source_digest
from localaws import home as data
from localaws.own_routes import STATE_PATH
from mlops.errors import FaultError, RequestError

_ROOT = Path(__file__).resolve().parent.parent
_LOOK_SECONDS = 0.02
_HEALTH_SECONDS = 10.0
_STOP_SECONDS = 20.0
_LAST_LOG_CHARS = 600
_PERSONAL = ("LLMOPS_MONTHLY_LIMIT_USD", "LLMOPS_TEAM", "LLMOPS_TEAM_MONTHLY_LIMIT_USD")
_LOG = logging.getLogger(__name__)


class Endpoint(BaseModel):
    """A running embedded AWS; `environ` is all that boto3 and our settings need."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str
    pid: int
    port: int
    prefix: str

    @property
    def environ(self) -> dict[str, str]:
        return data.aws_environment(self.url) | data.back_end_environment(self.prefix)


class Status(BaseModel):
    """What `llmops local status` prints; `outdated`: it runs other code than is installed now."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    running: bool
    home: str
    endpoint: str | None = None
    pid: int | None = None
    port: int | None = None
    started_at: datetime | None = None
    version: int | None = None
    outdated: bool | None = None
    confinement: str | None = None


def ensure(home: Path, *, timeout_seconds: float = 60) -> Endpoint:
    """Joins the server of this data directory, or starts it and waits until it is ready.

    One that runs other code than ours is started anew, unless it is busy. Raises RequestError when
    the directory is not ours, FaultError when no server comes up.
    """
    home = home.resolve()
    data.claim(home)
    found = _ready(home)
    if found is not None and _is_outdated(found):
        found = _renewed(home, found)
    if found is None:
        found = _start(home, timeout_seconds)
    return Endpoint(url=found.endpoint, pid=found.pid, port=found.port, prefix=found.prefix)


def status(home: Path) -> Status:
    """`running` is true from the moment that a server holds the directory."""
    home = home.resolve()
    holder, found = data.lock_holder(home), data.announcement(home)
    if holder is None or found is None:
        return Status(running=holder is not None, home=str(home), pid=holder)
    return Status(
        running=True,
        home=str(home),
        endpoint=found.endpoint,
        pid=found.pid,
        port=found.port,
        started_at=found.started_at,
        version=found.version,
        outdated=_is_outdated(found),
        confinement=found.confinement or None,
    )


def stop(home: Path, *, timeout_seconds: float = _STOP_SECONDS) -> bool:
    """Stops the server and waits until it is gone; False when none ran. Jobs resume later."""
    home = home.resolve()
    holder = data.lock_holder(home)
    if holder is None:
        return False
    _end(home, holder, timeout_seconds)
    return True


def reset(home: Path) -> None:
    """Stops the server and deletes all state; refuses a directory that is not ours."""
    home = home.resolve()
    if not data.is_ours(home):
        raise RequestError(
            "home_not_ours", f"{home} is not a data directory of the embedded AWS: nothing done."
        )
    stop(home)
    lock = data.acquire_lock(home)
    if lock is None:
        raise FaultError("local_busy", f"Another process just started on {home}. Try again.")
    try:
        data.withdraw(home)
        for name in data.STATE:
            _delete(home / name)
    finally:
        os.close(lock)


def _start(home: Path, timeout_seconds: float) -> data.Announcement:
    """Whoever else starts at the same moment gets the same server."""
    deadline = time.monotonic() + timeout_seconds
    started: subprocess.Popen[bytes] | None = None
    while (found := _ready(home)) is None:
        if started is not None and started.poll() is not None:
            if started.returncode != data.EXIT_TAKEN:
                raise FaultError("local_failed", _why(home))
            started = None
        if started is None and data.lock_holder(home) is None:
            started = _spawn(home)
        if time.monotonic() > deadline:
            raise FaultError("local_slow", f"No answer in {timeout_seconds:g} s. {_why(home)}")
        time.sleep(_LOOK_SECONDS)
    return found


def _ready(home: Path) -> data.Announcement | None:
    found = data.announcement(home)
    return found if found is not None and _answers(found.port) else None


def _is_outdated(found: data.Announcement) -> bool:
    return found.code != source_digest(_ROOT)


def _renewed(home: Path, found: data.Announcement) -> data.Announcement | None:
    """None once it is stopped; a busy server is kept."""
    if _is_busy(found):
        _LOG.warning(
            "The embedded AWS (process %d) runs other code than is installed now. It is busy and"
            " is kept; `llmops local stop` ends it, and the next command starts it anew.",
            found.pid,
        )
        return found
    _LOG.info("The embedded AWS (process %d) runs other code: started anew.", found.pid)
    _end(home, found.pid, _STOP_SECONDS)
    return None


def _is_busy(found: data.Announcement) -> bool:
    """An older server, which cannot say, counts as busy; one that is gone does not."""
    try:
        status, body = _get(found.port, STATE_PATH, {"Authorization": f"Bearer {found.token}"})
        return status != 200 or bool(json.loads(body)["busy"])
    except ConnectionRefusedError:
        return False
    except (OSError, http.client.HTTPException, ValueError):
        return True


def _answers(port: int) -> bool:
    try:
        return _get(port, "/_local/health", {})[0] == 200
    except (OSError, http.client.HTTPException):
        return False


def _get(port: int, path: str, headers: dict[str, str]) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_HEALTH_SECONDS)
    with contextlib.closing(connection):
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read()


def _spawn(home: Path) -> "subprocess.Popen[bytes]":
    with (home / data.LOG).open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "localaws", "--home", str(home)],
            cwd=home,
            env=_server_environment(os.environ),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    threading.Thread(target=process.wait, daemon=True).start()  # leaves no zombie behind
    return process


def _server_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Without the person's AWS configuration: the server must never find a real account. Without
    their limits and team: those are stored, and count for whoever else joins as well."""
    kept = {
        name: value
        for name, value in environ.items()
        if not name.startswith("AWS_") and name not in _PERSONAL
    }
    nowhere = {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
    return kept | nowhere | {"PYTHONPATH": str(_ROOT)}


def _why(home: Path) -> str:
    log = home / data.LOG
    text = log.read_text(errors="replace")[-_LAST_LOG_CHARS:] if log.exists() else ""
    return f"The log {log} ends with: {text.strip()}"


def _end(home: Path, holder: int, timeout_seconds: float) -> None:
    """Ends this server, and never one that took its place meanwhile."""
    _signal(holder, signal.SIGTERM)
    if _gone(home, holder, timeout_seconds):
        return
    _signal(holder, signal.SIGKILL)
    if not _gone(home, holder, timeout_seconds):
        raise FaultError("local_stuck", f"Process {holder} does not end.")


def _gone(home: Path, holder: int, timeout_seconds: float) -> bool:
    deadline = time.monotonic() + timeout_seconds
    while data.lock_holder(home) == holder:
        if time.monotonic() > deadline:
            return False
        time.sleep(_LOOK_SECONDS)
    return True


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def _delete(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
