"""A full quota is refused with ways out that are priced, and that work when they are taken."""

from typing import Any

import pytest

from mlops.errors import Alternative, RefusedError
from mlops.money import parse_usd
from mlops.offers import Market
from mlops.waits import seen
from tests.factories import a_market, a_plan, an_offer

BUSY = an_offer("ml.g5.xlarge", limit=1, in_use=1, spot_limit=1)
SAID: dict[str, Any] = {
    "budget_usd": "5.00",
    "model": "distilbert-base-multilingual-cased",
    "instance_type": "ml.g5.xlarge",
}


def refused(market: Market, **said: Any) -> RefusedError:
    with pytest.raises(RefusedError) as caught:
        a_plan(market, **said)
    return caught.value


def way(error: RefusedError, kind: str) -> Alternative:
    return next(a for a in error.alternatives if a.kind == kind)


def test_every_way_out_of_a_full_quota_is_priced_and_works():
    market = a_market([BUSY, an_offer("ml.g4dn.xlarge"), an_offer("ml.m5.large")])
    error = refused(market, **SAID)
    assert (error.code, error.message) == ("quota", "No ml.g5.xlarge is free: 1 of 1 in use.")
    kinds = [a.kind for a in error.alternatives]
    assert kinds == ["wait", "schedule", "instance", "spot", "quota"]
    for one in error.alternatives:
        assert one.cost_usd is not None and parse_usd(one.cost_usd) > 0
        if not one.changes:
            continue
        said: Any = SAID | one.changes
        plan = a_plan(market, **said)
        assert plan.stages
        if one.kind in ("wait", "schedule"):
            assert plan.stages[0].instance_type == "ml.g5.xlarge"
            assert plan.ceiling_usd == one.cost_usd
    assert way(error, "instance").changes == {"instance_type": "ml.g4dn.xlarge"}
    assert way(error, "spot").changes == {"spot": True}
    assert way(error, "quota").quota == "ml.g5.xlarge"
    assert "llmops gpus request ml.g5.xlarge --approve" in way(error, "quota").message


def test_waiting_takes_what_was_waited_before():
    offers = [BUSY, an_offer("ml.g4dn.xlarge")]
    unknown = way(refused(a_market(offers), **SAID), "wait")
    assert "unknown" in unknown.message
    waits = seen([("ml.g5.xlarge", seconds) for seconds in (600.0, 900.0, 1200.0)])
    known = way(refused(a_market(offers, waits=waits), **SAID), "wait")
    assert "median 900 s, p90 1200 s (3 jobs)" in known.message
    assert known.minutes is not None and unknown.minutes is not None
    assert known.minutes - unknown.minutes == (1200 - 240) / 60


def test_a_full_account_is_named_and_no_quota_of_the_type_is_asked_for():
    """Two of its own are free, and waiting helps."""
    free = an_offer("ml.g5.xlarge", limit=2)
    quota = free.quota.model_copy(update={"account_left": 0})
    error = refused(a_market([free.model_copy(update={"quota": quota})]), **SAID)
    assert "the account-wide quota of training instances is used up" in error.message
    kinds = [a.kind for a in error.alternatives]
    assert "wait" in kinds and "quota" not in kinds


def test_nobody_waits_for_a_quota_of_zero():
    market = a_market([an_offer("ml.g5.xlarge", limit=0), an_offer("ml.g4dn.xlarge")])
    error = refused(market, **SAID)
    assert [a.kind for a in error.alternatives] == ["instance", "quota"]


def test_a_full_spot_quota_names_spot():
    full = an_offer("ml.g5.xlarge", limit=1, spot_limit=0)
    error = refused(a_market([full]), **SAID, spot=True)
    assert error.message == "No spot ml.g5.xlarge is free: 0 of 0 in use."
    assert way(error, "spot").changes == {"spot": False}
    assert way(error, "quota").quota == "ml.g5.xlarge spot"


def test_a_request_that_waits_is_planned_on_what_is_in_use():
    market = a_market([BUSY])
    plan = a_plan(market, **SAID, queue=True)
    assert "it is in use now, so this waits" in plan.reasons[0]
    later = a_plan(market, **SAID, start_at="2026-11-22T18:00:00+00:00")
    assert "waits" not in later.reasons[0]


def test_what_is_free_is_planned_before_what_must_be_waited_for():
    market = a_market([an_offer("ml.g4dn.xlarge", limit=1, in_use=1), an_offer("ml.g5.xlarge")])
    model = {"model": SAID["model"], "budget_usd": "5.00"}
    assert a_plan(market, **model, queue=True).stages[0].instance_type == "ml.g5.xlarge"
    both = a_market([an_offer(n, limit=1, in_use=1) for n in ("ml.g4dn.xlarge", "ml.g5.xlarge")])
    assert a_plan(both, **model, queue=True).stages[0].instance_type == "ml.g4dn.xlarge"
