"""Prices from the Price List API, once an hour, over the dated price file."""

import json
from datetime import timedelta
from typing import Any

import pytest

from mlops.aws.clients import Aws
from mlops.aws.prices import Prices
from mlops.prices import may_spend, price_file
from tests.factories import NOW
from tests.mlops.aws.embedded import Embedded, client_error


@pytest.fixture
def calls(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The requests that reach the Price List API."""
    made: list[dict[str, Any]] = []
    real = aws.client("pricing").get_products

    def get_products(**request: Any) -> Any:
        made.append(request)
        return real(**request)

    monkeypatch.setattr(aws.client("pricing"), "get_products", get_products)
    return made


def test_listed_prices_are_fresh_and_the_others_keep_their_row(aws: Aws):
    found = Prices(aws).all(NOW)
    listed = found["ml.g5.xlarge"]
    assert (listed.usd_per_hour, listed.fetched_at) == ("1.408", NOW)
    assert may_spend(listed, NOW, 0)
    derived = found["ml.g4dn.4xlarge"]
    assert (derived.confidence, derived.fetched_at) == ("C", None)
    assert set(found) == set(price_file())


def test_a_sandbox_says_where_its_list_comes_from(aws: Aws):
    assert "price file" in Prices(aws).all(NOW)["ml.g5.xlarge"].source


def test_the_list_is_read_once_an_hour(aws: Aws, calls: list[dict[str, Any]]):
    prices = Prices(aws)
    prices.all(NOW)
    pages = len(calls)
    prices.all(NOW + timedelta(minutes=59))
    assert len(calls) == pages
    prices.all(NOW + timedelta(minutes=61))
    assert len(calls) == 2 * pages
    fields = {f["Field"]: f["Value"] for f in calls[0]["Filters"]}
    assert fields == {"regionCode": "us-east-1", "component": "Training"}


def test_without_an_answer_the_dated_file_is_all_there_is(
    aws: Aws, monkeypatch: pytest.MonkeyPatch
):
    def refuse(**_: Any) -> None:
        raise client_error("AccessDeniedException")

    monkeypatch.setattr(aws.client("pricing"), "get_products", refuse)
    without_volumes = {
        name: price.model_copy(update={"volume_micro": 0, "volume_source": ""})
        for name, price in Prices(aws).all(NOW).items()
    }
    assert without_volumes == price_file()


def test_types_without_storage_of_their_own_come_with_a_volume(embedded: Embedded):
    prices = Prices(embedded.connect()).all(NOW)
    assert prices["ml.g4dn.xlarge"].running_micro == prices["ml.g4dn.xlarge"].usd_per_hour_micro
    # 30 GiB at $0.14 a month: 0.625 cents an hour of the shortest month.
    assert prices["ml.m5.large"].running_micro == 115_000 + 6_250


def test_another_region_does_not_borrow_prices(embedded: Embedded):
    assert Prices(embedded.connect(region="ap-south-2")).all(NOW) == {}


def test_a_failure_is_tried_again_in_a_minute_and_the_last_answer_is_kept(
    aws: Aws, monkeypatch: pytest.MonkeyPatch
):
    prices = Prices(aws)
    good = prices.all(NOW)
    later = NOW + timedelta(minutes=61)
    with monkeypatch.context() as down:

        def refuse(**_: Any) -> None:
            raise client_error("ThrottlingException")

        down.setattr(aws.client("pricing"), "get_products", refuse)
        assert prices.all(later) == good
        assert prices.all(later)["ml.g5.xlarge"].fetched_at == NOW
    assert prices.all(later + timedelta(seconds=59)) == good
    renewed = later + timedelta(seconds=61)
    assert prices.all(renewed)["ml.g5.xlarge"].fetched_at == renewed


def test_a_refresh_asks_at_once(aws: Aws, calls: list[dict[str, Any]]):
    prices = Prices(aws)
    prices.all(NOW)
    pages = len(calls)
    prices.all(NOW, refresh=True)
    assert len(calls) == 2 * pages


def test_after_the_clock_was_set_back_the_list_is_read_anew(aws: Aws, calls: list[dict[str, Any]]):
    prices = Prices(aws)
    prices.all(NOW + timedelta(days=300))
    pages = len(calls)
    assert prices.all(NOW)["ml.g5.xlarge"].fetched_at == NOW
    assert len(calls) == 2 * pages


def test_an_answer_that_cannot_be_read_is_none(aws: Aws, monkeypatch: pytest.MonkeyPatch):
    """One product without terms: it may be the second price of any type."""

    def answer(**_: Any) -> dict[str, Any]:
        product = {"attributes": {"usagetype": "USE1-Train:ml.g5.xlarge"}}
        return {"PriceList": [json.dumps({"product": product})]}

    monkeypatch.setattr(aws.client("pricing"), "get_products", answer)
    assert Prices(aws).all(NOW)["ml.g5.xlarge"].fetched_at is None
