"""One person against a hostile model: real graph, gate, gateway, functions and embedded AWS; only the model is scripted."""

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from agent.gateway import LambdaGateway
from agent.turns import Turns
from mlops.aws.books import verify
from mlops.aws.clients import Aws
from mlops.aws.events import EventLog
from mlops.aws.jobs import Jobs
from mlops.aws.ledger import Ledger
from mlops.aws.plans import Plans
from mlops.events import Event
from mlops.events import verify as verify_chain
from mlops.ledger import person_scope
from mlops.money import parse_usd
from mlops.settings import Settings
from tests.agent.converse_server import Script, connect, in_order, says, serve, uses
from tests.agent.world import clock
from tests.patience import PATIENCE_SECONDS

PRICED = "global.anthropic.claude-sonnet-5-5"
TRAIN = "Train NER on cier-small. Budget: $10, Time: 1 hour, F1 score > 40%"
QUESTION = "Is there anything new?"
SECRET = "wJalrXUtnFEMI-not-for-anyone"
_ENDS = ("answer", "error", "approval")
_MAX_EVENT_CHARS = 300_000


@dataclass
class Person:
    """A new person with a session of their own; `told` are the requests that the model got."""

    aws: Aws
    session: str
    told: list[dict[str, Any]] = field(default_factory=list)

    def turn(self, script: Script, text: str = QUESTION) -> list[Event]:
        """One turn against the script; the protocol's rules hold, and it ends with a clear word."""
        with self.turns(script) as turns:
            return self.ask(turns, text)

    @contextmanager
    def turns(self, script: Script) -> Iterator[Turns]:
        with serve(script) as server:
            turns = Turns(
                connect(self.aws, server.url), LambdaGateway(self.aws), clock, uuid.uuid4().hex
            )
            try:
                yield turns
            finally:
                turns.close()
                self.told += server.requests
        assert server.refused == []

    def ask(self, turns: Turns, text: str) -> list[Event]:
        after = len(self.events())
        assert turns.wait(turns.submit(self.session, text), PATIENCE_SECONDS)
        return self.ended(self.events()[after:])

    def decide(self, turns: Turns, plan_id: str, approve: bool) -> list[Event]:
        after = len(self.events())
        act = turns.approve if approve else turns.decline
        assert turns.wait(act(plan_id, self.aws.settings.person), PATIENCE_SECONDS)
        return self.ended(self.events()[after:])

    def plan(self) -> str:
        """Asks for a plan, which then waits for approval; its id."""
        events = self.turn(in_order(make_plan, launch_latest, says("Shall I?")), TRAIN)
        return last(events, "plan")["plan"]["plan_id"]

    def ended(self, events: list[Event]) -> list[Event]:
        """Whatever a turn did: a last word, one `done`, events that can be shown, exact money."""
        kinds = [str(event.kind) for event in events if event.kind != "step"]
        assert kinds[-1] == "done" and kinds.count("done") == 1
        ends = [kind for kind in kinds if kind in _ENDS]
        assert ends, kinds
        word = next(e.data for e in reversed(events) if e.kind in _ENDS)
        assert word.get("text") or word.get("message") or word.get("plan_id"), word
        for event in events:
            shown = json.dumps(event.data, ensure_ascii=False)
            assert len(shown) < _MAX_EVENT_CHARS
            assert SECRET not in shown
            assert "\\u0000" not in shown and "\\ud8" not in json.dumps(event.data)
        assert verify(self.aws, datetime.now(UTC)) == []
        return events

    def jobs(self) -> list[str]:
        return [job.job_name for job in Jobs(self.aws).of_person(self.aws.settings.person)]

    def spent_micro(self) -> int:
        totals = Ledger(self.aws).totals(person_scope(self.aws.settings.person, clock()))
        if totals is None:
            return 0
        assert totals.spent_micro + totals.reserved_micro <= totals.limit_micro
        assert totals.limit_micro <= parse_usd("50")
        return totals.spent_micro

    def approval(self, plan_id: str) -> Any:
        return Plans(self.aws).approval(plan_id)

    def events(self) -> list[Event]:
        events = EventLog(self.aws, clock).tail(self.session)
        assert verify_chain(events) is None
        return events

    def goes_on(self) -> None:
        """Afterwards the same conversation answers an honest question."""
        events = self.turn(
            in_order(uses(("get_costs", {})), says("You spent nothing on training."))
        )
        assert last(events, "answer")["text"] == "You spent nothing on training."


def person(aws: Aws, **settings: Any) -> Person:
    name = f"p{uuid.uuid4().hex[:8]}"
    changed = aws.settings.model_copy(update={"person": name, **settings})
    return Person(Aws(changed, aws.session), f"s-{name}")


def settings_of(environ: dict[str, str]) -> Settings:
    return Settings.from_env(environ, bedrock_model_id=PRICED, price_max_age_days=36_500)


def last(events: list[Event], kind: str) -> dict[str, Any]:
    return next(event.data for event in reversed(events) if event.kind == kind)


def refusals(events: list[Event]) -> list[str]:
    results = [e.data for e in events if e.kind == "tool_result"]
    return [data["error"]["code"] for data in results if not data["ok"]]


def plan_of(body: dict[str, Any]) -> dict[str, Any]:
    """The latest plan that the conversation holds."""
    plans = [
        block["toolResult"]["content"][0]["json"]["plan"]
        for message in body["messages"]
        for block in message["content"]
        if "plan" in block.get("toolResult", {"content": [{}]})["content"][0].get("json", {})
    ]
    return plans[-1]


def launch_latest(body: dict[str, Any]) -> dict[str, Any]:
    return uses(("launch_sagemaker_training", {"plan_id": plan_of(body)["plan_id"]}))


def make_plan(body: dict[str, Any]) -> dict[str, Any]:
    return uses(("plan_training", {"dataset": "cier-small"}))
