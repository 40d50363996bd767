"""One person's request for the main job, carried through faults as the person and AWS would; what must hold after."""

import json
import uuid
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from importlib import import_module
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from agent.gateway import LambdaGateway
from agent.turns import Turns
from mlops.aws import books
from mlops.aws.clients import Aws
from mlops.aws.events import EventLog
from mlops.aws.jobs import Jobs
from mlops.aws.ledger import Ledger
from mlops.aws.repair import repair
from mlops.aws.sessions import LEASE, Sessions
from mlops.errors import FaultError, OpsError, RefusedError, from_wire
from mlops.events import Event, EventKind, verify
from mlops.job import job_name
from mlops.ledger import person_scope
from mlops.money import parse_usd
from tests.faults import Wire
from tests.patience import PATIENCE_SECONDS, eventually

TRAIN = "Train NER on tiny. Budget: $5, Time: 1 hour, F1 score > 50%"
_ROUNDS = 6


class InProcess(LambdaGateway):
    """The tools' handlers run here, so that what they call meets the faults too."""

    def invoke_tool(self, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        handler = import_module(f"lambdas.{name}").lambda_handler
        try:
            body = json.loads(json.dumps(handler(json.loads(json.dumps(arguments)), None)))
        except Exception as error:
            raise FaultError("tool_failed", f"{name} failed: {error}") from error
        if "error" in body:
            raise from_wire(body)
        return body


class Mission:
    """One person's request on one back end, carried through as the person and AWS would."""

    def __init__(self, aws: Aws, wire: Wire, gateway: type[LambdaGateway]):
        person = f"p{uuid.uuid4().hex[:8]}"
        self.aws = Aws(aws.settings.model_copy(update={"person": person}), aws.session)
        self.session = f"s-{person}"
        self.wire = wire
        self.later = timedelta()
        self.turns = Turns(self.aws, gateway(self.aws), self.now, f"worker-{person}")

    def now(self) -> datetime:
        return datetime.now(UTC) + self.later

    def run(self) -> None:
        """Until there is a report; whatever fails on the way is taken up again, later."""
        for _ in range(_ROUNDS):
            with suppress(OpsError, ClientError, BotoCoreError):
                self.turns.resume_orphans()
                self.let_turns_end()
                self.say_what_is_next()
                self.let_turns_end()
            self.let_aws_act()
            if self.count(EventKind.REPORT):
                return
            self.later += 10 * LEASE
        told = [(str(e.kind), e.data.get("code") or e.data.get("text")) for e in self.events()]
        raise AssertionError(f"no report: {told[-25:]}")

    def say_what_is_next(self) -> None:
        """Approves the plan that there is, and again when that failed; else asks, and asks again."""
        if self.job_names():
            return
        plan_id = self.latest_plan()
        if plan_id is not None:
            try:
                self.turns.approve(plan_id, self.aws.settings.person)
                return
            except RefusedError as error:
                if error.code != "approval_used":
                    raise
        self.turns.submit(self.session, TRAIN)
        self.let_turns_end()
        if (made := self.latest_plan()) not in (None, plan_id):
            self.turns.approve(made, self.aws.settings.person)

    def latest_plan(self) -> str | None:
        plans = [e.data["plan"]["plan_id"] for e in self.events() if e.kind == EventKind.PLAN]
        return plans[-1] if plans else None

    def let_turns_end(self) -> None:
        for turn in {event.turn for event in self.events()}:
            assert self.turns.wait(turn, PATIENCE_SECONDS)

    def let_aws_act(self) -> None:
        """The job ends; its event comes up to three times; the watchdog comes when that was not enough."""
        handler = import_module("lambdas.on_training_event").lambda_handler
        for name in self.job_names():
            self.wait_for(name)
            for _ in range(3):
                with suppress(Exception):
                    handler({"detail": {"TrainingJobName": name}}, None)
                    break
        if not self.count(EventKind.REPORT):
            self.later += timedelta(minutes=3)
            with suppress(OpsError):
                repair(self.aws, self.now)

    def wait_for(self, name: str) -> None:
        with self.wire.unseen():
            eventually(lambda: self.state_of(name) != "InProgress")

    def state_of(self, name: str) -> str:
        client = self.aws.client("sagemaker")
        return client.describe_training_job(TrainingJobName=name)["TrainingJobStatus"]

    def job_names(self) -> list[str]:
        """What SageMaker has, whether or not it is recorded."""
        plans = {e.data["plan"]["plan_id"] for e in self.events() if e.kind == EventKind.PLAN}
        with self.wire.unseen():
            found = [job_name(plan, "tiny", 1, 1) for plan in sorted(plans)]
            return [name for name in found if Jobs(self.aws).observe(name) is not None]

    def events(self) -> list[Event]:
        with self.wire.unseen():
            return EventLog(self.aws, self.now).tail(self.session)

    def count(self, kind: EventKind) -> int:
        return sum(event.kind == kind for event in self.events())

    def check(self) -> None:
        """What must hold whatever went wrong."""
        self.later += 10 * LEASE
        self.turns.resume_orphans()
        self.let_turns_end()
        person = self.aws.settings.person
        (name,) = self.job_names()
        (job,) = Jobs(self.aws).of_person(person)
        assert (job.job_name, job.settled) == (name, True)
        assert books.verify(self.aws, self.now()) == []
        month = Ledger(self.aws).totals(person_scope(person, self.now()))
        assert month is not None and month.reserved_micro == 0
        assert month.spent_micro >= parse_usd(job.cost_usd or "0") > 0
        assert self.count(EventKind.REPORT) == 1
        assert verify(self.events()) is None
        session = Sessions(self.aws).get(self.session)
        assert session is not None and session.turn is None
        turn = self.turns.submit(self.session, "What did we spend?")
        assert self.turns.wait(turn, PATIENCE_SECONDS)
        assert [e.kind for e in self.events() if e.turn == turn][-2:] == ["answer", "done"]
