"""The market of instance types: what each costs, and whether a model may have one."""

from datetime import datetime
from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from mlops.errors import Alternative, RefusedError, RequestError
from mlops.instances import InstanceType
from mlops.models import Model
from mlops.prices import Price, may_spend, require_spendable
from mlops.quotas import Quota
from mlops.waits import Wait, key


class Offer(BaseModel):
    """An instance type with its price and its quotas, training and spot training apart."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    instance: InstanceType
    price: Price | None
    quota: Quota
    spot_quota: Quota

    def available(self, spot: bool) -> int | None:
        return (self.spot_quota if spot else self.quota).available

    @property
    def usd_per_hour(self) -> str | None:
        return self.price.usd_per_hour if self.price else None

    @property
    def sort_key(self) -> int:
        """Micro-USD per hour; types without a price come last."""
        return self.price.usd_per_hour_micro if self.price else 2**63


class Market(BaseModel):
    """Offers in one region, what this back end can run, and what may still be spent this month.

    `waits` were seen by instance type; `crf_pace` is what this back end measured of itself.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    region: str
    offers: tuple[Offer, ...]
    engines: tuple[str, ...]
    sandbox: bool
    overhead_seconds: int
    startup_seconds: int
    price_max_age_days: int
    month_left_micro: int
    tokens_micro: int = 0
    waits: dict[str, Wait] = {}
    crf_pace: float | None = None
    early_stop: bool = True

    def startup_of(self, instance_type: str, spot: bool) -> int:
        """Seconds until training starts: the back end's figure, longer where we waited longer."""
        wait = self.waits.get(key(instance_type, spot))
        return max(self.startup_seconds, wait.expected_seconds if wait else 0)


class Obstacle(StrEnum):
    """Why a model may not run on a type."""

    MEMORY = "does not fit"
    PRICE = "no verified price"
    QUOTA = "no free quota"


def obstacle(
    model: Model, offer: Offer, spot: bool, market: Market, now: datetime, named: bool = False
) -> Obstacle | None:
    """What stands between a model and a type, the first that applies; `named`: a person chose it."""
    if not fits(model, offer.instance, named):
        return Obstacle.MEMORY
    if offer.price is None or not may_spend(offer.price, now, market.price_max_age_days):
        return Obstacle.PRICE
    return Obstacle.QUOTA if offer.available(spot) == 0 else None


def require_named(name: str, model: Model, market: Market, now: datetime, spot: bool) -> Offer:
    """The offer that a person named: taken as said, or refused with alternatives, never replaced."""
    offer = next((o for o in market.offers if o.instance.name == name), None)
    if offer is None:
        raise RequestError("unknown_instance", f"{name} is not offered in {market.region}.")
    require_spendable(offer.price, name, now, market.price_max_age_days)
    if obstacle(model, offer, spot, market, now, named=True) is Obstacle.QUOTA:
        raise _no_quota(offer, model, market, now, spot)
    return offer


def fits(model: Model, instance: InstanceType, named: bool = False) -> bool:
    """Memory fit; a CRF goes to CPU types by itself, and anywhere when the person says so."""
    if not model.needs_gpu:
        return named or instance.is_cpu
    return (instance.gpu_memory_gib_each or 0) >= model.gpu_memory_gib


def _no_quota(
    offer: Offer, model: Model, market: Market, now: datetime, spot: bool
) -> RefusedError:
    quota = offer.spot_quota if spot else offer.quota
    others = tuple(
        Alternative(
            kind="instance",
            message=f"Use {other.instance.name} at ${other.usd_per_hour} per hour",
            cost_usd=other.usd_per_hour,
        )
        for other in _spendable(model, market, now)
        if other.available(spot) != 0
    )
    wait = Alternative(kind="wait", message="Wait until one of your running jobs ends")
    return RefusedError(
        "quota",
        f"No {offer.instance.name} is free: {quota.in_use} of {quota.limit} in use.",
        (
            *others[:3],
            *((wait,) if quota.limit else ()),
            Alternative(kind="quota", message="Ask AWS for a higher quota"),
        ),
    )


def _spendable(model: Model, market: Market, now: datetime) -> list[Offer]:
    """Fitting offers that may be spent on, cheap first."""
    days = market.price_max_age_days
    fitting = (
        o
        for o in market.offers
        if fits(model, o.instance) and o.price and may_spend(o.price, now, days)
    )
    return sorted(fitting, key=lambda o: o.sort_key)
