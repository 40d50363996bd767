"""A back end behind the wire: DynamoDB and S3 of the embedded AWS in this process, sessions apart by name."""

import uuid
from collections.abc import Iterator

import pytest

from localaws.dynamodb import DynamoDb
from localaws.s3 import S3
from localaws.server import Server
from localaws.store import Store
from localaws.wire import create_app
from mlops.aws.clients import Aws
from mlops.aws.tables import SPECS
from mlops.settings import Settings
from tests.agent.world import World, credentials


@pytest.fixture(scope="session")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aws]:
    store = Store(tmp_path_factory.mktemp("home"))
    server = Server(create_app([DynamoDb(store)], S3(store)))
    server.start()
    settings = Settings.from_env(
        {}, bedrock_model_id="local.planner-v1", sandbox=True, endpoint_url=server.endpoint
    )
    aws = Aws(settings, credentials())
    for spec in SPECS:
        aws.client("dynamodb").create_table(**spec)
    aws.client("s3").create_bucket(Bucket=settings.models_bucket)
    yield aws
    server.stop()
    store.close()


@pytest.fixture
def aws(account: Aws) -> Aws:
    """The account as a new person, who has no sessions, plans or costs yet."""
    settings = account.settings.model_copy(update={"person": uuid.uuid4().hex[:8]})
    return Aws(settings, account.session)


@pytest.fixture
def world(aws: Aws) -> Iterator[World]:
    made = World(aws)
    yield made
    made.close()
