"""A notice to a web address: whatever the other side does, no thread and no connection is left behind."""

import socket
import threading
from collections.abc import Iterator

import pytest

from mlops.aws.webhook import THREAD_NAME, post
from tests.patience import PATIENCE_SECONDS, eventually

BEGINNINGS = {
    "http": b"HTTP/1.1 200 OK\r\n",
    # A handshake record of 16 KiB of which only drops follow.
    "https": b"\x16\x03\x03\x40\x00",
}
DROPS = {"http": b"X: y\r\n", "https": b"\x00"}


class Dripping:
    """Answers drop by drop and without end; `left` is set when its client has gone."""

    def __init__(self, scheme: str) -> None:
        self.left = threading.Event()
        self._scheme = scheme
        self._closing = threading.Event()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"{scheme}://127.0.0.1:{self._listening.getsockname()[1]}/secret?x=1"
        self._thread = threading.Thread(target=self._drip)
        self._thread.start()

    def close(self) -> None:
        self._closing.set()
        self._thread.join(PATIENCE_SECONDS)
        self._listening.close()
        assert not self._thread.is_alive()

    def _drip(self) -> None:
        connection, _ = self._listening.accept()
        with connection:
            connection.recv(65_536)
            try:
                connection.sendall(BEGINNINGS[self._scheme])
                while not self._closing.wait(0.02):
                    connection.sendall(DROPS[self._scheme])
            except OSError:
                self.left.set()


@pytest.fixture(params=["http", "https"])
def dripping(request: pytest.FixtureRequest) -> Iterator[Dripping]:
    made = Dripping(request.param)
    yield made
    made.close()


def test_a_dripping_server_keeps_neither_thread_nor_connection(dripping: Dripping):
    answer = post(dripping.url, {"text": "x"}, seconds=0.3)
    assert answer == "no answer within 0.3 seconds"
    assert dripping.left.wait(PATIENCE_SECONDS)
    eventually(lambda: all(thread.name != THREAD_NAME for thread in threading.enumerate()))


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_nobody_there(scheme: str):
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        answer = post(f"{scheme}://127.0.0.1:{deaf.getsockname()[1]}/secret", {})
    assert answer.startswith("it could not be reached") and "secret" not in answer
