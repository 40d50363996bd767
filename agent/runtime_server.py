"""Serves the headless API until a signal comes; open streams end first."""

import errno
import socket
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

import uvicorn

from mlops.errors import Alternative, RequestError

# Streams end at once, other answers in less; whoever still holds a connection then is cut off.
_GRACE_SECONDS = 10


def bind(host: str, port: int) -> socket.socket:
    """A socket that listens already: who calls before the server has started only waits.

    RequestError with the next step when the address is taken or is not ours. Port 0: any.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Where TCP is not named, asyncio leaves a wait on that makes answers 40 ms slower.
    made = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind((host.strip("[]"), port))
        made.listen()
    except (OSError, OverflowError) as error:
        made.close()
        taken = isinstance(error, OSError) and error.errno == errno.EADDRINUSE
        said = f"Port {port} is taken." if taken else f"{host}:{port} is no address of ours."
        way = Alternative(kind="retry", message="Name another one with --host and --port")
        raise RequestError("bad_address", said, (way,)) from error
    return made


def server_of(app: Any, on_ready: Callable[[], None] = lambda: None) -> "RuntimeServer":
    """`run(sockets=[…])` blocks until SIGINT or SIGTERM; a second signal waits for nothing."""
    config = uvicorn.Config(
        app,
        ws="none",
        lifespan="on",
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )
    return RuntimeServer(config, app.state.tails.close, on_ready)


class RuntimeServer(uvicorn.Server):
    """uvicorn, which waits for open streams before it tells the application to end: it is told first."""

    def __init__(
        self, config: uvicorn.Config, end_streams: Callable[[], None], on_ready: Callable[[], None]
    ):
        super().__init__(config)
        self._end_streams = end_streams
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._on_ready()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """The signal is not raised again afterwards: the command has turns to wait for."""
        self.force_exit = self.should_exit
        self.should_exit = True
        # In a thread of its own: a signal may come while this one holds a lock.
        threading.Thread(target=self._end_streams, name="end-streams").start()
