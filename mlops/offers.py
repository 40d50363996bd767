"""The market of instance types: what each costs, whether we may have one, and which one a model gets."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict

from mlops.constraints import Constraints
from mlops.errors import Alternative, RefusedError, RequestError
from mlops.instances import InstanceType
from mlops.models import Model
from mlops.prices import Price, may_spend, require_spendable
from mlops.quotas import Quota


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
    """Offers in one region, what this back end can run, and what may still be spent this month."""

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


class Choice(BaseModel):
    """The offer a model gets, or None; the reason is for people."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    offer: Offer | None
    reason: str


def choose(model: Model, constraints: Constraints, market: Market, now: datetime) -> Choice:
    """The cheapest fitting type with a verified price and free quota; a named type is taken as
    said, or refused with alternatives (RefusedError, RequestError)."""
    spot = bool(constraints.spot)
    if constraints.instance_type:
        return _named(model, constraints.instance_type, market, now, spot)
    priced = _spendable(model, market, now)
    free = [offer for offer in priced if offer.available(spot) != 0]
    if not free:
        reason = f"{model.name}: no instance type with a verified price and free quota."
        return Choice(offer=None, reason=reason)
    best = free[0]
    busy = [o.instance.name for o in priced if o not in free and o.sort_key < best.sort_key]
    also = f"; cheaper {', '.join(busy)} have no free quota" if busy else ""
    kind = "GPU type that fits" if model.needs_gpu else "CPU type"
    return Choice(
        offer=best,
        reason=f"{model.name}: {best.instance.name} at ${best.usd_per_hour}/h is the cheapest "
        f"{kind}{also}.",
    )


def fits(model: Model, instance: InstanceType, named: bool = False) -> bool:
    """Memory fit; a CRF goes to CPU types by itself, and anywhere when the person says so."""
    if not model.needs_gpu:
        return named or instance.is_cpu
    return (instance.gpu_memory_gib_each or 0) >= model.gpu_memory_gib


def _named(model: Model, name: str, market: Market, now: datetime, spot: bool) -> Choice:
    offer = next((o for o in market.offers if o.instance.name == name), None)
    if offer is None:
        raise RequestError("unknown_instance", f"{name} is not offered in {market.region}.")
    require_spendable(offer.price, name, now, market.price_max_age_days)
    if not fits(model, offer.instance, named=True):
        need = f"needs a GPU with {model.gpu_memory_gib} GiB"
        return Choice(offer=None, reason=f"{model.name}: {need}, which {name} does not have.")
    if offer.available(spot) == 0:
        raise _no_quota(offer, model, market, now, spot)
    return Choice(offer=offer, reason=f"{model.name}: {name}, because you named it.")


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
