"""The market as a plan sees it: offers, what is left of the month, and what this back end learned."""

from collections.abc import Mapping
from datetime import datetime

from mlops.aws.clients import Aws
from mlops.aws.limits import Limits
from mlops.aws.offers import Offers
from mlops.aws.prices import shared_prices
from mlops.aws.regions import prices_of
from mlops.aws.tokens import allowance, turn_spent
from mlops.offers import Market, RegionalPrice
from mlops.plan import Asker
from mlops.prices import may_spend
from mlops.waits import Wait


def market_of(aws: Aws, asker: Asker, waited: Mapping[str, Wait]) -> Market:
    settings = aws.settings
    limits = Limits(aws)
    left, team = (
        limits.month_of_person(asker.person, asker.now).left_micro,
        limits.team_of(asker.person),
    )
    if team is not None:
        left = min(left, limits.month_of_team(team, asker.now).left_micro)
    used = turn_spent(aws, asker.person, asker.session_id, asker.turn, asker.now)
    return Market(
        region=settings.region,
        offers=Offers(aws, shared_prices(aws, settings.region)).all(asker.now),
        engines=settings.engines,
        sandbox=settings.sandbox,
        overhead_seconds=settings.billed_overhead_seconds,
        startup_seconds=settings.startup_seconds,
        price_max_age_days=settings.price_max_age_days,
        month_left_micro=left,
        tokens_micro=used + allowance(aws, asker.now),
        waits=dict(waited),
        crf_pace=settings.crf_pace,
        early_stop=settings.early_stop,
        elsewhere=_elsewhere(aws, asker.now),
    )


def _elsewhere(aws: Aws, now: datetime) -> tuple[RegionalPrice, ...]:
    """Prices that could be spent on, were the data there."""
    named = (name.strip() for name in aws.settings.compare_regions.split(","))
    others = [name for name in named if name and name != aws.settings.region]
    return tuple(
        RegionalPrice(
            region=region,
            instance_type=name,
            usd_per_hour=price.usd_per_hour,
            running_micro=price.running_micro,
            price_as_of=str(price.as_of),
        )
        for region, prices in prices_of(aws, others, now).items()
        for name, price in prices.items()
        if may_spend(price, now, aws.settings.price_max_age_days)
    )
