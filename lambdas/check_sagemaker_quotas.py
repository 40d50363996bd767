"""Tool: instance types with quota, use and price, cheap first."""

from datetime import datetime
from functools import cache

from mlops.aws.clients import Aws
from mlops.aws.offers import Offers
from mlops.aws.prices import Prices
from mlops.aws.serve import now, tool
from mlops.instances import find
from mlops.offers import Offer
from mlops.prices import may_spend
from mlops.tools import OfferRow, QuotasInput, QuotasOutput


def check(aws: Aws, wanted: QuotasInput) -> QuotasOutput:
    moment = now()
    offers = Offers(aws, _prices(aws)).all(moment)
    if wanted.instance_type:
        name = find(wanted.instance_type).name
        offers = tuple(o for o in offers if o.instance.name == name)
    days = aws.settings.price_max_age_days
    rows = sorted((_row(o, moment, days) for o in offers), key=_order)
    usable = [r for r in rows if r.spendable and r.available != 0]
    return QuotasOutput(
        region=aws.settings.region,
        offers=tuple(rows),
        cheapest_gpu=next((r.instance_type for r in usable if r.gpu), None),
        cheapest=next((r.instance_type for r in usable), None),
        sandbox=aws.settings.sandbox,
    )


@cache
def _prices(aws: Aws) -> Prices:
    return Prices(aws)


def _row(offer: Offer, moment: datetime, days: int) -> OfferRow:
    instance, price = offer.instance, offer.price
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
    )


def _order(row: OfferRow) -> tuple[bool, float, str]:
    """Unpriced types last; the float only sorts."""
    return (row.usd_per_hour is None, float(row.usd_per_hour or 0), row.instance_type)


lambda_handler = tool("check_sagemaker_quotas", check)
