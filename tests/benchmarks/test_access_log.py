"""Every call is logged with caller, operation and table, and is answered as without the log."""

from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from benchmarks.access_log import AccessLog, mark, read_calls
from localaws.dynamodb import DynamoDb
from localaws.home import INTERNAL_APP_ID
from localaws.quotas import Quotas
from localaws.s3 import S3
from localaws.server import Server
from localaws.store import Store
from localaws.wire import create_app


def test_calls_are_counted_by_caller_operation_and_table(tmp_path: Path):
    store = Store(tmp_path)
    services = [DynamoDb(store), Quotas(tmp_path)]
    app = create_app(services, S3(store))
    server = Server(AccessLog(app, services, tmp_path / "calls.log"))
    server.start()
    try:
        db = _client(server, "dynamodb")
        assert db.list_tables()["TableNames"] == []
        before = mark(tmp_path)
        db.create_table(
            TableName="notes",
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        )
        db.put_item(TableName="notes", Item={"id": {"S": "a"}})
        db.put_item(TableName="notes", Item={"id": {"S": "b"}})
        assert db.scan(TableName="notes")["Count"] == 2
        s3 = _client(server, "s3", INTERNAL_APP_ID)
        s3.create_bucket(Bucket="bucket")
        s3.put_object(Bucket="bucket", Key="a b", Body=b"x" * 100_000)
        assert len(s3.get_object(Bucket="bucket", Key="a b")["Body"].read()) == 100_000
    finally:
        server.stop()
        store.close()
    assert read_calls(tmp_path, before) == {
        ("client", "dynamodb.CreateTable notes"): 1,
        ("client", "dynamodb.PutItem notes"): 2,
        ("client", "dynamodb.Scan notes"): 1,
        ("function", "s3.CreateBucket"): 1,
        ("function", "s3.PutObject"): 1,
        ("function", "s3.GetObject"): 1,
    }


def _client(server: Server, name: str, app_id: str | None = None) -> Any:
    return boto3.Session().client(
        name,
        endpoint_url=server.endpoint,
        region_name="us-east-1",
        aws_access_key_id="local",
        aws_secret_access_key="local",
        config=Config(user_agent_appid=app_id, s3={"addressing_style": "path"}),
    )
