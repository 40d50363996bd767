"""Sends waiting notices while this process lives: the webhook's address is a secret that Lambdas are not given."""

import threading
from collections.abc import Callable
from datetime import datetime

from mlops.aws.clients import Aws
from mlops.aws.notify import deliver_due, own_channels

LOOK_SECONDS = 3.0


class Courier:
    """A thread that looks into the outbox; `start` makes none where nothing is configured."""

    def __init__(self, aws: Aws, clock: Callable[[], datetime]):
        self._aws = aws
        self._clock = clock
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="courier", daemon=True)

    def start(self) -> "Courier":
        if own_channels(self._aws):
            self._thread.start()
        return self

    def close(self) -> None:
        """After one last look."""
        if self._thread.is_alive():
            self._ended.set()
            self._thread.join()

    def _run(self) -> None:
        while not self._ended.wait(LOOK_SECONDS):
            deliver_due(self._aws, self._clock)
        deliver_due(self._aws, self._clock)
