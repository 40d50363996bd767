"""The server process of the embedded AWS: `python -m localaws --home DIR`, until SIGTERM or idle."""

import argparse
import logging
import os
import secrets
import signal
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path

from infra.package import source_digest
from localaws import confinement
from localaws import home as data
from localaws.composition import ROOT, Stack, compose
from localaws.provision import provision
from mlops.errors import RequestError

_IDLE_MINUTES = 30.0
_LOOK_SECONDS = 2.0
_LOG = logging.getLogger("localaws")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m localaws", description=__doc__)
    parser.add_argument("--home", type=Path, required=True, help="data directory")
    parser.add_argument("--idle-minutes", type=float, default=_IDLE_MINUTES)
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    home = options.home.resolve()
    try:
        data.claim(home)
    except RequestError as error:
        _LOG.error("%s", error.message)
        return data.EXIT_REFUSED
    lock = data.acquire_lock(home)
    if lock is None:
        _LOG.info("another server holds %s", home)
        return data.EXIT_TAKEN
    data.withdraw(home)
    _serve(home, options.idle_minutes * 60)
    os.close(lock)
    return 0


def _serve(home: Path, idle_seconds: float) -> None:
    ending = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ending.set())
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    code, token = source_digest(ROOT), secrets.token_urlsafe(32)
    stack = compose(home, token)
    stack.server.start()
    try:
        provision(stack.services, stack.wanted, home)
        stack.start()
        _announce(home, stack, code, token)
        names = list(stack.wanted.handlers)
        threading.Thread(target=stack.functions.prewarm, args=(names,), daemon=True).start()
        _wait(stack, ending, idle_seconds)
    finally:
        data.withdraw(home)
        stack.close()


def _announce(home: Path, stack: Stack, code: str, token: str) -> None:
    announcement = data.Announcement(
        endpoint=stack.server.endpoint,
        pid=os.getpid(),
        port=stack.server.port,
        token=token,
        started_at=datetime.now(UTC),
        version=data.FORMAT,
        prefix=stack.wanted.settings.prefix,
        code=code,
        confinement=confinement.kind(),
    )
    data.announce(home, announcement)
    _LOG.info("ready at %s", announcement.endpoint)


def _wait(stack: Stack, ending: threading.Event, idle_seconds: float) -> None:
    while not ending.wait(_LOOK_SECONDS):
        if stack.calls.idle_seconds() > idle_seconds and not stack.is_busy():
            _LOG.info("idle for %.0f minutes: good night", idle_seconds / 60)
            return


if __name__ == "__main__":
    sys.exit(main())
