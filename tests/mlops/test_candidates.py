"""Each model of the ladder on its instance; a named model stands alone or is refused."""

import pytest

from mlops.budget import ceiling
from mlops.candidates import candidates
from mlops.constraints import Constraints
from mlops.errors import RefusedError, RequestError
from mlops.estimate import PastRun, Work
from mlops.grid import Sources
from mlops.models import LADDER
from tests.factories import NOW, a_market, an_offer, training_data


def drawn(market=None, history=None, **said):
    constraints = Constraints.model_validate(said)
    sources = Sources(
        dataset=training_data(), market=market or a_market(), now=NOW, history=history or {}
    )
    return candidates(constraints, sources)


def test_the_whole_ladder_is_drawn_cheap_first():
    found = drawn()
    assert [c.model for c in found] == list(LADDER)
    assert all(c.best for c in found)
    assert [c.points[0].work.epochs for c in found] == [60, 5, 5]


def test_the_least_money_is_the_p90_and_the_stop_grace():
    for candidate in drawn():
        for point in candidate.points:
            assert point.least_micro == ceiling(point.estimate.p90_seconds, point.price_micro)


def test_a_model_without_an_instance_stays_with_its_reason():
    found = drawn(a_market([an_offer("ml.m5.large")]))
    assert [c.best is not None for c in found] == [True, False, False]
    assert all(c.reason for c in found[1:])


def test_a_named_model_stands_alone():
    found = drawn(model="bert-base-cased")
    assert [c.model.name for c in found] == ["bert-base-cased"]


def test_a_named_model_whose_engine_is_missing_is_refused_not_replaced():
    with pytest.raises(RefusedError) as caught:
        drawn(a_market(engines=("crf",)), model="roberta-large")
    assert caught.value.code == "engine_missing"
    assert [a.message for a in caught.value.alternatives] == ["Use crf (CRF baseline)"]


@pytest.mark.parametrize("model", [None, "bert-base-cased"])
def test_a_task_that_is_not_built_is_refused_whatever_the_model(model: str | None):
    with pytest.raises(RequestError) as caught:
        drawn(task="text-classification", model=model)
    assert caught.value.code == "unsupported_task"


def test_history_of_the_same_model_and_instance_counts():
    work = Work(train_tokens=100_000, total_tokens=140_000, epochs=60)
    runs = [PastRun(work=work, billed_seconds=42)] * 3
    first, second, _ = drawn(history={("crf", "ml.m5.large"): runs})
    assert first.best and first.best.estimate.p50_seconds == 42
    assert second.best and second.best.estimate.basis.startswith("formula")
