"""Which types a model may have: those that fit, are verified and free; a named one as said."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops.errors import RefusedError, RequestError
from mlops.instances import catalog, find
from mlops.models import LADDER
from mlops.models import find as find_model
from mlops.offers import Obstacle, Offer, fits, obstacle, require_named
from mlops.prices import Confidence, may_spend, price_file
from mlops.waits import seen
from tests.factories import NOW, a_market, a_price, an_offer

ENCODER = find_model("distilbert-base-multilingual-cased")
CRF = find_model("crf")
CURRENT = [name for name, instance in catalog().items() if not instance.retired]


def possible(model=ENCODER, offers: list[Offer] | None = None, spot: bool = False) -> list[str]:
    market = a_market(offers)
    free = (o for o in market.offers if obstacle(model, o, spot, market, NOW) is None)
    return [offer.instance.name for offer in free]


def named(name: str, offers: list[Offer] | None = None) -> str:
    return require_named(name, a_market(offers), NOW).instance.name


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
def test_nothing_stands_in_the_way_of_what_fits_is_verified_and_free(model, offers, spot):
    usable = [
        o.instance.name
        for o in offers
        if fits(model, o.instance)
        and o.price is not None
        and may_spend(o.price, NOW, 180)
        and o.available(spot) != 0
    ]
    assert possible(model, offers, spot) == usable


def test_a_crf_goes_to_a_cpu_type_and_an_encoder_to_a_gpu_with_enough_memory():
    offers = [an_offer("ml.m5.large"), an_offer("ml.g4dn.xlarge"), an_offer("ml.g5.xlarge")]
    assert possible(CRF, offers) == ["ml.m5.large"]
    assert possible(ENCODER, offers) == ["ml.g4dn.xlarge", "ml.g5.xlarge"]
    assert not fits(ENCODER, find("ml.trn1.2xlarge"))
    assert not fits(CRF, find("ml.trn1.2xlarge"))


def test_a_derived_price_is_never_spent_on():
    derived = [name for name, p in price_file().items() if p.confidence is Confidence.C]
    offers = [an_offer(name, limit=10) for name in derived]
    assert derived
    assert [possible(model, offers) for model in LADDER] == [[]] * len(LADDER)


def test_an_unknown_quota_is_not_zero():
    assert possible(offers=[an_offer("ml.g5.xlarge", limit=None)]) == ["ml.g5.xlarge"]


def test_spot_has_its_own_quota():
    offer = an_offer("ml.g5.xlarge", limit=0, spot_limit=1)
    assert possible(offers=[offer]) == []
    assert possible(offers=[offer], spot=True) == ["ml.g5.xlarge"]


def test_a_named_type_is_taken_as_said():
    """Although a cheaper one is free."""
    offers = [an_offer("ml.m5.large"), an_offer("ml.g4dn.xlarge"), an_offer("ml.g5.2xlarge")]
    assert named("ml.g5.2xlarge", offers) == "ml.g5.2xlarge"


def test_what_stands_in_the_way_is_named():
    market = a_market()
    held = an_offer("ml.g5.xlarge", limit=1, in_use=1)
    cases = {
        Obstacle.MEMORY: an_offer("ml.m5.large"),
        Obstacle.PRICE: an_offer("ml.g4dn.4xlarge"),
        Obstacle.QUOTA: held,
    }
    for wanted, offer in cases.items():
        assert obstacle(ENCODER, offer, False, market, NOW) is wanted


def test_a_deadline_allows_for_the_waits_that_were_seen():
    waits = seen([("ml.g5.xlarge", 600.0), ("ml.g5.xlarge", 300.0)])
    market = a_market(waits=waits)
    assert market.startup_of("ml.g5.xlarge", spot=False) == 450
    assert market.startup_of("ml.g5.xlarge", spot=True) == market.startup_seconds
    assert market.startup_of("ml.m5.large", spot=False) == market.startup_seconds


def test_who_waits_can_have_what_is_in_use_but_not_what_has_no_quota():
    market = a_market()
    cases = [(1, 1, None), (1, 0, None), (0, 0, Obstacle.QUOTA), (None, 0, None)]
    for limit, in_use, wanted in cases:
        offer = an_offer("ml.g5.xlarge", limit=limit, in_use=in_use)
        assert obstacle(ENCODER, offer, False, market, NOW, waits=True) is wanted
    busy = an_offer("ml.g5.xlarge", limit=1, in_use=1)
    assert obstacle(ENCODER, busy, False, market, NOW) is Obstacle.QUOTA
    assert (busy.may_free_up(False), busy.may_free_up(True)) == (True, False)


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
        named("ml.g5.xlarge", offers)
    assert caught.value.code == "price_unknown"


def test_a_named_type_that_is_not_offered_is_the_persons_to_mend():
    with pytest.raises(RequestError) as caught:
        named("ml.p3.2xlarge")
    assert caught.value.code == "unknown_instance"
