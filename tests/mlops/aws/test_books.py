"""The checker of the ledger sees what would admit too much."""

import pytest

from mlops.aws.books import verify
from mlops.aws.clients import Aws
from mlops.aws.limits import Limits
from mlops.aws.tables import LEDGER
from tests.mlops.aws.embedded import Clock


@pytest.mark.parametrize("wrong", [10**9, -1])
def test_a_stored_rest_that_is_not_what_is_left_is_found(aws: Aws, clock: Clock, wrong: int):
    scope = Limits(aws).open_person("ada", clock())
    assert verify(aws, clock()) == []
    aws.dynamodb.update_item(
        TableName=LEDGER,
        Key={"scope": scope, "entry": "TOTAL"},
        UpdateExpression="SET #left = :wrong",
        ExpressionAttributeNames={"#left": "left"},
        ExpressionAttributeValues={":wrong": wrong},
    )
    found = f"{scope}: {wrong} micro-USD would be admitted, 50000000 are left"
    assert verify(aws, clock()) == [found]
