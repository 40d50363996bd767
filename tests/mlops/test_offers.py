"""Which instance a model gets: the cheapest that fits, is verified and is free; a named one as said."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops.constraints import Constraints
from mlops.errors import RefusedError, RequestError
from mlops.instances import catalog, find
from mlops.models import LADDER
from mlops.models import find as find_model
from mlops.offers import Offer, choose, fits
from mlops.prices import Confidence, may_spend, price_file
from tests.factories import NOW, a_market, a_price, an_offer

ENCODER = find_model("distilbert-base-multilingual-cased")
CRF = find_model("crf")
CURRENT = [name for name, instance in catalog().items() if not instance.retired]


def chosen(model=ENCODER, offers: list[Offer] | None = None, **said: object) -> str | None:
    choice = choose(model, Constraints.model_validate(said), a_market(offers), NOW)
    return choice.offer.instance.name if choice.offer else None


OFFERS = st.lists(
    st.builds(
        an_offer,
        st.sampled_from(CURRENT),
        limit=st.none() | st.integers(0, 3),
        in_use=st.integers(0, 3),
        spot_limit=st.none() | st.integers(0, 2),
    ),
    unique_by=lambda offer: offer.instance.name,
)


@given(st.sampled_from(LADDER), OFFERS, st.booleans())
def test_the_choice_fits_is_verified_free_and_the_cheapest(model, offers, spot):
    choice = choose(model, Constraints(spot=spot), a_market(offers), NOW)
    usable = [
        o
        for o in offers
        if fits(model, o.instance)
        and o.price is not None
        and may_spend(o.price, NOW, 180)
        and o.available(spot) != 0
    ]
    if choice.offer is None:
        assert usable == []
        return
    assert choice.offer in usable
    assert choice.offer.sort_key == min(o.sort_key for o in usable)
    assert choice.offer.instance.name in choice.reason


def test_a_crf_goes_to_a_cpu_type_and_an_encoder_to_a_gpu_with_enough_memory():
    offers = [an_offer("ml.m5.large"), an_offer("ml.g4dn.xlarge"), an_offer("ml.g5.xlarge")]
    assert chosen(CRF, offers) == "ml.m5.large"
    assert chosen(ENCODER, offers) == "ml.g4dn.xlarge"
    assert not fits(ENCODER, find("ml.trn1.2xlarge"))
    assert not fits(CRF, find("ml.trn1.2xlarge"))


def test_a_derived_price_is_never_spent_on():
    derived = [name for name, p in price_file().items() if p.confidence is Confidence.C]
    offers = [an_offer(name, limit=10) for name in derived]
    assert derived
    assert [chosen(model, offers) for model in LADDER] == [None] * len(LADDER)


def test_a_busy_cheaper_type_is_named_in_the_reason():
    offers = [an_offer("ml.g4dn.xlarge", limit=2, in_use=2), an_offer("ml.g5.xlarge")]
    choice = choose(ENCODER, Constraints(), a_market(offers), NOW)
    assert choice.offer and choice.offer.instance.name == "ml.g5.xlarge"
    assert "cheaper ml.g4dn.xlarge have no free quota" in choice.reason


def test_an_unknown_quota_is_not_zero():
    assert chosen(offers=[an_offer("ml.g5.xlarge", limit=None)]) == "ml.g5.xlarge"


def test_spot_has_its_own_quota():
    offer = an_offer("ml.g5.xlarge", limit=0, spot_limit=1)
    assert chosen(offers=[offer]) is None
    assert chosen(offers=[offer], spot=True) == "ml.g5.xlarge"


@pytest.mark.parametrize("model", [CRF, ENCODER])
def test_a_named_type_is_taken_as_said(model):
    """Although a cheaper one is free."""
    offers = [an_offer("ml.m5.large"), an_offer("ml.g4dn.xlarge"), an_offer("ml.g5.2xlarge")]
    assert chosen(model, offers, instance_type="ml.g5.2xlarge") == "ml.g5.2xlarge"


def test_a_named_type_that_cannot_hold_the_model_is_not_replaced():
    choice = choose(ENCODER, Constraints(instance_type="ml.m5.large"), a_market(), NOW)
    assert choice.offer is None
    assert "ml.m5.large does not have" in choice.reason


def test_a_named_type_without_quota_is_refused_with_priced_others():
    offers = [an_offer("ml.g5.xlarge", limit=1, in_use=1), an_offer("ml.g4dn.xlarge")]
    with pytest.raises(RefusedError) as caught:
        chosen(offers=offers, instance_type="ml.g5.xlarge")
    error = caught.value
    assert (error.code, "1 of 1 in use" in error.message) == ("quota", True)
    assert [a.kind for a in error.alternatives] == ["instance", "wait", "quota"]
    assert error.alternatives[0].cost_usd == "0.7364"


def test_nobody_waits_for_a_quota_of_zero():
    with pytest.raises(RefusedError) as caught:
        chosen(offers=[an_offer("ml.g5.xlarge", limit=0)], instance_type="ml.g5.xlarge")
    assert [a.kind for a in caught.value.alternatives] == ["quota"]


@pytest.mark.parametrize(
    "price",
    [
        None,
        a_price(confidence=Confidence.C),
        a_price(as_of=NOW.date() - timedelta(days=181)),
    ],
)
def test_a_named_type_without_a_verified_price_is_refused(price):
    offers = [an_offer("ml.g5.xlarge", price=price), an_offer("ml.g4dn.xlarge")]
    with pytest.raises(RefusedError) as caught:
        chosen(offers=offers, instance_type="ml.g5.xlarge")
    assert caught.value.code == "price_unknown"


def test_a_named_type_that_is_not_offered_is_the_persons_to_mend():
    with pytest.raises(RequestError) as caught:
        chosen(instance_type="ml.p3.2xlarge")
    assert caught.value.code == "unknown_instance"
