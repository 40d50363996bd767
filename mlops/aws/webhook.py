"""One JSON document to one web address: no redirects, no retries, and a bounded time whatever the other side does."""

import http.client
import json
import socket
import ssl
import threading
from collections.abc import Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import SplitResult, urlsplit

SECONDS = 8.0
THREAD_NAME = "webhook"
_STEP_SECONDS = 4.0
_SECURE, _SECURE_PORT, _PLAIN_PORT = "https", 443, 80


def post(url: str, body: Mapping[str, Any], seconds: float = SECONDS) -> str:
    """ "" when it was taken, else why not; the address, which is a secret, is in no answer.

    http.client writes no log, and a thread bounds even an answer that comes in drop by drop.
    """
    sending = _Sending(url, body)
    sending.start()
    sending.join(seconds)
    if sending.is_alive():
        sending.give_up()
        return f"no answer within {seconds:g} seconds"
    return sending.outcome


class _Sending(threading.Thread):
    """Sends once. `_wire` is a second handle on the connection: with it another thread ends a
    read, or a handshake, that would go on for ever."""

    def __init__(self, url: str, body: Mapping[str, Any]):
        super().__init__(name=THREAD_NAME, daemon=True)
        self.outcome = "it could not be sent"
        self._url = url
        self._body = json.dumps(body).encode()
        self._wire: socket.socket | None = None
        self._is_given_up = False

    def run(self) -> None:
        try:
            status = self._status()
        except (OSError, http.client.HTTPException, ValueError) as error:
            self.outcome = f"it could not be reached ({type(error).__name__})"
            return
        self.outcome = "" if 200 <= status < 300 else f"it answered {status}"

    def give_up(self) -> None:
        """First says so, then looks for a connection: one made meanwhile is seen by either side."""
        self._is_given_up = True
        wire = self._wire
        if wire is not None:
            with suppress(OSError):
                wire.shutdown(socket.SHUT_RDWR)

    def _status(self) -> int:
        parts = urlsplit(self._url)
        port = parts.port or (_SECURE_PORT if parts.scheme == _SECURE else _PLAIN_PORT)
        address = parts.hostname or "", port
        with socket.create_connection(address, _STEP_SECONDS) as plain, plain.dup() as wire:
            self._wire = wire
            if self._is_given_up:
                raise TimeoutError
            with _secured(plain, parts) as sock:
                return self._ask(sock, parts)

    def _ask(self, sock: socket.socket, parts: SplitResult) -> int:
        connection = http.client.HTTPConnection(parts.netloc.rpartition("@")[2])
        connection.sock = sock
        path = f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}"
        headers = {"Content-Type": "application/json", "User-Agent": "llmops"}
        connection.request("POST", path, self._body, headers)
        with connection.getresponse() as response:
            return response.status


def _secured(plain: socket.socket, parts: SplitResult) -> socket.socket:
    if parts.scheme != _SECURE:
        return plain
    context = ssl.create_default_context()
    return context.wrap_socket(plain, server_hostname=parts.hostname)
