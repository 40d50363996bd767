"""Regions side by side: few calls, read together; what is not known of one stays unknown."""

from collections import Counter
from typing import Any

import pytest

from mlops.aws import regions
from mlops.aws.clients import Aws
from mlops.errors import RequestError
from tests.factories import NOW


def counted(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    calls: Counter[str] = Counter()
    make = Aws._make

    def making(self: Aws, service: str) -> Any:
        client = make(self, service)
        client.meta.events.register(
            "before-call", lambda model, **_: calls.update([f"{service}.{model.name}"])
        )
        return client

    monkeypatch.setattr(Aws, "_make", making)
    return calls


def test_two_other_regions_are_read_with_few_calls(aws: Aws, monkeypatch: pytest.MonkeyPatch):
    fresh, calls = Aws(aws.settings, aws.session), counted(monkeypatch)
    names = ("eu-central-1", "us-west-2", "eu-central-1")
    found = regions.compare(fresh, names, NOW)
    assert list(found) == ["eu-central-1", "us-west-2"]
    assert set(calls) == {"pricing.GetProducts", "service-quotas.ListServiceQuotas"}
    assert calls.total() <= 8
    before = calls["pricing.GetProducts"]
    regions.compare(fresh, names, NOW)
    assert calls["pricing.GetProducts"] == before


def test_quotas_that_were_answered_for_another_region_are_unknown(aws: Aws):
    """The embedded AWS has one region only, and says so in its ARNs."""
    fresh = Aws(aws.settings, aws.session)
    offer = next(o for o in regions.look(fresh, "eu-central-1", NOW) if o.price is None)
    assert (offer.available(False), offer.quota.in_use) == (None, None)
    assert regions.prices_of(fresh, ["eu-central-1"], NOW) == {}


@pytest.mark.parametrize("name", ["mars", "us-east-1; rm", "", "US-EAST-1"])
def test_what_is_no_region_is_not_asked_for(aws: Aws, name: str):
    with pytest.raises(RequestError, match="no region"):
        regions.compare(aws, [name], NOW)


def test_not_more_regions_than_can_be_read_together(aws: Aws):
    with pytest.raises(RequestError, match="At most"):
        regions.compare(
            aws,
            [f"eu-west-{n}" for n in range(1, 10)] + [f"us-west-{n}" for n in range(1, 5)],
            NOW,
        )
