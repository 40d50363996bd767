"""Provisioning in process: complete at first, nothing to do the second time, exact when code changed."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from localaws.dynamodb import DynamoDb
from localaws.events import Events
from localaws.functions import Functions
from localaws.home import SEEDED, aws_environment, internal_environment
from localaws.provision import Services, Wanted, provision
from localaws.s3 import S3
from localaws.server import Server
from localaws.store import Store
from localaws.wire import create_app
from mlops.settings import Settings

TABLE = {
    "TableName": "llmops-things",
    "BillingMode": "PAY_PER_REQUEST",
    "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
    "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
}


class Account:
    """The services that are provisioned, and a small project to provision them from."""

    def __init__(self, home: Path, root: Path):
        self.home, self.root = home, root
        self.store = Store(home)
        self.functions = Functions(
            self.store,
            lambda group, stream, events: None,
            lambda: internal_environment(self.server.endpoint),
        )
        self.events = Events(self.store, self.functions.enqueue)
        self.dynamodb = DynamoDb(self.store)
        self.server = Server(create_app([self.functions], S3(self.store)))
        self.server.start()
        environ = aws_environment(self.server.endpoint)
        self.s3: Any = boto3.Session().client(
            "s3",
            endpoint_url=self.server.endpoint,
            region_name=environ["AWS_REGION"],
            aws_access_key_id=environ["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=environ["AWS_SECRET_ACCESS_KEY"],
        )

    def provision(self, **settings: Any) -> None:
        wanted = Wanted(
            root=self.root,
            settings=Settings(**settings),
            handlers={"llmops-watchdog": "watchdog", "llmops-tool-hello": "hello"},
            tables=(TABLE,),
            ttl_attributes={"llmops-things": "ttl"},
        )
        services = Services(self.dynamodb, self.functions, self.events, lambda: self.s3)
        provision(services, wanted, self.home)

    def function(self, name: str) -> dict[str, Any]:
        return self.functions.get_function_configuration({"FunctionName": name})

    def keys(self, bucket: str) -> set[str]:
        return {i["Key"] for i in self.s3.list_objects_v2(Bucket=bucket).get("Contents", [])}


@pytest.fixture
def account(tmp_path: Path) -> Iterator[Account]:
    root = tmp_path / "project"
    for folder in ("lambdas", "mlops", "training"):
        (root / folder).mkdir(parents=True)
    (root / "mlops" / "__init__.py").write_text("")
    (root / "training" / "train.py").write_text("print('hi')\n")
    for name in ("hello", "watchdog"):
        code = "def lambda_handler(event, context): return 1\n"
        (root / "lambdas" / f"{name}.py").write_text(code)
    account = Account(tmp_path / "home", root)
    yield account
    account.functions.close()
    account.server.stop()
    account.store.close()


def test_everything_is_made_once(account: Account):
    account.provision()
    before = [account.function(n)["RevisionId"] for n in ("llmops-watchdog", "llmops-tool-hello")]
    keys = account.keys("llmops-datasets") | account.keys("llmops-models")
    account.provision()
    after = [account.function(n)["RevisionId"] for n in ("llmops-watchdog", "llmops-tool-hello")]
    assert before == after
    assert keys == account.keys("llmops-datasets") | account.keys("llmops-models")
    assert {"raw/cier/train.tsv", "raw/cier-small/metadata.json"} <= keys
    ttl = account.dynamodb.describe_time_to_live({"TableName": "llmops-things"})
    assert ttl["TimeToLiveDescription"]["AttributeName"] == "ttl"
    rules = {rule["Name"]: rule for rule in account.events.list_rules({})["Rules"]}
    assert rules["llmops-watchdog"]["ScheduleExpression"] == "rate(1 minute)"


def test_only_what_changed_is_updated(account: Account):
    account.provision()
    watchdog = account.function("llmops-watchdog")["CodeSha256"]
    (account.root / "lambdas" / "hello.py").write_text("def lambda_handler(e, c): return 2\n")
    (account.root / "training" / "train.py").write_text("print('new')\n")
    account.provision(monthly_limit_usd="7")
    hello = account.function("llmops-tool-hello")
    assert account.functions.invoke({"FunctionName": "llmops-tool-hello"})["Payload"] == b"2"
    assert account.function("llmops-watchdog")["CodeSha256"] == watchdog
    assert hello["Environment"]["Variables"]["LLMOPS_MONTHLY_LIMIT_USD"] == "7"
    archive = hello["Environment"]["Variables"]["LLMOPS_TRAINING_ARCHIVE"]
    assert archive.removeprefix("s3://llmops-models/") in account.keys("llmops-models")


def test_what_a_start_that_was_cut_off_left_is_completed(account: Account):
    account.dynamodb.create_table(dict(TABLE))
    account.provision()
    ttl = account.dynamodb.describe_time_to_live({"TableName": "llmops-things"})
    assert ttl["TimeToLiveDescription"]["TimeToLiveStatus"] == "ENABLED"


def test_a_start_that_is_cut_off_leaves_the_list_of_samples_whole(account: Account):
    """The list is replaced by a new file, never written over: half of it would stop every start."""
    marker = account.home / SEEDED
    marker.write_text("[]")
    before = account.home / "before.json"
    before.hardlink_to(marker)
    account.provision()
    assert (before.read_text(), "cier" in marker.read_text()) == ("[]", True)


def test_what_a_person_put_in_place_of_a_sample_stays(account: Account):
    account.s3.create_bucket(Bucket="llmops-datasets")
    key = "raw/cier/metadata.json"
    account.s3.put_object(Bucket="llmops-datasets", Key=key, Body=b"{}")
    account.provision()
    assert account.s3.get_object(Bucket="llmops-datasets", Key=key)["Body"].read() == b"{}"
