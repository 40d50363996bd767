"""Prices: the file is sound, the Price List is read strictly, and only verified prices buy."""

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops.errors import RefusedError
from mlops.instances import catalog, rows
from mlops.prices import (
    Confidence,
    may_spend,
    price_file,
    read_price_list,
    require_spendable,
)
from tests.factories import NOW, a_price

# EC2 on-demand list prices in us-east-1 and SageMaker's markup on them (1.40 / 1.25 / 1.15;
# small CPU types 1.20). Plain EC2 figures that pass for SageMaker prices fail here.
EC2 = {
    "ml.m5.large": ("0.096", 1.20),
    "ml.m5.xlarge": ("0.192", 1.20),
    "ml.c5.xlarge": ("0.17", 1.20),
    "ml.g4dn.xlarge": ("0.526", 1.40),
    "ml.g4dn.2xlarge": ("0.752", 1.25),
    "ml.g5.xlarge": ("1.006", 1.40),
    "ml.g5.2xlarge": ("1.212", 1.25),
    "ml.g5.12xlarge": ("5.672", 1.25),
    "ml.g5.48xlarge": ("16.288", 1.25),
    "ml.g6.xlarge": ("0.8048", 1.40),
    "ml.g6.12xlarge": ("4.6016", 1.25),
    "ml.g6e.xlarge": ("1.861", 1.40),
    "ml.g6e.12xlarge": ("10.49264", 1.25),
    "ml.p4d.24xlarge": ("21.957642", 1.15),
    "ml.p5.48xlarge": ("55.04", 1.15),
    "ml.p5en.48xlarge": ("63.296", 1.15),
}


def product(name: str, *usd: str, **changes: Any) -> str:
    """A product of GetProducts, constructed after the documented fields."""
    attributes = {
        "usagetype": f"USE1-Train:{name}",
        "instanceName": name,
        "component": "Training",
        "regionCode": "us-east-1",
    }
    terms = {
        f"T{i}": {
            "effectiveDate": changes.pop("day", "2026-10-01T00:00:00Z"),
            "priceDimensions": {"D": {"unit": "Hrs", "pricePerUnit": {"USD": amount}}},
        }
        for i, amount in enumerate(usd)
    }
    body = {"product": {"attributes": attributes | changes}, "terms": {"OnDemand": terms}}
    return json.dumps(body)


def read(*documents: str) -> dict[str, str]:
    found = read_price_list(documents, "us-east-1", NOW)
    return {name: price.usd_per_hour for name, price in found.items()}


@pytest.mark.parametrize("name", EC2)
def test_prices_follow_the_markup_rule(name: str):
    ec2, markup = EC2[name]
    expected = float(ec2) * markup
    assert float(price_file()[name].usd_per_hour) == pytest.approx(expected, rel=0.004)


def test_every_price_is_positive_sourced_and_of_a_current_type():
    for name, price in price_file().items():
        assert price.usd_per_hour_micro > 0
        assert price.source
        assert not catalog()[name].retired
        assert price.confidence is not Confidence.NONE


def test_what_may_be_spent_on_has_a_date_that_is_not_in_the_future():
    for name, price in price_file().items():
        if price.confidence in (Confidence.A, Confidence.B):
            assert price.as_of is not None and price.as_of <= NOW.date(), name


def test_rows_without_a_price_say_so():
    for row in rows():
        assert (row["training_usd_per_hour"] == "") == (row["confidence"] == "none")


def test_known_prices():
    assert price_file()["ml.g4dn.xlarge"].usd_per_hour == "0.7364"
    assert price_file()["ml.g5.xlarge"].usd_per_hour == "1.408"
    assert "ml.p3.2xlarge" not in price_file()


@given(
    st.sampled_from(Confidence),
    st.integers(0, 400),
    st.none() | st.integers(0, 400),
    st.integers(0, 400),
)
def test_only_young_verified_prices_buy(
    confidence: Confidence, age: int, answered: int | None, max_age: int
):
    """Age counts from the last Pricing answer where there was one."""
    price = a_price(
        confidence=confidence,
        as_of=NOW.date() - timedelta(days=age),
        fetched_at=None if answered is None else NOW - timedelta(days=answered),
    )
    young = (age if answered is None else answered) <= max_age
    assert may_spend(price, NOW, max_age) == (young and confidence in ("A", "B"))


def test_a_price_without_a_date_buys_nothing():
    assert not may_spend(a_price(as_of=None), NOW, 10_000)


@pytest.mark.parametrize("missing", [None, a_price(confidence=Confidence.C)])
def test_unknown_and_derived_prices_are_refusals(missing: Any):
    with pytest.raises(RefusedError) as caught:
        require_spendable(missing, "ml.g5.xlarge", NOW, 180)
    assert caught.value.code == "price_unknown"
    assert caught.value.alternatives


def test_an_old_price_is_refused_by_its_date():
    with pytest.raises(RefusedError, match="2020-01-01"):
        require_spendable(a_price(as_of=date(2020, 1, 1)), "ml.g5.xlarge", NOW, 180)
    fetched = a_price(as_of=date(2019, 1, 1), fetched_at=NOW.replace(year=2020))
    with pytest.raises(RefusedError, match="price from 2020-"):
        require_spendable(fetched, "ml.g5.xlarge", NOW, 180)
    assert require_spendable(a_price(), "ml.g5.xlarge", NOW, 180) == a_price()


def test_a_price_list_is_read():
    price = read_price_list([product("ml.g5.xlarge", "1.4080000000")], "us-east-1", NOW)
    found = price["ml.g5.xlarge"]
    assert (found.usd_per_hour, found.confidence) == ("1.408", Confidence.A)
    assert (found.as_of, found.fetched_at) == (date(2026, 10, 1), NOW)


@pytest.mark.parametrize(
    "changes",
    [
        {"usagetype": "USE1-Host:ml.g5.xlarge"},
        {"usagetype": "USE1-Studio:JupyterLab-ml.g5.xlarge"},
        {"usagetype": "USE1-TrainWarmPool:ml.g5.xlarge"},
        {"usagetype": ""},
        {"locationType": "AWS Outposts"},
    ],
)
def test_other_components_are_not_training_prices(changes: dict[str, str]):
    assert read(product("ml.g5.xlarge", "1.0", **changes)) == {}


def test_an_ambiguous_price_is_no_price():
    assert read(product("ml.g5.xlarge", "1.408", "1.006")) == {}
    assert read(product("ml.g5.xlarge", "1.408"), product("ml.g5.xlarge", "1.006")) == {}


def test_zero_prices_are_skipped():
    assert read(product("ml.g5.xlarge", "0.0000000000", "1.408")) == {"ml.g5.xlarge": "1.408"}
    assert read(product("ml.g5.xlarge", "0.0")) == {}


def test_the_same_price_in_two_documents_is_one_price_with_the_later_date():
    documents = [
        product("ml.g5.xlarge", "1.408", day="2026-11-01T00:00:00Z"),
        product("ml.g5.xlarge", "1.4080", day="2026-09-01T00:00:00Z"),
    ]
    found = read_price_list(documents, "us-east-1", NOW)["ml.g5.xlarge"]
    assert (found.usd_per_hour, found.as_of) == ("1.408", date(2026, 11, 1))


def test_products_without_a_dollar_price_are_left_out():
    reserved = json.loads(product("ml.g5.xlarge", "1.4")) | {"terms": {"Reserved": {}}}
    yuan = json.loads(product("ml.g5.xlarge", "1.4"))
    yuan["terms"]["OnDemand"]["T0"]["priceDimensions"]["D"]["pricePerUnit"] = {"CNY": "9"}
    assert read(json.dumps(reserved), json.dumps(yuan)) == {}


def test_the_age_of_a_fetched_price_counts_in_days_of_utc():
    price = a_price(as_of=date(2020, 1, 1), fetched_at=datetime(2026, 11, 21, 23, 59, tzinfo=UTC))
    assert may_spend(price, NOW, 1)
    assert not may_spend(price, NOW, 0)
