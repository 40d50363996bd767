"""DynamoDB through boto3: tables, items, updates, batches, time to live."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.localaws.things import TABLE, code, key, refused, spec


def test_tables_are_described_listed_and_deleted(db: Any):
    name = "passing"
    assert db.create_table(**spec(name))["TableDescription"]["TableStatus"] == "ACTIVE"
    assert code(db.create_table, **spec(name)) == "ResourceInUseException"
    db.get_waiter("table_exists").wait(TableName=name)
    db.put_item(TableName=name, Item=key("a"))
    described = db.describe_table(TableName=name)["Table"]
    assert described["ItemCount"] == 1
    assert described["GlobalSecondaryIndexes"][0]["IndexStatus"] == "ACTIVE"
    assert name in db.list_tables()["TableNames"]
    first = db.list_tables(Limit=1)
    rest = db.list_tables(ExclusiveStartTableName=first["LastEvaluatedTableName"])
    assert sorted(first["TableNames"] + rest["TableNames"]) == db.list_tables()["TableNames"]
    db.delete_table(TableName=name)
    assert code(db.describe_table, TableName=name) == "ResourceNotFoundException"
    assert code(db.get_item, TableName=name, Key=key("a")) == "ResourceNotFoundException"


def test_unused_attribute_definitions_are_refused(db: Any):
    bad = spec("bad")
    del bad["GlobalSecondaryIndexes"]
    assert code(db.create_table, **bad) == "ValidationException"


def test_put_get_delete_return_what_they_should(db: Any, pk: str):
    item = {**key(pk), "n": {"N": "1.0"}, "b": {"B": b"\x00\xff"}, "s": {"SS": ["x"]}}
    assert "Attributes" not in db.put_item(TableName=TABLE, Item=item, ReturnValues="ALL_OLD")
    found = db.get_item(TableName=TABLE, Key=key(pk), ConsistentRead=True)["Item"]
    assert found == {**item, "n": {"N": "1"}}
    part = db.get_item(
        TableName=TABLE,
        Key=key(pk),
        ProjectionExpression="#n",
        ExpressionAttributeNames={"#n": "n"},
    )
    assert part["Item"] == {"n": {"N": "1"}}
    old = db.delete_item(TableName=TABLE, Key=key(pk), ReturnValues="ALL_OLD")
    assert old["Attributes"]["b"] == {"B": b"\x00\xff"}
    assert "Item" not in db.get_item(TableName=TABLE, Key=key(pk))
    assert "Attributes" not in db.delete_item(TableName=TABLE, Key=key(pk), ReturnValues="ALL_OLD")


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ("NONE", None),
        ("ALL_OLD", {"a": {"N": "1"}, "b": {"S": "x"}}),
        ("ALL_NEW", {"a": {"N": "3"}, "b": {"S": "x"}}),
        ("UPDATED_OLD", {"a": {"N": "1"}}),
        ("UPDATED_NEW", {"a": {"N": "3"}}),
    ],
)
def test_update_return_values(db: Any, pk: str, wanted: str, expected: Any):
    db.put_item(TableName=TABLE, Item={**key(pk), "a": {"N": "1"}, "b": {"S": "x"}})
    answer = db.update_item(
        TableName=TABLE,
        Key=key(pk),
        UpdateExpression="ADD a :two",
        ExpressionAttributeValues={":two": {"N": "2"}},
        ReturnValues=wanted,
    )
    attributes = answer.get("Attributes")
    if attributes is not None and wanted.startswith("ALL"):
        assert (attributes.pop("pk"), attributes.pop("sk")) == ({"S": pk}, {"N": "0"})
    assert attributes == expected


def test_update_creates_and_failed_conditions_show_the_item(db: Any, pk: str):
    db.update_item(TableName=TABLE, Key=key(pk))
    assert db.get_item(TableName=TABLE, Key=key(pk))["Item"] == key(pk)
    error = refused(
        db.put_item,
        TableName=TABLE,
        Item=key(pk),
        ConditionExpression="attribute_not_exists(pk)",
        ReturnValuesOnConditionCheckFailure="ALL_OLD",
    )
    assert error["Error"]["Code"] == "ConditionalCheckFailedException"
    assert error["Item"] == key(pk)
    hidden = refused(
        db.put_item,
        TableName=TABLE,
        Item=key(pk),
        ConditionExpression="attribute_not_exists(pk)",
    )
    assert "Item" not in hidden


def test_validation_speaks_as_aws_does(db: Any, pk: str):
    def message(call: Callable[..., Any], **arguments: Any) -> str:
        error = refused(call, TableName=TABLE, **arguments)["Error"]
        assert error["Code"] == "ValidationException"
        return error["Message"]

    assert "does not match the schema" in message(db.get_item, Key={"pk": {"S": "a"}})
    assert "empty string" in message(db.put_item, Item=key(""))
    assert "Type mismatch" in message(db.get_item, Key={"pk": {"N": "1"}, "sk": {"N": "1"}})
    assert "Missing the key sk" in message(db.put_item, Item={"pk": {"S": "a"}})
    big = {**key(pk), "x": {"S": "x" * 410_000}}
    assert "maximum allowed size" in message(db.put_item, Item=big)
    wrong = {**key(pk), "kind": {"N": "1"}}
    assert "Type mismatch for Index Key kind" in message(db.put_item, Item=wrong)
    assert "reserved keyword: name" in message(
        db.get_item, Key=key(pk), ProjectionExpression="name"
    )
    assert "unused in expressions" in message(
        db.get_item, Key=key(pk), ExpressionAttributeNames={"#a": "a"}
    )
    assert "AttributesToGet" in message(db.get_item, Key=key(pk), AttributesToGet=["a"])
    assert "invalid value" in message(db.put_item, Item=key(pk), ReturnValues="ALL_NEW")
    everything = {"ExpressionAttributeValues": {":k": {"S": "a"}}, "ConsistentRead": True}
    assert "Consistent reads" in message(
        db.query, IndexName="by_kind", KeyConditionExpression="kind = :k", **everything
    )


def test_batches(db: Any, pk: str):
    puts = [{"PutRequest": {"Item": key(pk, n)}} for n in range(25)]
    assert db.batch_write_item(RequestItems={TABLE: puts})["UnprocessedItems"] == {}
    keys = [key(pk, n) for n in range(30)]
    found = db.batch_get_item(RequestItems={TABLE: {"Keys": keys}})["Responses"][TABLE]
    assert len(found) == 25
    twice = {TABLE: [puts[0], {"DeleteRequest": {"Key": key(pk, 0)}}]}
    assert code(db.batch_write_item, RequestItems=twice) == "ValidationException"
    many = {TABLE: {"Keys": [key(pk, n) for n in range(101)]}}
    assert code(db.batch_get_item, RequestItems=many) == "ValidationException"


def test_more_than_25_writes_are_refused(local: Any, pk: str):
    """boto3 checks this itself, so the service is asked directly."""
    puts = [{"PutRequest": {"Item": key(pk, n)}} for n in range(26)]
    with pytest.raises(Exception, match="less than or equal to 25"):
        local.service("dynamodb").batch_write_item({"RequestItems": {TABLE: puts}})


def test_expired_items_are_hidden_and_swept(db: Any, local: Any):
    name = "expiring"
    db.create_table(**spec(name))
    soon = {"N": str(int(local.clock()) + 100)}
    db.put_item(TableName=name, Item={**key("early"), "ttl": soon, "kind": {"S": "k"}})
    wanted = {"Enabled": True, "AttributeName": "ttl"}
    db.update_time_to_live(TableName=name, TimeToLiveSpecification=wanted)
    again = {"TableName": name, "TimeToLiveSpecification": wanted}
    assert code(db.update_time_to_live, **again) == "ValidationException"
    status = db.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
    assert status == {"TimeToLiveStatus": "ENABLED", "AttributeName": "ttl"}
    db.put_item(TableName=name, Item={**key("late"), "ttl": soon})
    assert db.scan(TableName=name)["Count"] == 2
    local.clock.seconds += 101
    assert "Item" not in db.get_item(TableName=name, Key=key("early"))
    assert db.scan(TableName=name)["Count"] == 0
    assert db.scan(TableName=name, IndexName="by_kind")["Count"] == 0
    fresh = "attribute_not_exists(pk)"
    db.put_item(TableName=name, Item=key("late"), ConditionExpression=fresh)
    assert db.describe_table(TableName=name)["Table"]["ItemCount"] == 1


def test_a_backlog_of_expired_items_is_worked_off(db: Any, local: Any):
    name, soon = "backlog", {"N": str(int(local.clock()) + 100)}
    db.create_table(**spec(name))
    wanted = {"Enabled": True, "AttributeName": "ttl"}
    db.update_time_to_live(TableName=name, TimeToLiveSpecification=wanted)
    for start in range(0, 1200, 25):
        puts = [
            {"PutRequest": {"Item": {**key("p", n), "ttl": soon}}}
            for n in range(start, start + 25)
        ]
        db.batch_write_item(RequestItems={name: puts})
    local.clock.seconds += 161
    left = []
    for _ in range(4):
        db.put_item(TableName=name, Item=key("now"))
        left.append(db.describe_table(TableName=name)["Table"]["ItemCount"])
    assert left == [701, 201, 1, 1]
