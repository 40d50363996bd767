"""A workbench that plays events from a script: for tests of how the command tells them."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

from mlops.errors import FaultError, OpsError
from mlops.events import Event, EventKind
from mlops.job import Job, JobState
from mlops.plan import Plan
from tests.factories import NOW, a_job, a_plan

SESSION, TURN = "session-1", "turn-1"


def event(kind: EventKind, seq: int = 1, **data: Any) -> Event:
    return Event(session=SESSION, seq=seq, turn=TURN, kind=kind, at=NOW, data=data, hash="h")


def waiting(plan: Plan) -> dict[str, Any]:
    """The data of an approval that waits."""
    return {
        "plan_id": plan.plan_id,
        "status": "waiting",
        "ceiling_usd": plan.ceiling_usd,
        "budget_usd": plan.budget_usd,
    }


def finished(plan: Plan, f1: float = 0.91) -> Job:
    """The first stage of a plan, ended well."""
    return a_job(
        plan,
        state=JobState.COMPLETED,
        billed_seconds=16,
        cost_usd="0.000512",
        ended_at=NOW + timedelta(seconds=20),
        metrics={
            "eval_f1": f1,
            "test_f1": f1,
            "test_f1_low": f1 - 0.02,
            "test_f1_high": f1 + 0.02,
        },
        model_uri="s3://llmops-models/final/x/output/model.tar.gz",
        settled=True,
    )


class ScriptedBench:
    """`asked` plays after a question, `approved` after an approval; a `failure` is raised instead.

    The back end is `down` for so many reads, after the first event.
    """

    settings = SimpleNamespace(bedrock_model_id="local.planner-v1")

    def __init__(
        self,
        asked: list[tuple[EventKind, dict[str, Any]]] | None = None,
        approved: list[tuple[EventKind, dict[str, Any]]] | None = None,
        failure: OpsError | None = None,
        interrupt: bool = False,
        down: int = 0,
    ):
        self.asked, self.approved = asked or [], approved or []
        self.failure = failure
        self.interrupt = interrupt
        self.down = down
        self.calls: list[tuple[str, Any]] = []
        self.stored = a_plan()
        self._told = 0
        self._now: list[tuple[EventKind, dict[str, Any]]] = []

    def model_note(self) -> str:
        return ""

    def new_session(self) -> str:
        return SESSION

    def last_event(self, session_id: str) -> int:
        return 0

    def ask(self, text: str, session_id: str) -> str:
        self._note("ask", text)
        self._now = self.asked
        return TURN

    def approve(self, plan_id: str) -> str:
        self._note("approve", plan_id)
        self._now = self.approved
        return TURN

    def stored_plan(self, plan_id: str) -> Plan:
        self._note("stored_plan", plan_id)
        return self.stored

    def follow(
        self,
        session_id: str,
        turn: str,
        after: int,
        plan_id: str | None,
        on_idle: Callable[[], None],
    ) -> Iterator[Event]:
        first = 1 if self._now is self.asked else 1 + len(self.asked)
        if after < self._told:
            self._read()
        for seq, (kind, data) in enumerate(self._now, first):
            if seq > self._told > 0:
                self._read()
            on_idle()
            self._told = max(self._told, seq)
            yield event(kind, seq, **data)
        if self.interrupt:
            raise KeyboardInterrupt

    def resume(self) -> int:
        self.calls.append(("resume", None))
        return 0

    def reconnect(self) -> None:
        self.calls.append(("reconnect", None))

    def job(self, name: str) -> Job:
        self._read()
        return a_job(self.stored)

    def close(self) -> None:
        self.calls.append(("close", None))

    def _read(self) -> None:
        if self.down > 0:
            self.down -= 1
            raise FaultError("aws_unreachable", "AWS could not be reached.")

    def _note(self, name: str, value: Any) -> None:
        self.calls.append((name, value))
        if self.failure is not None:
            raise self.failure
