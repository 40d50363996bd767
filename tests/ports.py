"""Ports at which a server is found again after a restart, whatever else runs on the machine."""

import random
import socket
from pathlib import Path

from localaws import home as data

_PORTS = range(20_000, 32_000)
"""Below those that Linux hands out by itself: nobody is given one while its server is away."""


def lasting_port() -> int:
    while True:
        port = random.choice(_PORTS)
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                return port


def claim_with_port(home: Path) -> None:
    """A data directory of the embedded AWS whose server will answer at a lasting port."""
    data.claim(home)
    (home / data.PORT).write_text(str(lasting_port()))
