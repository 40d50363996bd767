"""Hourly training prices: where each comes from, how old it is, whether it may be spent on."""

import csv
import json
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from functools import cache
from importlib.resources import files
from math import ceil
from statistics import median
from typing import Any

from pydantic import BaseModel, ConfigDict

from mlops.errors import Alternative, RefusedError
from mlops.instances import rows
from mlops.money import parse_usd, to_usd

# Of the on-demand price; see `spot_micro`.
SPOT_SHARE = 0.4


class Confidence(StrEnum):
    """A: Price List API, Training; B: another component, same number; C: derived; NONE: not seen."""

    A = "A"
    B = "B"
    C = "C"
    NONE = "none"

    @property
    def is_verified(self) -> bool:
        """Good enough to spend money on."""
        return self in (Confidence.A, Confidence.B)


class Price(BaseModel):
    """List price of one training instance; `as_of` is the date of the figure itself.

    `fetched_at` is set when the Pricing API gave it: then its age counts from that answer.
    `volume_micro` is the training volume's share of an hour, 0 on types with storage of their own.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    instance_type: str
    region: str
    usd_per_hour_micro: int
    confidence: Confidence
    as_of: date | None
    source: str
    fetched_at: datetime | None = None
    volume_micro: int = 0
    volume_source: str = ""

    @property
    def usd_per_hour(self) -> str:
        return to_usd(self.usd_per_hour_micro)

    @property
    def running_micro(self) -> int:
        """Micro-USD of an hour with the volume: what ceilings and estimates count."""
        return self.usd_per_hour_micro + self.volume_micro


def price_file() -> dict[str, Price]:
    """The project's own price rows by type; rows without a price are absent."""
    return {
        row["instance_type"]: Price(
            instance_type=row["instance_type"],
            region=row["region"],
            usd_per_hour_micro=parse_usd(row["training_usd_per_hour"]),
            confidence=Confidence(row["confidence"]),
            as_of=date.fromisoformat(row["as_of"]) if row["as_of"] else None,
            source=row["source"],
        )
        for row in rows()
        if row["training_usd_per_hour"] and row["status"] != "retired"
    }


def read_price_list(
    documents: Iterable[str], region: str, fetched_at: datetime
) -> dict[str, Price]:
    """Prices from `GetProducts` answers: Training component only, exactly one non-zero price each.

    A type with two different prices is left out: an ambiguous price is no price.
    """
    found: dict[str, dict[int, date]] = {}
    for document in documents:
        product = json.loads(document)
        name = _training_instance(product)
        if name is None:
            continue
        days = found.setdefault(name, {})
        for micro, day in _on_demand(product):
            days[micro] = max(day, days.get(micro, day))
    return {
        name: _listed(name, region, next(iter(prices.items())), fetched_at)
        for name, prices in found.items()
        if len(prices) == 1
    }


def may_spend(price: Price, now: datetime, max_age_days: int) -> bool:
    """Only verified prices (A, B) that are young enough buy anything."""
    dated = _dated(price)
    if not price.confidence.is_verified or dated is None:
        return False
    return now.date() - dated <= timedelta(days=max_age_days)


def require_spendable(price: Price | None, instance_type: str, now: datetime, days: int) -> Price:
    """RefusedError when the price is unknown or too old: never a guess."""
    if price is not None and may_spend(price, now, days):
        return price
    why = "has no known price" if price is None else _why_not(price)
    raise RefusedError(
        "price_unknown",
        f"{instance_type} {why}, so nothing may be spent on it.",
        (
            Alternative(kind="instance", message="Use a type with a verified price"),
            Alternative(kind="retry", message="Refresh prices: llmops gpus --refresh"),
        ),
    )


@cache
def ec2_prices() -> dict[str, int]:
    """EC2 list prices in micro-USD per hour where we know them: SageMaker training costs more, and
    the two are often taken for one another."""
    text = files("mlops").joinpath("ec2_prices.csv").read_text("utf-8")
    return {
        row["instance_type"]: parse_usd(row["ec2_usd_per_hour"])
        for row in csv.DictReader(text.splitlines())
    }


def spot_micro(price: Price, observed: Sequence[float]) -> tuple[int, str]:
    """Expected micro-USD per hour on spot, and what it rests on. Never a limit: that is on-demand.

    `observed` are the shares of on-demand time that past spot jobs were billed.
    """
    if observed:
        share, basis = median(observed), f"estimate: median of {len(observed)} spot jobs of yours"
    else:
        share, basis = SPOT_SHARE, "estimate: public job logs saved 54–79 %, 60 % is assumed"
    return ceil(price.usd_per_hour_micro * share), basis


@cache
def rates() -> tuple[dict[str, str], ...]:
    """The lines of the rate file as read: model tokens and training volumes."""
    text = files("mlops").joinpath("rates.csv").read_text("utf-8")
    return tuple(csv.DictReader(text.splitlines()))


def _why_not(price: Price) -> str:
    if not price.confidence.is_verified:
        return f"has only a derived price ({price.source})"
    return f"has a price from {_dated(price) or 'an unknown day'}, which is too old"


def _dated(price: Price) -> date | None:
    """The day from which its age counts."""
    return price.fetched_at.date() if price.fetched_at else price.as_of


def _training_instance(product: dict[str, Any]) -> str | None:
    """The type, when the SKU is a plain Training one; element 0 of a price list often is not."""
    attributes = product["product"]["attributes"]
    kind, _, name = str(attributes.get("usagetype", "")).rpartition(":")
    if not kind.endswith("-Train") or "Outposts" in str(attributes.get("locationType", "")):
        return None
    return name


def _on_demand(product: dict[str, Any]) -> set[tuple[int, date]]:
    prices: set[tuple[int, date]] = set()
    for term in product["terms"].get("OnDemand", {}).values():
        day = datetime.fromisoformat(term["effectiveDate"].replace("Z", "+00:00"))
        for dimension in term["priceDimensions"].values():
            micro = parse_usd(dimension["pricePerUnit"].get("USD", 0))
            if micro > 0:
                prices.add((micro, day.astimezone(UTC).date()))
    return prices


def _listed(name: str, region: str, price: tuple[int, date], fetched_at: datetime) -> Price:
    return Price(
        instance_type=name,
        region=region,
        usd_per_hour_micro=price[0],
        confidence=Confidence.A,
        as_of=price[1],
        source="AWS Price List API, component Training",
        fetched_at=fetched_at,
    )
