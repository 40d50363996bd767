"""Several regions side by side: prices and free quota of each, read at the same time with few calls.

What cannot be read in a region, or was answered for another one, is unknown.
"""

import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import lru_cache

from mlops.aws.clients import Aws
from mlops.aws.offers import Offers
from mlops.aws.prices import shared_prices
from mlops.errors import RequestError
from mlops.offers import Offer
from mlops.prices import Price

MOST = 12
_NAME = re.compile(r"[a-z]{2}(-gov)?-[a-z]+-\d")


def compare(
    aws: Aws, regions: Sequence[str], now: datetime, refresh: bool = False
) -> dict[str, tuple[Offer, ...]]:
    """All offers by region, in the order that was asked for; RequestError for a name that is none."""
    wanted = list(dict.fromkeys(regions))
    for region in wanted:
        if not _NAME.fullmatch(region):
            raise RequestError("bad_region", f"{region!r} is no region such as eu-central-1.")
    if len(wanted) > MOST:
        raise RequestError("too_many_regions", f"At most {MOST} regions are compared at a time.")
    with ThreadPoolExecutor(MOST) as pool:
        found = pool.map(lambda region: look(aws, region, now, refresh), wanted)
        return dict(zip(wanted, found, strict=True))


def look(aws: Aws, region: str, now: datetime, refresh: bool = False) -> tuple[Offer, ...]:
    """One region, our own or another."""
    prices = shared_prices(aws, region)
    prices.all(now, refresh)
    if region == aws.settings.region:
        return Offers(aws, prices).all(now)
    return Offers(_aws_in(aws, region), prices).elsewhere(now)


def prices_of(aws: Aws, regions: Sequence[str], now: datetime) -> dict[str, dict[str, Price]]:
    """Prices alone, by region and type; a region that gives none is left out."""
    if not regions:
        return {}
    with ThreadPoolExecutor(MOST) as pool:
        found = pool.map(lambda region: shared_prices(aws, region).all(now), regions)
        return {region: prices for region, prices in zip(regions, found, strict=True) if prices}


@lru_cache(maxsize=32)
def _aws_in(aws: Aws, region: str) -> Aws:
    """One per process and region: clients are costly to make."""
    return Aws(aws.settings.model_copy(update={"region": region}), aws.session)
