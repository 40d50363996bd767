"""Runs the ASGI application on 127.0.0.1: in the foreground for the process, in a thread for tests."""

import socket
import threading
import time

import uvicorn
from starlette.types import ASGIApp

_KEEP_ALIVE_SECONDS = 75
_START_SECONDS = 60


class Server:
    """The socket is bound at once (port 0: the system chooses), so `endpoint` is known before `run`."""

    def __init__(self, app: ASGIApp, port: int = 0):
        self._socket = _listen(port)
        self.port: int = self._socket.getsockname()[1]
        self.endpoint = f"http://127.0.0.1:{self.port}"
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            lifespan="on",
            server_header=False,
            timeout_keep_alive=_KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=5,
        )
        self._server = uvicorn.Server(config)
        self._thread: threading.Thread | None = None

    def run(self) -> None:
        """Serves until `stop`, SIGTERM or SIGINT."""
        self._server.run(sockets=[self._socket])

    def start(self) -> None:
        """Serves in a thread of its own; returns when requests are answered."""
        self._thread = threading.Thread(target=self.run, name="localaws", daemon=True)
        self._thread.start()
        deadline = time.monotonic() + _START_SECONDS
        while not self._server.started:
            if not self._thread.is_alive() or time.monotonic() > deadline:
                raise RuntimeError("the embedded AWS did not start")
            time.sleep(0.005)

    def stop(self) -> None:
        self._server.should_exit = True
        if self._thread is not None:
            self._thread.join()
            self._socket.close()


def _listen(port: int) -> socket.socket:
    """The protocol is named because asyncio sets TCP_NODELAY only then (40 ms per call without)."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    listener.listen(512)
    return listener
