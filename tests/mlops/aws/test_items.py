"""Items of DynamoDB: what comes in parts is read whole, a lost race is no error, a fault is one of ours."""

from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from mlops.aws.clients import Aws
from mlops.aws.items import UNMET, query, read_keys, transact, written
from mlops.aws.plans import Plans
from mlops.aws.tables import LEDGER, PLANS
from mlops.errors import FaultError, OpsError
from tests.factories import a_plan
from tests.mlops.aws.embedded import Clock, client_error
from tests.mlops.aws.scenes import approved

UNREACHABLE = EndpointConnectionError(endpoint_url="http://127.0.0.1:1")


def put(entry: str, **more: Any) -> dict[str, Any]:
    return {"TableName": LEDGER, "Item": {"scope": "s", "entry": entry, **more}}


def test_a_query_is_read_to_its_last_page_and_no_further_than_asked(aws: Aws):
    for number in range(5):
        aws.dynamodb.put_item(**put(str(number), text="x" * 390_000))
    wanted = {
        "TableName": LEDGER,
        "KeyConditionExpression": "#s = :s",
        "ExpressionAttributeNames": {"#s": "scope"},
        "ExpressionAttributeValues": {":s": "s"},
    }
    assert [item["entry"] for item in query(aws.dynamodb, **wanted)] == list("01234")
    assert "ExclusiveStartKey" not in wanted


def test_keys_that_come_back_unread_are_asked_for_again(
    aws: Aws, clock: Clock, monkeypatch: pytest.MonkeyPatch
):
    """Else a plan that was decided on would look as if it still waited for a yes."""
    plans = [approved(aws, clock, a_plan(dataset=name)) for name in "ab"]
    real = aws.dynamodb.batch_get_item

    def answer_one(RequestItems: dict[str, Any]) -> dict[str, Any]:
        first, *rest = RequestItems[PLANS]["Keys"]
        unread = {PLANS: {**RequestItems[PLANS], "Keys": rest}} if rest else {}
        found = real(RequestItems={PLANS: {**RequestItems[PLANS], "Keys": [first]}})
        return {**found, "UnprocessedKeys": unread}

    monkeypatch.setattr(aws.dynamodb, "batch_get_item", answer_one)
    asked = [plan.plan_id for plan in plans]
    assert Plans(aws).decided([*asked, "plan-0"]) == set(asked)


def test_more_keys_than_a_batch_takes(aws: Aws):
    for number in range(0, 150, 50):
        aws.dynamodb.put_item(**put(str(number)))
    keys = [{"scope": "s", "entry": str(number)} for number in range(150)]
    found = read_keys(aws.dynamodb, LEDGER, keys, "entry")
    assert sorted(item["entry"] for item in found) == ["0", "100", "50"]


@pytest.mark.parametrize("error", [UNREACHABLE, client_error("AccessDeniedException")])
def test_a_fault_is_one_of_ours(aws: Aws, monkeypatch: pytest.MonkeyPatch, error: Exception):
    def refuse(**_: Any) -> None:
        raise error

    with pytest.raises(OpsError):
        written(refuse)
    monkeypatch.setattr(aws.dynamodb, "transact_write_items", refuse)
    with pytest.raises(OpsError):
        transact(aws.dynamodb, [], "ledger")


def test_the_write_whose_condition_does_not_hold_is_named(aws: Aws):
    new = {
        "ConditionExpression": "attribute_not_exists(#e)",
        "ExpressionAttributeNames": {"#e": "entry"},
    }
    assert written(aws.dynamodb.put_item, **put("a"), **new)
    assert not written(aws.dynamodb.put_item, **put("a"), **new)
    writes = [{"Put": {**put(name), **new}} for name in "ba"]
    assert transact(aws.dynamodb, writes, "ledger") == ["None", UNMET]
    assert transact(aws.dynamodb, writes[:1], "ledger") == []


def test_who_keeps_losing_is_told(aws: Aws, monkeypatch: pytest.MonkeyPatch):
    conflict = client_error("TransactionCanceledException")
    conflict.response["CancellationReasons"] = [{"Code": "TransactionConflict"}]  # pyright: ignore
    pauses: list[float] = []

    def lose(**_: Any) -> None:
        raise conflict

    monkeypatch.setattr(aws.dynamodb, "transact_write_items", lose)
    with pytest.raises(FaultError) as caught:
        transact(aws.dynamodb, [], "ledger", pauses.append)
    assert caught.value.code == "ledger_busy" and len(pauses) > 9
