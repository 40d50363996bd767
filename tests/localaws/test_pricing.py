"""Pricing: the real shape, only verified rows, and our own reader understands it."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

from mlops.instances import rows
from mlops.prices import price_file, read_price_list

TRAINING = [{"Type": "TERM_MATCH", "Field": "component", "Value": "Training"}]


@pytest.fixture(scope="module")
def pricing(local: Any) -> Any:
    return local.client("pricing")


def products(pricing: Any, filters: list[dict[str, str]]) -> list[str]:
    pages = pricing.get_paginator("get_products").paginate(
        ServiceCode="AmazonSageMaker", Filters=filters, PaginationConfig={"PageSize": 7}
    )
    return [text for page in pages for text in page["PriceList"]]


def test_verified_rows_only_at_their_price(pricing: Any):
    now = datetime(2026, 11, 22, tzinfo=UTC)
    found = read_price_list(products(pricing, TRAINING), "us-east-1", now)
    verified = {row["instance_type"] for row in rows() if row["confidence"] in ("A", "B")}
    assert set(found) == verified
    for name, price in found.items():
        filed = price_file()[name]
        assert (price.usd_per_hour_micro, price.as_of) == (filed.usd_per_hour_micro, filed.as_of)


def test_filters_narrow(pricing: Any):
    wanted = {"Type": "TERM_MATCH", "Field": "instanceName", "Value": "ml.m5.large"}
    (text,) = products(pricing, [*TRAINING, wanted])
    product = json.loads(text)
    attributes = product["product"]["attributes"]
    assert attributes["usagetype"] == "USE1-Train:ml.m5.large"
    assert (attributes["vCpu"], attributes["memory"]) == ("2", "8 GiB")
    assert attributes["physicalGpu"] == "N/A"
    (term,) = product["terms"]["OnDemand"].values()
    (dimension,) = term["priceDimensions"].values()
    assert dimension["pricePerUnit"] == {"USD": "0.115"}
    assert (dimension["unit"], term["effectiveDate"]) == ("Hrs", "2026-08-11T00:00:00Z")
    assert products(pricing, [{**wanted, "Value": "ml.m5.xlarge"}]) == []
    assert products(pricing, [{**wanted, "Field": "nonsense"}]) == []
    either = {**wanted, "Type": "ANY_OF", "Value": "ml.m5.large,ml.g5.xlarge"}
    assert len(products(pricing, [either])) == 2


def test_other_services_are_refused(pricing: Any):
    with pytest.raises(ClientError, match="AmazonEC2 are not part of the embedded AWS"):
        pricing.get_products(ServiceCode="AmazonEC2")
