"""What a turn does becomes events in the session's log, each written once; streamed text goes beside it."""

import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

from agent.state import State
from mlops.aws.events import EventLog
from mlops.errors import FaultError
from mlops.events import EventKind
from mlops.workflow import WorkflowStep, step_of

_FLUSH_SECONDS = 0.15
_FLUSH_CHARS = 60
_STEPS_BEGIN = (EventKind.TOOL_CALL, EventKind.APPROVAL)


class LeaseLostError(FaultError):
    """Another process has taken the turn over; this one must write and do nothing more."""


class Journal:
    """`held` says whether the lease of a session's turn is still ours; without it nothing is written."""

    def __init__(
        self, log: EventLog, clock: Callable[[], datetime], held: Callable[[str, str], bool]
    ):
        self._log = log
        self._clock = clock
        self._held = held

    def note(
        self,
        state: State,
        kind: EventKind,
        data: dict[str, Any],
        key: str | None = None,
        turn: str | None = None,
    ) -> None:
        """Writes an event, and the workflow step that it begins; a key is written once a session.

        `turn` is where the event belongs, when that is not the turn that runs.
        """
        self.require_lease(state)
        step = step_of(kind, data) if kind in _STEPS_BEGIN else None
        if step is not None:
            self.step(state, step)
        place = state["session_id"], turn or state["turn"]
        self._log.append(*place, kind, data, once=key, person=state["person"])

    def step(self, state: State, step: WorkflowStep, **more: Any) -> None:
        key = f"step#{state['leg']}#{step}"
        self._log.append(
            state["session_id"], state["turn"], EventKind.STEP, {"step": step, **more}, once=key
        )

    def require_lease(self, state: State) -> None:
        if not self._held(state["session_id"], state["turn"]):
            raise LeaseLostError("lease_lost", "Another process has taken this turn over.")

    def stream(self, state: State) -> "TokenStream":
        return TokenStream(self._log, state["session_id"], state["turn"], self._clock)


class TokenStream:
    """Streamed text in batches; a callable for the model, closed by `flush`."""

    def __init__(
        self,
        log: EventLog,
        session_id: str,
        turn: str,
        clock: Callable[[], datetime],
        ticks: Callable[[], float] = time.monotonic,
    ):
        self._log = log
        self._session_id = session_id
        self._turn = turn
        self._clock = clock
        self._ticks = ticks
        self._buffer = ""
        self._seq = 0
        self._flushed_at = ticks()

    def __call__(self, text: str) -> None:
        self._buffer += text
        waited = self._ticks() - self._flushed_at
        if len(self._buffer) >= _FLUSH_CHARS or waited >= _FLUSH_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Numbers are milliseconds of the clock: they grow across turns and processes."""
        if not self._buffer:
            return
        self._seq = max(self._seq + 1, int(self._clock().timestamp() * 1000))
        self._log.append_tokens(self._session_id, self._turn, self._seq, self._buffer)
        self._buffer = ""
        self._flushed_at = self._ticks()
