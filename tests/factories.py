"""Plans, jobs, offers and markets with defaults, so that a test names only what it is about."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from mlops.constraints import Constraints
from mlops.grid import History, TrainingData
from mlops.instances import find
from mlops.job import Job, launched
from mlops.money import parse_usd
from mlops.offers import Market, Offer
from mlops.plan import Asker, Plan, build
from mlops.prices import Price, price_file
from mlops.quotas import Quota

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
QUOTAS = {"ml.m5.large": 15, "ml.g4dn.xlarge": 2, "ml.g5.xlarge": 1, "ml.g5.2xlarge": 1}
_LISTED = "listed"


def an_offer(
    name: str = "ml.g5.xlarge",
    *,
    price: Price | None | str = _LISTED,
    limit: int | None = 2,
    in_use: int | None = 0,
    spot_limit: int | None = 0,
) -> Offer:
    """An instance type at its list price, with quota; `price` None means unknown."""
    return Offer(
        instance=find(name),
        price=price_file().get(name) if isinstance(price, str) else price,
        quota=Quota(instance_type=name, spot=False, limit=limit, in_use=in_use),
        spot_quota=Quota(instance_type=name, spot=True, limit=spot_limit, in_use=0),
    )


def a_price(name: str = "ml.g5.xlarge", **changes: Any) -> Price:
    return price_file()[name].model_copy(update=changes)


def a_market(offers: Iterable[Offer] | None = None, **changes: Any) -> Market:
    """A small account in us-east-1 with $50 left, where both engines run."""
    if offers is None:
        offers = (an_offer(name, limit=limit) for name, limit in QUOTAS.items())
    facts: dict[str, Any] = {
        "region": "us-east-1",
        "offers": tuple(offers),
        "engines": ("crf", "lora"),
        "sandbox": True,
        "overhead_seconds": 300,
        "startup_seconds": 240,
        "price_max_age_days": 180,
        "month_left_micro": parse_usd("50"),
    }
    return Market(**(facts | changes))


def training_data(**changes: Any) -> TrainingData:
    """About five thousand sentences."""
    facts: dict[str, Any] = {
        "name": "cier",
        "synthetic": True,
        "fingerprint": "f" * 64,
        "prepared_uri": "s3://llmops-datasets/prepared/cier/ffffffffffffffff/",
        "train_tokens": 100_000,
        "total_tokens": 140_000,
    }
    return TrainingData(**(facts | changes))


def an_asker(**changes: Any) -> Asker:
    facts: dict[str, Any] = {"session_id": "s1", "turn": "t1", "person": "ada", "now": NOW}
    return Asker(**(facts | changes))


def a_plan(
    market: Market | None = None,
    asker: Asker | None = None,
    data: TrainingData | None = None,
    history: History | None = None,
    **clauses: Any,
) -> Plan:
    """Built by the rules for `clauses`; without any: "at most $10, one hour, F1 above 85 %"."""
    said: dict[str, Any] = clauses or {
        "budget_usd": "10.00",
        "max_minutes": 60,
        "metric": "f1",
        "target": 0.85,
        "target_comparator": ">",
    }
    task = {"task": "token-classification", "dataset": "cier"}
    constraints = Constraints.model_validate(task | said)
    return build(
        constraints, data or training_data(), market or a_market(), asker or an_asker(), history
    )


def a_job(plan: Plan | None = None, stage: int = 1, attempt: int = 1, **changes: Any) -> Job:
    """The record of a stage that was just launched."""
    plan = plan or a_plan()
    job = launched(plan, plan.stages[stage - 1], attempt, plan.created_at)
    return job.model_copy(update=changes)
