"""Table definitions are what DynamoDB accepts, with an index for every way of asking."""

from mlops.aws.clients import Aws
from mlops.aws.tables import BY_PERSON, BY_PLAN, JOBS, LISTING, OPEN, SPECS, TTL_ATTRIBUTES


def test_every_table_is_active_with_its_keys(aws: Aws):
    for spec in SPECS:
        table = aws.dynamodb.describe_table(TableName=spec["TableName"])["Table"]
        assert table["TableStatus"] == "ACTIVE"
        assert table["KeySchema"] == spec["KeySchema"]


def test_only_keys_are_declared():
    for spec in SPECS:
        indexes = spec.get("GlobalSecondaryIndexes", [])
        schemas = [spec["KeySchema"], *(index["KeySchema"] for index in indexes)]
        used = {part["AttributeName"] for schema in schemas for part in schema}
        assert used == {a["AttributeName"] for a in spec["AttributeDefinitions"]}


def test_names_and_indexes_are_the_promised_ones():
    names = {spec["TableName"] for spec in SPECS}
    parts = ("sessions", "events", "jobs", "ledger", "datasets", "plans", "checkpoints", "notices")
    assert names == {f"llmops-{part}" for part in parts}
    assert set(TTL_ATTRIBUTES) <= names
    [jobs] = [spec for spec in SPECS if spec["TableName"] == JOBS]
    indexes = {index["IndexName"] for index in jobs["GlobalSecondaryIndexes"]}
    assert indexes == {BY_PERSON, BY_PLAN, OPEN}
    assert LISTING not in indexes
