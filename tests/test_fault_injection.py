"""The main job with one AWS call of it gone wrong, every operation in turn: the turn ends right or is
taken up again, there is one job at most, and the ledger is exact. FAULTS=all tries every single call.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from agent.gateway import LambdaGateway
from localaws import stack
from mlops.aws import serve
from mlops.aws.clients import Aws
from mlops.aws.datasets import Datasets
from mlops.aws.sessions import LEASE, Sessions
from mlops.datasets import Metadata
from tests.faults import Fault, Wire, on_the_wire
from tests.mission import TRAIN, InProcess, Mission
from workbench import boot

ROOT = Path(__file__).resolve().parents[1]
# Those of an undisturbed mission, from the first words to the launch.
CHECKPOINTS = 21
# API calls of one mission; some vary by one or two with who is first.
CALLS = {
    "awspricelistservice.GetProducts": 3,
    "bedrock.converse-stream": 5,
    "dynamodb.BatchWriteItem": 1,
    "dynamodb.GetItem": 32,
    "dynamodb.PutItem": 34,
    "dynamodb.Query": 17,
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
EVERYTHING = os.environ.get("FAULTS") == "all"


def _cases() -> Iterator[tuple[str, int, Fault]]:
    """One call of each operation for each fault, spread over the mission; or all of them."""
    for operation, count in CALLS.items():
        for turn, fault in enumerate(Fault):
            some = 1 + turn * (count - 1) // (len(Fault) - 1)
            for number in range(1, count + 1) if EVERYTHING else [some]:
                yield operation, number, fault


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
def wire(monkeypatch: pytest.MonkeyPatch) -> Iterator[Wire]:
    """Without the heartbeats of leases: how many there are is a matter of time."""
    renew = Sessions.renew
    with on_the_wire() as made:

        def renew_unseen(*arguments: Any) -> bool:
            with made.unseen():
                return renew(*arguments)

        monkeypatch.setattr(Sessions, "renew", renew_unseen)
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
    # What is written by time, as the pieces of an answer, is more on a slow machine.
    assert {name: n for name, n in called.items() if n > 2 * CALLS.get(name, 0) + 2} == {}
    assert set(called) <= set(CALLS)


@pytest.mark.parametrize(("operation", "number", "fault"), list(_cases()))
def test_one_call_goes_wrong(back_end: Aws, wire: Wire, operation: str, number: int, fault: Fault):
    """How many calls a mission makes differs a little with time: one that made fewer is run again,
    with the call before."""
    by_wire = operation.startswith("lambda.")
    for nth in range(number, 0, -1):
        mission = Mission(back_end, wire, LambdaGateway if by_wire else InProcess)
        wire.arm(operation, nth, fault)
        mission.run()
        met = wire.met
        wire.disarm()
        mission.check()
        if met:
            return
    raise AssertionError(f"{operation} was never called")


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
