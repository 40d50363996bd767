"""Transactions, and races that must be exact."""

import threading
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.localaws.things import TABLE, code, key, refused

CLIENTS = 8


def test_transactions_are_all_or_nothing(db: Any, pk: str):
    db.put_item(TableName=TABLE, Item={**key(pk), "n": {"N": "1"}})
    put = {"Put": {"TableName": TABLE, "Item": key(pk, 1)}}
    check = {
        "ConditionCheck": {
            "TableName": TABLE,
            "Key": key(pk),
            "ConditionExpression": "n = :n",
            "ExpressionAttributeValues": {":n": {"N": "2"}},
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
    }
    error = refused(db.transact_write_items, TransactItems=[put, check])
    assert error["Error"]["Code"] == "TransactionCanceledException"
    reasons = error["CancellationReasons"]
    assert [reason["Code"] for reason in reasons] == ["None", "ConditionalCheckFailed"]
    assert reasons[1]["Item"]["n"] == {"N": "1"}
    assert "Item" not in db.get_item(TableName=TABLE, Key=key(pk, 1))
    db.transact_write_items(TransactItems=[put])
    gets = [{"Get": {"TableName": TABLE, "Key": key(pk, n)}} for n in (0, 1, 9)]
    answers = db.transact_get_items(TransactItems=gets)["Responses"]
    assert ["Item" in answer for answer in answers] == [True, True, False]
    same = {"Delete": {"TableName": TABLE, "Key": key(pk, 1)}}
    assert code(db.transact_write_items, TransactItems=[put, same]) == "ValidationException"


def test_a_repeated_token_does_nothing_twice(db: Any, pk: str, local: Any):
    add = {
        "Update": {
            "TableName": TABLE,
            "Key": key(pk),
            "UpdateExpression": "ADD n :one",
            "ExpressionAttributeValues": {":one": {"N": "1"}},
        }
    }
    for _ in range(3):
        db.transact_write_items(TransactItems=[add], ClientRequestToken=pk)
    assert db.get_item(TableName=TABLE, Key=key(pk))["Item"]["n"] == {"N": "1"}
    other = {"Delete": {"TableName": TABLE, "Key": key(pk)}}
    mismatch = {"TransactItems": [other], "ClientRequestToken": pk}
    assert code(db.transact_write_items, **mismatch) == "IdempotentParameterMismatchException"
    local.clock.seconds += 601
    db.transact_write_items(TransactItems=[add], ClientRequestToken=pk)
    assert db.get_item(TableName=TABLE, Key=key(pk))["Item"]["n"] == {"N": "2"}


@pytest.fixture(scope="module")
def clients(local: Any, connect: Callable[[str, str], Any]) -> Iterator[list[Any]]:
    made = [connect(local.server.endpoint, "dynamodb") for _ in range(CLIENTS)]
    yield made
    for client in made:
        client.close()


def race(clients: list[Any], work: Callable[[Any], None]) -> None:
    """One thread per client; any exception in one fails the test."""
    failures: list[BaseException] = []

    def run(client: Any) -> None:
        try:
            work(client)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=(client,)) for client in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def increment(client: Any, pk: str, times: int) -> None:
    """Compare and set until it holds."""
    for _ in range(times):
        while True:
            found = client.get_item(
                TableName=TABLE, Key=key(pk), ProjectionExpression="n", ConsistentRead=True
            )["Item"]
            try:
                client.update_item(
                    TableName=TABLE,
                    Key=key(pk),
                    UpdateExpression="SET n = n + :one",
                    ConditionExpression="n = :n",
                    ExpressionAttributeValues={":one": {"N": "1"}, ":n": found["n"]},
                )
                break
            except client.exceptions.ConditionalCheckFailedException:
                continue


def test_conditional_increments_of_a_large_item_are_exact(db: Any, pk: str, clients: list[Any]):
    messages = {"L": [{"M": {"role": {"S": "user"}, "text": {"S": "m" * 100}}}] * 600}
    db.put_item(TableName=TABLE, Item={**key(pk), "n": {"N": "0"}, "messages": messages})
    race(clients, lambda client: increment(client, pk, 5))
    assert db.get_item(TableName=TABLE, Key=key(pk))["Item"]["n"] == {"N": str(CLIENTS * 5)}


def test_transactions_and_counters_are_exact(db: Any, pk: str, clients: list[Any]):
    add = {
        "TableName": TABLE,
        "Key": key(pk),
        "UpdateExpression": "ADD n :one",
        "ExpressionAttributeValues": {":one": {"N": "1"}},
    }

    def work(client: Any) -> None:
        for n in range(20):
            item = {"pk": {"S": f"{pk}-{threading.get_ident()}"}, "sk": {"N": str(n)}}
            put = {"Put": {"TableName": TABLE, "Item": item}}
            client.transact_write_items(TransactItems=[{"Update": add}, put])
            client.update_item(**add)

    race(clients, work)
    assert db.get_item(TableName=TABLE, Key=key(pk))["Item"]["n"] == {"N": str(CLIENTS * 40)}


def test_a_limit_of_10_takes_one_reservation_of_6(db: Any, clients: list[Any]):
    for _ in range(5):
        scope = uuid.uuid4().hex
        db.put_item(TableName=TABLE, Item={**key(scope), "reserved": {"N": "0"}})
        won: list[bool] = []

        def reserve(client: Any, scope: str = scope, won: list[bool] = won) -> None:
            try:
                client.update_item(
                    TableName=TABLE,
                    Key=key(scope),
                    UpdateExpression="SET reserved = reserved + :six",
                    ConditionExpression="reserved <= :room",
                    ExpressionAttributeValues={":six": {"N": "6"}, ":room": {"N": "4"}},
                )
                won.append(True)
            except client.exceptions.ConditionalCheckFailedException:
                won.append(False)

        race(clients, reserve)
        assert sum(won) == 1
