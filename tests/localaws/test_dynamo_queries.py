"""Queries and scans: key ranges, indexes, filters, pages."""

from typing import Any

import boto3
import pytest
from boto3.dynamodb.conditions import Attr, Key

from tests.localaws.things import TABLE, code, key


@pytest.fixture(scope="module")
def numbered(db: Any) -> str:
    """Items -5 to 14 of one partition; the even ones are in the index."""
    for n in range(-5, 15):
        item = {**key("numbered", n), "n": {"N": str(n * 10)}, "text": {"S": "x"}}
        if n % 2 == 0:
            item["kind"] = {"S": "even"}
        db.put_item(TableName=TABLE, Item=item)
    return "numbered"


@pytest.mark.parametrize(
    ("condition", "values", "expected"),
    [
        ("", {}, list(range(-5, 15))),
        (" AND sk = :a", {":a": 3}, [3]),
        (" AND sk < :a", {":a": -3}, [-5, -4]),
        (" AND sk <= :a", {":a": -3}, [-5, -4, -3]),
        (" AND sk > :a", {":a": 12}, [13, 14]),
        (" AND sk >= :a", {":a": 12}, [12, 13, 14]),
        (" AND sk BETWEEN :a AND :b", {":a": -1, ":b": 1}, [-1, 0, 1]),
        (" AND sk BETWEEN :a AND :b", {":a": 1, ":b": -1}, []),
    ],
)
def test_query_ranges_sort_numerically(
    db: Any, numbered: str, condition: str, values: dict[str, int], expected: list[int]
):
    for forward in (True, False):
        answer = db.query(
            TableName=TABLE,
            KeyConditionExpression="pk = :p" + condition,
            ExpressionAttributeValues={
                ":p": {"S": numbered},
                **{name: {"N": str(value)} for name, value in values.items()},
            },
            ScanIndexForward=forward,
        )
        found = [int(item["sk"]["N"]) for item in answer["Items"]]
        assert found == (expected if forward else expected[::-1])


@pytest.mark.parametrize("forward", [True, False])
@pytest.mark.parametrize("index", [None, "by_kind"])
def test_pages_join_to_the_whole(db: Any, numbered: str, forward: bool, index: str | None):
    name, value = ("kind", "even") if index else ("pk", numbered)
    pages = db.get_paginator("query").paginate(
        TableName=TABLE,
        **({"IndexName": index} if index else {}),
        KeyConditionExpression=f"{name} = :v",
        ExpressionAttributeValues={":v": {"S": value}},
        ScanIndexForward=forward,
        PaginationConfig={"PageSize": 3},
    )
    found = [int(item["sk"]["N"]) for page in pages for item in page["Items"]]
    expected = [n for n in range(-5, 15) if index is None or n % 2 == 0]
    assert found == (expected if forward else expected[::-1])


def test_index_carries_its_projection_and_follows_changes(db: Any, pk: str):
    def indexed() -> list[Any]:
        return db.query(
            TableName=TABLE,
            IndexName="by_kind",
            KeyConditionExpression="kind = :k",
            ExpressionAttributeValues={":k": {"S": pk}},
        )["Items"]

    item = {**key(pk, 1), "kind": {"S": pk}, "n": {"N": "1"}, "text": {"S": "long"}}
    db.put_item(TableName=TABLE, Item=item)
    assert indexed() == [{name: item[name] for name in ("pk", "sk", "kind", "n")}]
    db.put_item(TableName=TABLE, Item={**key(pk, 2), "kind": {"S": pk}})
    assert len(indexed()) == 2
    db.update_item(TableName=TABLE, Key=key(pk, 1), UpdateExpression="REMOVE kind")
    assert [i["sk"]["N"] for i in indexed()] == ["2"]
    db.delete_item(TableName=TABLE, Key=key(pk, 2))
    assert indexed() == []


def test_filters_count_after_the_limit(db: Any, numbered: str):
    request = {
        "TableName": TABLE,
        "KeyConditionExpression": "pk = :p",
        "FilterExpression": "n > :n",
        "ExpressionAttributeValues": {":p": {"S": numbered}, ":n": {"N": "100"}},
    }
    whole = db.query(**request)
    assert (whole["Count"], whole["ScannedCount"]) == (4, 20)
    first = db.query(**request, Limit=5)
    assert (first["Count"], first["ScannedCount"]) == (0, 5)
    assert first["LastEvaluatedKey"] == key(numbered, -1)
    count = db.query(**request, Select="COUNT")
    assert count["Count"] == 4
    assert "Items" not in count


def test_pages_end_after_a_megabyte(db: Any, pk: str):
    for n in range(4):
        db.put_item(TableName=TABLE, Item={**key(pk, n), "x": {"S": "x" * 390_000}})
    values = {":p": {"S": pk}}
    condition = "pk = :p"
    answer = db.query(
        TableName=TABLE, KeyConditionExpression=condition, ExpressionAttributeValues=values
    )
    assert answer["Count"] == 3
    assert answer["LastEvaluatedKey"] == key(pk, 2)


@pytest.mark.parametrize(
    "condition",
    [
        "sk = :p",
        "pk = :p OR pk = :p",
        "pk = :p AND n = :p",
        "pk > :p",
        "pk = :p AND sk <> :p",
        "contains(pk, :p)",
    ],
)
def test_bad_key_conditions_are_refused(db: Any, condition: str):
    values = {":p": {"S": "a"}}
    arguments = {"KeyConditionExpression": condition, "ExpressionAttributeValues": values}
    assert code(db.query, TableName=TABLE, **arguments) == "ValidationException"


def test_begins_with_on_string_sort_keys_by_the_resource(local: Any):
    resource: Any = boto3.Session().resource(
        "dynamodb",
        endpoint_url=local.server.endpoint,
        region_name="eu-central-1",
        aws_access_key_id="x",
        aws_secret_access_key="y",
    )
    keys = [{"AttributeName": "a", "KeyType": "HASH"}, {"AttributeName": "b", "KeyType": "RANGE"}]
    types = [{"AttributeName": name, "AttributeType": "S"} for name in "ab"]
    table = resource.create_table(
        TableName="texts",
        KeySchema=keys,
        AttributeDefinitions=types,
        BillingMode="PAY_PER_REQUEST",
    )
    for text in ("job#1", "job#2", "joc", "plan#1"):
        table.put_item(Item={"a": "x", "b": text, "size": {"n": 1}})
    found = table.query(KeyConditionExpression=Key("a").eq("x") & Key("b").begins_with("job#"))
    assert [item["b"] for item in found["Items"]] == ["job#1", "job#2"]
    narrow = table.query(
        KeyConditionExpression=Key("a").eq("x"),
        FilterExpression=Attr("size.n").eq(1) & Attr("b").contains("#"),
        ProjectionExpression="b",
    )
    assert narrow["Items"] == [{"b": "job#1"}, {"b": "job#2"}, {"b": "plan#1"}]
    resource.meta.client.close()


def test_scans_cover_everything_once(db: Any, numbered: str):
    pages = db.get_paginator("scan").paginate(
        TableName=TABLE,
        FilterExpression="pk = :p",
        ExpressionAttributeValues={":p": {"S": numbered}},
        PaginationConfig={"PageSize": 7},
    )
    assert sum(page["Count"] for page in pages) == 20
    parts = [counted(db, Segment=n, TotalSegments=3) for n in range(3)]
    assert sum(parts) == counted(db)
    assert min(parts) > 0
    indexed = db.scan(TableName=TABLE, IndexName="by_kind")["Items"]
    assert all("kind" in item for item in indexed)


def counted(db: Any, **arguments: Any) -> int:
    pages = db.get_paginator("scan").paginate(TableName=TABLE, Select="COUNT", **arguments)
    return sum(page["Count"] for page in pages)
