"""The market of instance types: what each costs, and whether a model may have one."""

from datetime import datetime
from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from mlops.errors import RequestError
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
        return self.quota_of(spot).available

    def may_free_up(self, spot: bool) -> bool:
        """In use now, but there is a quota: waiting helps."""
        return self.available(spot) == 0 and bool(self.quota_of(spot).limit)

    def quota_of(self, spot: bool) -> Quota:
        return self.spot_quota if spot else self.quota

    @property
    def usd_per_hour(self) -> str | None:
        return self.price.usd_per_hour if self.price else None

    @property
    def sort_key(self) -> int:
        """Micro-USD per hour, volume included; types without a price come last."""
        return self.price.running_micro if self.price else 2**63


class RegionalPrice(BaseModel):
    """What a type costs in another region, volume included in `running_micro`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    region: str
    instance_type: str
    usd_per_hour: str
    running_micro: int
    price_as_of: str


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
    elsewhere: tuple[RegionalPrice, ...] = ()

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
    model: Model,
    offer: Offer,
    spot: bool,
    market: Market,
    now: datetime,
    named: bool = False,
    waits: bool = False,
) -> Obstacle | None:
    """What stands between a model and a type, the first that applies; `named`: a person chose it,
    `waits`: it may start later."""
    if not fits(model, offer.instance, named):
        return Obstacle.MEMORY
    if offer.price is None or not may_spend(offer.price, now, market.price_max_age_days):
        return Obstacle.PRICE
    if waits and offer.may_free_up(spot):
        return None
    return Obstacle.QUOTA if offer.available(spot) == 0 else None


def require_named(name: str, market: Market, now: datetime) -> Offer:
    """The offer that a person named: taken as said, or refused with alternatives, never replaced.
    Its quota is not looked at here."""
    offer = next((o for o in market.offers if o.instance.name == name), None)
    if offer is None:
        raise RequestError("unknown_instance", f"{name} is not offered in {market.region}.")
    require_spendable(offer.price, name, now, market.price_max_age_days)
    return offer


def fits(model: Model, instance: InstanceType, named: bool = False) -> bool:
    """Memory fit; a CRF goes to CPU types by itself, and anywhere when the person says so."""
    if not model.needs_gpu:
        return named or instance.is_cpu
    return (instance.gpu_memory_gib_each or 0) >= model.gpu_memory_gib
