"""The whole embedded AWS in this process: when it may end."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from localaws.composition import Stack, compose
from mlops.aws.tables import JOBS, PLANS, SPECS


@pytest.fixture
def whole(tmp_path: Path) -> Iterator[Stack]:
    whole = compose(tmp_path, "token")
    whole.server.start()
    for spec in SPECS:
        whole.services.dynamodb.create_table(dict(spec))
    yield whole
    whole.close()


@pytest.mark.parametrize(
    ("table", "key"),
    [
        (PLANS, {"plan_id": {"S": "p"}, "part": {"S": "approval"}}),
        (JOBS, {"job_name": {"S": "j"}}),
    ],
)
def test_it_stays_while_a_reservation_is_open(
    whole: Stack, table: str, key: dict[str, dict[str, str]]
):
    assert not whole.is_busy()
    times = {"open": {"S": "yes"}, "created_at": {"S": "2026-11-22T00:00:00Z"}}
    whole.services.dynamodb.put_item({"TableName": table, "Item": key | times})
    assert whole.is_busy()
    whole.services.dynamodb.put_item({"TableName": table, "Item": key})
    assert not whole.is_busy()


def test_it_stays_while_an_invocation_is_queued(whole: Stack):
    whole.functions.enqueue("nobody", {})
    assert whole.is_busy()
