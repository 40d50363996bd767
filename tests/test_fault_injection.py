"""The main job with one AWS call of it gone wrong, every operation in turn: the turn ends right or is
taken up again, there is one job at most, and the ledger is exact. FAULTS=all tries every single call.
"""

import json
import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from agent.gateway import LambdaGateway
from agent.turns import Turns
from localaws import stack
from mlops.aws import books, serve
from mlops.aws.clients import Aws
from mlops.aws.datasets import Datasets
from mlops.aws.events import EventLog
from mlops.aws.jobs import Jobs
from mlops.aws.ledger import Ledger
from mlops.aws.repair import repair
from mlops.aws.sessions import LEASE, Sessions
from mlops.datasets import Metadata
from mlops.errors import FaultError, OpsError, RefusedError, from_wire
from mlops.events import Event, EventKind, verify
from mlops.job import job_name
from mlops.ledger import person_scope
from mlops.money import parse_usd
from tests.faults import Fault, Wire, on_the_wire
from workbench import boot

pytestmark = pytest.mark.xdist_group("faults")

TRAIN = "Train NER on tiny. Budget: $5, Time: 1 hour, F1 score > 50%"
PATIENCE_SECONDS = 30
ROOT = Path(__file__).resolve().parents[1]
_ROUNDS = 6
# Those of an undisturbed mission, from the first words to the launch.
CHECKPOINTS = 21
# API calls of one mission; some vary by one or two with who is first.
CALLS = {
    "awspricelistservice.GetProducts": 3,
    "bedrock.converse-stream": 5,
    "dynamodb.BatchWriteItem": 1,
    "dynamodb.GetItem": 34,
    "dynamodb.PutItem": 36,
    "dynamodb.Query": 18,
    "dynamodb.TransactWriteItems": 41,
    "dynamodb.UpdateItem": 8,
    "s3.GET": 2,
    "sagemaker.CreateTrainingJob": 1,
    "sagemaker.DescribeTrainingJob": 1,
    "sagemaker.ListTrainingJobs": 5,
    "servicequotasv20190624.ListServiceQuotas": 4,
    "lambda.check-sagemaker-quotas": 1,
    "lambda.launch-sagemaker-training": 1,
    "lambda.list-s3-datasets": 1,
    "lambda.plan-training": 1,
    "lambda.prepare-dataset": 1,
}
_A_MOMENT = threading.Event()
EVERYTHING = os.environ.get("FAULTS") == "all"


def _cases() -> Iterator[tuple[str, int, Fault]]:
    """One call of each operation for each fault, spread over the mission; or all of them."""
    for operation, count in CALLS.items():
        for turn, fault in enumerate(Fault):
            some = 1 + turn * (count - 1) // (len(Fault) - 1)
            for number in range(1, count + 1) if EVERYTHING else [some]:
                yield operation, number, fault


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
        deadline = time.monotonic() + PATIENCE_SECONDS
        with self.wire.unseen():
            while self.state_of(name) == "InProgress" and time.monotonic() < deadline:
                _A_MOMENT.wait(0.02)

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


@pytest.fixture(scope="module")
def back_end(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aws]:
    """An embedded AWS whose own events lead nowhere: the tests carry them, to see them fail."""
    home = tmp_path_factory.mktemp("faults") / "home"
    services = boot.services(home, {})
    events = services.aws.client("events")
    events.put_rule(Name="llmops-on-training-event", EventPattern='{"source": ["nobody"]}')
    events.put_rule(Name="llmops-watchdog", ScheduleExpression="rate(30 days)")
    text = "".join(f"Ada\tB-PER\nmet{n}\tO\nBabbage\tB-PER\n\n" for n in range(40))
    Datasets(services.aws).upload("tiny", {"train.tsv": text.encode()}, Metadata(title="Tiny"))
    LambdaGateway(services.aws).invoke_tool("prepare_dataset", {"dataset": "tiny"})
    yield services.aws
    boot.close(services)
    stack.stop(home)


@pytest.fixture(autouse=True)
def lambda_environment(back_end: Aws, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Settings, endpoint and credentials as every function has them."""
    keys = back_end.session.get_credentials()
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", keys.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", keys.secret_key)
    function = back_end.client("lambda").get_function_configuration(FunctionName="llmops-watchdog")
    for variable, value in function["Environment"]["Variables"].items():
        monkeypatch.setenv(variable, value)
    monkeypatch.setenv("AWS_ENDPOINT_URL", str(back_end.settings.endpoint_url))
    serve.aws.cache_clear()
    yield
    serve.aws.cache_clear()


@pytest.fixture
def wire() -> Iterator[Wire]:
    with on_the_wire() as made:
        yield made


@pytest.mark.parametrize("gateway", [LambdaGateway, InProcess])
def test_every_call_of_an_undisturbed_mission_is_one_that_is_tried(
    back_end: Aws, wire: Wire, gateway: type[LambdaGateway]
):
    mission = Mission(back_end, wire, gateway)
    wire.disarm()
    mission.run()
    called = wire.disarm()
    mission.check()
    assert set(called) <= set(CALLS)
    assert all(called[operation] <= CALLS[operation] + 2 for operation in called)


@pytest.mark.parametrize(("operation", "number", "fault"), list(_cases()))
def test_one_call_goes_wrong(back_end: Aws, wire: Wire, operation: str, number: int, fault: Fault):
    by_wire = operation.startswith("lambda.")
    mission = Mission(back_end, wire, LambdaGateway if by_wire else InProcess)
    wire.arm(operation, number, fault)
    mission.run()
    assert wire.met
    wire.disarm()
    mission.check()


@contextmanager
def doomed(mission: Mission, number: int) -> Iterator[str]:
    """What a process says that hangs at a checkpoint: an odd one is lost, an even one was written.
    It is killed afterwards."""
    arguments = [mission.aws.settings.person, mission.session, TRAIN, str(number)]
    with subprocess.Popen(
        [sys.executable, "-m", "tests.doomed_mission", *arguments, str(number % 2 == 0)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.send_signal(signal.SIGKILL)


@pytest.mark.parametrize("number", range(1, CHECKPOINTS + 1))
def test_a_process_killed_at_any_checkpoint_is_made_good(back_end: Aws, wire: Wire, number: int):
    mission = Mission(back_end, wire, LambdaGateway)
    with doomed(mission, number) as said:
        assert said == "hanging"
    mission.later = 2 * LEASE
    mission.run()
    mission.check()


def test_there_are_no_more_checkpoints(back_end: Aws, wire: Wire):
    with doomed(Mission(back_end, wire, LambdaGateway), CHECKPOINTS + 1) as said:
        assert said == "done"
