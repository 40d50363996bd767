"""Handlers as a Lambda runs them: settings from the environment, events in, JSON out."""

import json
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

import pytest

from agent.gate import approval_data
from mlops.aws import serve
from mlops.aws.clients import Aws
from mlops.aws.datasets import Datasets
from mlops.aws.events import EventLog
from mlops.aws.plans import Plans
from mlops.aws.sessions import Sessions
from mlops.aws.snapshots import Snapshots
from mlops.datasets import Metadata
from mlops.events import EventKind
from mlops.snapshot import unpack
from tests.mlops.aws.embedded import Clock, Embedded, FakeSageMaker
from workbench.decisions import DecisionLog

Invoke = Callable[..., dict[str, Any]]


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Embedded]:
    embedded = Embedded(tmp_path_factory.mktemp("embedded"))
    embedded.reset()
    Datasets(embedded.connect()).upload("people", {"train.tsv": _tsv()}, Metadata(title="People"))
    yield embedded
    embedded.close()


@pytest.fixture
def sagemaker() -> FakeSageMaker:
    return FakeSageMaker(serve.now)


@pytest.fixture
def clock() -> Clock:
    return Clock(serve.now())


@pytest.fixture
def aws(
    server: Embedded, sagemaker: FakeSageMaker, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Aws]:
    """The clients that the handlers use."""
    server.reset()
    for name, value in server.settings().to_env().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "local")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "local")
    serve.aws.cache_clear()
    serve.aws()._clients["sagemaker"] = sagemaker
    yield serve.aws()
    serve.aws.cache_clear()


@pytest.fixture
def invoke(aws: Aws) -> Invoke:
    """Calls a handler by name; the answer has been through JSON, as on the wire."""

    def call(name: str, **event: Any) -> dict[str, Any]:
        handler = import_module(f"lambdas.{name}").lambda_handler
        return json.loads(json.dumps(handler(event, None)))

    return call


@pytest.fixture
def planned(invoke: Invoke) -> dict[str, Any]:
    """A plan for a prepared dataset, as JSON."""
    invoke("prepare_dataset", dataset="people")
    constraints = {"budget_usd": "10.00", "metric": "f1", "target": 0.85}
    who = {"session_id": "s1", "turn": "t1", "person": "ada"}
    return invoke("plan_training", dataset="people", constraints=constraints, **who)["plan"]


@pytest.fixture
def approved(aws: Aws, clock: Clock, planned: dict[str, Any]) -> str:
    """A plan that a person approved, with the events that the agent writes; its id."""
    log, plans, name = EventLog(aws, clock), Plans(aws), planned["plan_id"]
    inputs = Snapshots(aws).find(name)
    assert inputs is not None
    Sessions(aws).open("s1", aws.settings.person, "A run", clock())
    digest = unpack(inputs)[1]
    log.append("s1", "t1", EventKind.PLAN, {"plan": planned, "inputs_sha256": digest})
    plan = plans.get(name)
    approved = approval_data(plan, "approved", plans.approve(plan, "ada", clock()))
    log.append("s1", "t1", EventKind.APPROVAL, approved)
    return name


@pytest.fixture
def plan_id(invoke: Invoke, sagemaker: FakeSageMaker, approved: str) -> str:
    """A run from the plan to its report."""
    job = invoke("launch_sagemaker_training", plan_id=approved, max_cost_cents=1000)["job"]
    sagemaker.train(job["job_name"])
    scores = {"eval_f1": 0.9, "test_f1": 0.9}
    sagemaker.end(job["job_name"], seconds=100, metrics=scores)
    invoke("on_training_event", detail={"TrainingJobName": job["job_name"]})
    return approved


@pytest.fixture
def decided(aws: Aws, clock: Clock) -> DecisionLog:
    return DecisionLog(aws, clock)


def _tsv() -> bytes:
    sentences = (f"Ada\tB-PER\nmet{n}\tO\nBabbage\tB-PER\n\n" for n in range(40))
    return "".join(sentences).encode()
