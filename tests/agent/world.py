"""One session's surroundings: tables and saver stay, `turns(...)` is a process."""

from datetime import UTC, datetime
from typing import Any

import boto3
from langgraph.checkpoint.memory import InMemorySaver

from agent.turns import Turns
from mlops.aws.clients import Aws
from mlops.aws.events import EventLog
from mlops.events import Event, verify
from tests.agent.fakes import FakeGateway, ScriptedModel
from tests.patience import PATIENCE_SECONDS


def clock() -> datetime:
    return datetime.now(UTC)


def credentials() -> boto3.Session:
    return boto3.Session(
        aws_access_key_id="test", aws_secret_access_key="test", region_name="us-east-1"
    )


class World:
    def __init__(self, aws: Aws):
        self.aws = aws
        self.gateway = FakeGateway(aws)
        self.saver: Any = InMemorySaver()
        self.log = EventLog(aws, clock)
        self.session = f"s-{aws.settings.person}"
        self.now = clock
        self._open: list[Turns] = []

    def turns(self, *script: Any, **settings: Any) -> Turns:
        return self.turns_of(ScriptedModel(*script), **settings)

    def turns_of(self, model: Any, **settings: Any) -> Turns:
        aws = Aws(self.aws.settings.model_copy(update=settings), self.aws.session)
        made = Turns(aws, self.gateway, lambda: self.now(), "tests", model, self.saver)
        self._open.append(made)
        return made

    def ask(self, turns: Turns, text: str) -> list[Event]:
        """The events that one turn adds, from beginning to end."""
        after = len(self.events())
        assert turns.wait(turns.submit(self.session, text), PATIENCE_SECONDS)
        return self.events()[after:]

    def decide(self, turns: Turns, plan_id: str, approve: bool = True) -> list[Event]:
        after = len(self.events())
        turn = turns.approve(plan_id, "ada") if approve else turns.decline(plan_id, "ada")
        assert turns.wait(turn, PATIENCE_SECONDS)
        return self.events()[after:]

    def events(self) -> list[Event]:
        events = self.log.tail(self.session)
        assert verify(events) is None
        return events

    def close(self) -> None:
        for turns in self._open:
            turns.close()


def kinds(events: list[Event]) -> list[str]:
    return [str(event.kind) for event in events if event.kind != "step"]


def last(events: list[Event], kind: str) -> dict[str, Any]:
    return next(event.data for event in reversed(events) if event.kind == kind)


def plan_id(events: list[Event]) -> str:
    return last(events, "plan")["plan"]["plan_id"]


def errors(events: list[Event]) -> list[str]:
    """Codes of failed calls, in order."""
    results = [e.data for e in events if e.kind == "tool_result"]
    return [data["error"]["code"] for data in results if not data["ok"]]
