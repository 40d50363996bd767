"""How long a test waits for what must come. Patience costs nothing when all goes well, and a loaded machine needs it."""

import time
from collections.abc import Callable
from typing import TypeVar

PATIENCE_SECONDS = 60.0
_LOOK_SECONDS = 0.02

T = TypeVar("T")


def eventually(condition: Callable[[], T | None], seconds: float = PATIENCE_SECONDS) -> T:
    """What the condition gives once it is true."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"did not happen within {seconds:g} seconds"
        time.sleep(_LOOK_SECONDS)
    return found
