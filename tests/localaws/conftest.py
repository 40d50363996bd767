"""The embedded AWS in this process: every answer is checked against botocore's own output shape."""

import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore import xform_name
from botocore.config import Config
from botocore.loaders import create_loader
from botocore.model import ServiceModel
from botocore.validate import ParamValidator

from localaws.bedrock_models import BedrockModels
from localaws.cloudwatch import CloudWatch
from localaws.dynamodb import DynamoDb
from localaws.logs import Logs
from localaws.pricing import Pricing
from localaws.quota_requests import QuotaRequests
from localaws.quotas import Quotas
from localaws.s3 import S3
from localaws.server import Server
from localaws.sns import Sns
from localaws.store import Store
from localaws.sts import Sts
from localaws.wire import create_app
from tests.localaws.buckets import BUCKET
from tests.localaws.things import TABLE, spec


class Clock:
    """Epoch seconds that a test can move."""

    def __init__(self):
        self.seconds = datetime(2026, 11, 22, 12, tzinfo=UTC).timestamp()

    def __call__(self) -> float:
        return self.seconds


class Checked:
    """A service whose outputs must fit the operation's shape: no unknown, missing or mistyped member."""

    def __init__(self, service: Any):
        self.service_name: str = service.service_name
        self.raw_json: bool = getattr(service, "raw_json", False)
        self._service = service
        names: Any = model(self.service_name).operation_names
        self._operations = {xform_name(name): name for name in names}

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._service, name)
        shape: Any = model(self.service_name).operation_model(self._operations[name]).output_shape

        def call(request: Any) -> Any:
            output = method(request)
            assert not problems(output, shape)
            return output

        return call


class Local:
    """A running server, its clients, and the clock of DynamoDB, S3 and Logs."""

    def __init__(self, home: Path):
        self.home = home
        self.clock = Clock()
        self.store = Store(home)
        self.s3 = S3(self.store, self.clock)
        quotas = Quotas(home)
        self.services = [
            DynamoDb(self.store, self.clock),
            CloudWatch(self.store),
            Logs(self.store, self.clock),
            quotas,
            QuotaRequests(self.store, quotas),
            Pricing(),
            Sts(),
            Sns(self.store, home / "outbox"),
            BedrockModels(),
        ]
        self.server = Server(create_app([Checked(service) for service in self.services], self.s3))
        self.server.start()
        self._clients: dict[str, Any] = {}

    def service(self, name: str) -> Any:
        return next(s for s in self.services if s.service_name == name)

    def client(self, name: str) -> Any:
        if name not in self._clients:
            self._clients[name] = new_client(self.server.endpoint, name)
        return self._clients[name]

    def close(self) -> None:
        for client in self._clients.values():
            client.close()
        self.server.stop()
        self.store.close()


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Local]:
    local = Local(tmp_path_factory.mktemp("localaws"))
    yield local
    local.close()


@pytest.fixture(scope="module")
def db(local: Any) -> Any:
    client = local.client("dynamodb")
    client.create_table(**spec(TABLE))
    return client


@pytest.fixture
def pk() -> str:
    return uuid.uuid4().hex


@pytest.fixture(scope="module")
def s3(local: Any) -> Any:
    client = local.client("s3")
    client.create_bucket(Bucket=BUCKET)
    return client


@pytest.fixture
def key() -> str:
    return f"raw/{uuid.uuid4().hex}/ä b+c&d%.txt"


@pytest.fixture(scope="module")
def connect() -> Callable[..., Any]:
    """A client of its own for another endpoint."""
    return new_client


def new_client(endpoint: str, name: str, *, attempts: int = 1, **config: Any) -> Any:
    return boto3.Session().client(
        name,
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id="local",
        aws_secret_access_key="local",
        config=Config(retries={"total_max_attempts": attempts}, max_pool_connections=20, **config),
    )


def problems(output: dict[str, Any], shape: Any) -> list[str]:
    """What does not fit an output shape, by botocore's own validator; event streams aside.

    Least values and lengths bind requests only (AWS itself answers 0 there), and a training job
    that runs has no artifacts yet, whatever the model says.
    """
    if shape is None:
        return []
    streams = {n for n, m in shape.members.items() if m.serialization.get("eventstream")}
    plain = {name: value for name, value in output.items() if name not in streams}
    report = ParamValidator().validate(plain, shape).generate_report().splitlines()
    unknown = [name for name in plain if name not in shape.members]
    tolerated = ("valid min", '"ModelArtifacts"')
    return unknown + [line for line in report if not any(text in line for text in tolerated)]


@cache
def model(service_name: str) -> ServiceModel:
    return ServiceModel(
        create_loader().load_service_model(service_name, "service-2"), service_name
    )
