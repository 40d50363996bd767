"""Tool: instance types with quota, use and price, cheap first."""

from datetime import datetime
from functools import lru_cache

from mlops.aws.clients import Aws
from mlops.aws.jobs import Jobs
from mlops.aws.offers import Offers
from mlops.aws.prices import Prices
from mlops.aws.serve import now, tool
from mlops.instances import find
from mlops.money import to_usd
from mlops.offers import Offer
from mlops.prices import ec2_prices, may_spend, spot_micro
from mlops.tools import OfferRow, QuotasInput, QuotasOutput

_QUOTAS = ("quota", "spot_quota")


def check(aws: Aws, wanted: QuotasInput) -> QuotasOutput:
    moment = now()
    prices = _prices(aws, wanted.region or aws.settings.region)
    prices.all(moment, wanted.refresh)
    offers = Offers(aws, prices).all(moment)
    if wanted.region not in (None, aws.settings.region):
        offers = tuple(_elsewhere(offer) for offer in offers)
    if wanted.instance_type:
        name = find(wanted.instance_type).name
        offers = tuple(o for o in offers if o.instance.name == name)
    days = aws.settings.price_max_age_days
    shares = Jobs(aws).spot_shares(aws.settings.person)
    rows = sorted((_row(o, moment, days, shares) for o in offers), key=_order)
    usable = [r for r in rows if r.spendable and r.available != 0]
    return QuotasOutput(
        region=wanted.region or aws.settings.region,
        offers=tuple(rows),
        cheapest_gpu=next((r.instance_type for r in usable if r.gpu), None),
        cheapest=next((r.instance_type for r in usable), None),
        sandbox=aws.settings.sandbox,
    )


@lru_cache(maxsize=8)
def _prices(aws: Aws, region: str) -> Prices:
    return Prices(aws, region)


def _elsewhere(offer: Offer) -> Offer:
    """Quotas of another region are not read: unknown."""
    unknown = {"limit": None, "in_use": None}
    quotas = {name: getattr(offer, name).model_copy(update=unknown) for name in _QUOTAS}
    return offer.model_copy(update=quotas)


def _row(offer: Offer, moment: datetime, days: int, shares: dict[str, list[float]]) -> OfferRow:
    instance, price = offer.instance, offer.price
    ec2 = ec2_prices().get(instance.name) if price and price.region == "us-east-1" else None
    spot, basis = spot_micro(price, shares.get(instance.name, [])) if price else (None, None)
    return OfferRow(
        instance_type=instance.name,
        gpu=instance.gpu,
        gpu_count=instance.gpu_count,
        gpu_memory_gib_each=instance.gpu_memory_gib_each,
        vcpu=instance.vcpu,
        memory_gib=instance.memory_gib,
        usd_per_hour=offer.usd_per_hour,
        price_as_of=str(price.as_of) if price and price.as_of else None,
        price_source=price.source if price else None,
        confidence=price.confidence if price else "none",
        spendable=price is not None and may_spend(price, moment, days),
        limit=offer.quota.limit,
        in_use=offer.quota.in_use,
        available=offer.quota.available,
        spot_limit=offer.spot_quota.limit,
        spot_in_use=offer.spot_quota.in_use,
        spot_available=offer.spot_quota.available,
        ec2_usd_per_hour=None if ec2 is None else to_usd(ec2),
        spot_usd_per_hour=None if spot is None else to_usd(spot),
        spot_basis=basis,
    )


def _order(row: OfferRow) -> tuple[bool, float, str]:
    """Unpriced types last; the float only sorts."""
    return (row.usd_per_hour is None, float(row.usd_per_hour or 0), row.instance_type)


lambda_handler = tool("check_sagemaker_quotas", check)
