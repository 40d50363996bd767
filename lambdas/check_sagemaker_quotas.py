"""Tool: instance types with quota, use, price and waits seen, cheap first; several regions side by side."""

from datetime import datetime

from mlops.aws.clients import Aws
from mlops.aws.jobs import Jobs
from mlops.aws.regions import compare
from mlops.aws.serve import now, tool
from mlops.instances import find
from mlops.money import to_usd
from mlops.offers import Offer
from mlops.past import spot_shares, waits
from mlops.prices import ec2_prices, may_spend, spot_micro
from mlops.tools import OfferRow, QuotasInput, QuotasOutput, RegionOffer
from mlops.waits import Wait


def check(aws: Aws, wanted: QuotasInput) -> QuotasOutput:
    moment = now()
    own = wanted.region or aws.settings.region
    found = compare(aws, (own, *wanted.regions), moment, wanted.refresh)
    offers = found[own]
    if wanted.instance_type:
        name = find(wanted.instance_type).name
        offers = tuple(o for o in offers if o.instance.name == name)
    days = aws.settings.price_max_age_days
    past = Jobs(aws).of_person(aws.settings.person)
    shares, seen = spot_shares(past), waits(past)
    rows = sorted((_row(o, moment, days, shares, seen) for o in offers), key=_order)
    usable = [r for r in rows if r.spendable and r.available != 0]
    return QuotasOutput(
        region=own,
        offers=tuple(rows),
        cheapest_gpu=next((r.instance_type for r in usable if r.gpu), None),
        cheapest=next((r.instance_type for r in usable), None),
        sandbox=aws.settings.sandbox,
        regions=_side_by_side({r: found[r] for r in wanted.regions}, rows),
    )


def _side_by_side(
    found: dict[str, tuple[Offer, ...]], rows: list[OfferRow]
) -> tuple[RegionOffer, ...]:
    """Of the types in `rows`, in their order; the least price of a type is marked in each region
    that has it."""
    by_type = {
        row.instance_type: {
            region: offer
            for region, offers in found.items()
            for offer in offers
            if offer.instance.name == row.instance_type
        }
        for row in rows
    }
    return tuple(
        RegionOffer(
            region=region,
            instance_type=name,
            usd_per_hour=offer.usd_per_hour,
            price_as_of=str(offer.price.as_of) if offer.price and offer.price.as_of else None,
            confidence=offer.price.confidence if offer.price else "none",
            available=offer.available(False),
            spot_available=offer.available(True),
            cheapest=_is_cheapest(offer, list(offers.values())),
        )
        for name, offers in by_type.items()
        for region, offer in offers.items()
    )


def _is_cheapest(offer: Offer, others: list[Offer]) -> bool:
    """Only a known price can be less than another known one."""
    known = [o.sort_key for o in others if o.price is not None]
    return offer.price is not None and len(known) > 1 and offer.sort_key == min(known)


def _row(
    offer: Offer,
    moment: datetime,
    days: int,
    shares: dict[str, list[float]],
    seen: dict[str, Wait],
) -> OfferRow:
    instance, price = offer.instance, offer.price
    wait = seen.get(instance.name)
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
        wait_p50_seconds=wait.median_seconds if wait else None,
        wait_p90_seconds=wait.p90_seconds if wait else None,
        wait_jobs=wait.jobs if wait else 0,
    )


def _order(row: OfferRow) -> tuple[bool, float, str]:
    """Unpriced types last; the float only sorts."""
    return (row.usd_per_hour is None, float(row.usd_per_hour or 0), row.instance_type)


lambda_handler = tool("check_sagemaker_quotas", check)
