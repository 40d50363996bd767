"""Quotas: limit minus use, and unknown is not zero."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops.quotas import Quota, combine, quota_name

COUNTS = st.none() | st.integers(0, 30)


def test_names_are_those_of_service_quotas():
    assert quota_name("ml.g5.xlarge", False) == "ml.g5.xlarge for training job usage"
    assert quota_name("ml.g5.xlarge", True) == "ml.g5.xlarge for spot training job usage"


@given(COUNTS, COUNTS)
def test_available(limit: int | None, in_use: int | None):
    quota = Quota(instance_type="ml.g5.xlarge", spot=False, limit=limit, in_use=in_use)
    if limit is None or in_use is None:
        assert quota.available is None
    else:
        assert quota.available == max(0, limit - in_use)


@pytest.mark.parametrize(("spot", "limit", "in_use"), [(False, 2, 1), (True, 5, 0)])
def test_training_and_spot_are_counted_apart(spot: bool, limit: int, in_use: int):
    limits = {quota_name("ml.g5.xlarge", False): 2, quota_name("ml.g5.xlarge", True): 5}
    quota = combine("ml.g5.xlarge", spot, limits, {("ml.g5.xlarge", False): 1})
    assert (quota.limit, quota.in_use) == (limit, in_use)


def test_a_quota_that_is_not_listed_is_unknown():
    assert combine("ml.g5.xlarge", False, {}, {}).available is None
