"""The training volume: on which types SageMaker provisions one, and what an hour of it costs."""

from datetime import date, datetime, timedelta

from pydantic import BaseModel, ConfigDict

from mlops.money import parse_usd
from mlops.prices import Confidence, Price, rates

VOLUME_GIB = 30
# Of the shortest month: in any other an hour is a smaller share of the monthly price.
HOURS_PER_MONTH = 28 * 24
# SageMaker's documentation of ResourceConfig names these: their own NVMe is used, no volume is made.
# Other types are taken to have a volume, which can only cost more than is billed.
_OWN_STORAGE = ("ml.p4d.", "ml.g4dn.", "ml.g5.")
_KIND, _ANY_REGION = "training_volume", "any region"


class VolumePrice(BaseModel):
    """Micro-USD per GiB and month; `is_bound` when it is an upper bound instead of a price."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    gib_month_micro: int
    is_bound: bool
    source: str

    @property
    def hour_micro(self) -> int:
        """Of the whole volume, rounded up."""
        return -(-self.gib_month_micro * VOLUME_GIB // HOURS_PER_MONTH)


def has_volume(instance_type: str) -> bool:
    return not instance_type.startswith(_OWN_STORAGE)


def volume_price(region: str, now: datetime, max_age_days: int | None) -> VolumePrice:
    """The region's dated price, or the upper bound where it is unknown or too old.

    `max_age_days` None: in a sandbox the price file is current.
    """
    rows = {row["name"]: row for row in rates() if row["kind"] == _KIND}
    row = rows.get(region)
    if row is None or not _spendable(row, now, max_age_days):
        bound = rows[_ANY_REGION]
        return _priced(bound, is_bound=True)
    return _priced(row, is_bound=False)


def with_volume(price: Price, volume: VolumePrice) -> Price:
    """The instance's price with the volume's, where the type has one."""
    if not has_volume(price.instance_type):
        return price
    source = f"upper bound: {volume.source}" if volume.is_bound else volume.source
    return price.model_copy(update={"volume_micro": volume.hour_micro, "volume_source": source})


def _spendable(row: dict[str, str], now: datetime, max_age_days: int | None) -> bool:
    if not Confidence(row["confidence"]).is_verified:
        return False
    age = now.date() - date.fromisoformat(row["as_of"])
    return max_age_days is None or age <= timedelta(days=max_age_days)


def _priced(row: dict[str, str], is_bound: bool) -> VolumePrice:
    source = row["source"] if is_bound else f"{row['source']}; as of {row['as_of']}"
    return VolumePrice(gib_month_micro=parse_usd(row["usd"]), is_bound=is_bound, source=source)
