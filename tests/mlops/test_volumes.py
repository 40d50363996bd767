"""The training volume's price: by region and date, bounded where it is unknown, and what it adds."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops.budget import STOP_GRACE_SECONDS, ceiling
from mlops.instances import catalog
from mlops.job import JobState, Observation, change
from mlops.money import cost_of_seconds, parse_usd
from mlops.prices import price_file
from mlops.volumes import has_volume, volume_price, with_volume
from tests.factories import NOW, a_job, a_market, a_plan, an_offer


def priced(name: str = "ml.m5.large"):
    return with_volume(price_file()[name], volume_price("us-east-1", NOW, 180))


def test_thirty_gib_of_the_shortest_month():
    price = volume_price("us-east-1", NOW, 180)
    assert (price.hour_micro, price.is_bound) == (6_250, False)
    assert "2026-09-28" in price.source


@pytest.mark.parametrize("region", ["eu-west-1", "", "any region"])
def test_an_unknown_region_is_bounded_and_says_so(region: str):
    price = volume_price(region, NOW, 180)
    assert price.is_bound and price.hour_micro > 3 * 6_250
    assert with_volume(price_file()["ml.m5.large"], price).volume_source.startswith("upper bound")


def test_an_old_price_is_bounded_except_in_a_sandbox():
    later = NOW + timedelta(days=365)
    assert volume_price("us-east-1", later, 180).is_bound
    assert not volume_price("us-east-1", later, None).is_bound


def test_only_types_that_the_documentation_names_have_storage_of_their_own():
    without = {name for name in catalog() if not has_volume(name)}
    families = {name.split(".")[1] for name in without}
    assert families == {"g4dn", "g5", "p4d"}
    assert priced("ml.g4dn.xlarge").volume_micro == 0


def test_a_plan_shows_it_and_its_ceiling_covers_it():
    plan = a_plan(a_market([an_offer("ml.m5.large", price=priced())]))
    [stage] = plan.stages
    assert (stage.usd_per_hour, stage.storage_usd_per_hour) == ("0.115", "0.00625")
    seconds = stage.max_runtime_seconds + STOP_GRACE_SECONDS
    assert stage.ceiling_micro == cost_of_seconds(seconds, 121_250)
    assert stage.storage_source == priced().volume_source
    told = int(stage.hyperparameters["max_training_seconds"])
    guess = stage.estimate
    assert told == stage.max_runtime_seconds - guess.overhead_seconds - guess.after_seconds


@given(st.integers(0, 10**5), st.integers(0, 10**5), st.booleans(), st.integers(1, 10**8))
def test_a_bill_within_the_clamp_is_within_the_ceiling(
    billed: int, ran: int, spot: bool, rate: int
):
    """Whatever SageMaker says of billed and of real time, on-demand or spot."""
    clamp = 10**5 - STOP_GRACE_SECONDS
    job = a_job(
        spot=spot,
        usd_per_hour_micro=rate,
        storage_usd_per_hour="0.00625",
        max_runtime_seconds=clamp,
    )
    seen = Observation(
        status="Completed",
        secondary_status="Completed",
        billed_seconds=billed,
        started_at=NOW,
        ended_at=NOW + timedelta(seconds=ran),
    )
    ended = change(job, seen)
    assert ended.state is JobState.COMPLETED
    total, storage = parse_usd(ended.cost_usd or ""), parse_usd(ended.storage_usd or "")
    assert total - storage == cost_of_seconds(billed, rate)
    assert total <= ceiling(clamp, rate + 6_250)
    kept = max(billed, ran) if spot else billed
    assert 0 <= storage <= cost_of_seconds(kept, 6_250)
