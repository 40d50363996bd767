"""Handlers as a Lambda runs them: settings from the environment, events in, JSON out."""

import json
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

import pytest

from mlops.aws import serve
from mlops.aws.clients import Aws
from mlops.aws.datasets import Datasets
from mlops.datasets import Metadata
from tests.mlops.aws.embedded import Clock, Embedded, FakeSageMaker

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


def _tsv() -> bytes:
    sentences = (f"Ada\tB-PER\nmet{n}\tO\nBabbage\tB-PER\n\n" for n in range(40))
    return "".join(sentences).encode()
