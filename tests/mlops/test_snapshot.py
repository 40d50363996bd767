"""What a plan was computed from gives the same plan again, and a change of it another one."""

import pytest

from mlops.constraints import Constraints
from mlops.errors import FaultError, RefusedError
from mlops.estimate import PastRun, Work
from mlops.snapshot import Snapshot, pack, take, unpack
from mlops.version import VERSION, rules_version
from tests.factories import a_market, an_asker, training_data

RUN = PastRun(
    work=Work(train_tokens=100_000, total_tokens=140_000, epochs=60),
    billed_seconds=77,
    fingerprint="f" * 64,
    scores={"f1": 0.1 + 0.2},
    job_name="llmops-old",
)


def a_snapshot(budget_usd: str = "10.00") -> Snapshot:
    said = {"task": "token-classification", "dataset": "cier", "budget_usd": budget_usd}
    constraints = Constraints.model_validate({**said, "metric": "f1", "target": 0.85})
    history = {("crf", "ml.m5.large"): [RUN]}
    return take(constraints, training_data(), a_market(), an_asker(), history)


def test_it_comes_back_as_it_was():
    snapshot = a_snapshot()
    packed = pack(snapshot)
    found, digest = unpack(packed.body)
    assert (found, digest) == (snapshot, packed.sha256)
    assert found.plan() == snapshot.plan()
    assert found.plan().plan_id == snapshot.plan().plan_id


def test_prices_and_quotas_are_in_it():
    offer = a_snapshot().market.offers[0]
    assert offer.price is not None
    assert offer.price.source and offer.price.as_of
    assert offer.quota.limit is not None and offer.quota.in_use is not None


def test_other_inputs_give_another_plan_and_digest():
    first, other = a_snapshot(), a_snapshot("9.00")
    assert pack(first).sha256 != pack(other).sha256
    assert first.plan().plan_id != other.plan().plan_id


def test_a_refusal_comes_again_too():
    with pytest.raises(RefusedError):
        unpack(pack(a_snapshot("0.0001")).body)[0].plan()


@pytest.mark.parametrize("body", [b"", b"no", pack(a_snapshot()).body[:-9]])
def test_what_cannot_be_read_is_said(body: bytes):
    with pytest.raises(FaultError, match="cannot be read"):
        unpack(body)


def test_the_rules_are_named_by_version_and_content():
    assert rules_version().startswith(f"{VERSION}+")
