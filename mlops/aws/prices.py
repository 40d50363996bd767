"""Training prices from the Price List API, with the project's dated price file as the fallback."""

from datetime import datetime, timedelta
from functools import lru_cache
from threading import Lock
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from mlops.aws.clients import Aws
from mlops.errors import OpsError
from mlops.prices import Price, price_file, read_price_list
from mlops.volumes import volume_price, with_volume

_FRESH = timedelta(hours=1)
# An answer that failed is asked for again soon; until then the last good one counts, with its age.
_RETRY_AFTER = timedelta(minutes=1)
_PAGE = 100


@lru_cache(maxsize=32)
def shared_prices(aws: Aws, region: str) -> "Prices":
    """One per region and process: whoever asks, the Price List API is asked once an hour."""
    return Prices(aws, region)


class Prices:
    """Reads all training prices of one region once an hour; `region` None means our own."""

    def __init__(self, aws: Aws, region: str | None = None):
        self._aws = aws
        self._region = region or aws.settings.region
        self._lock = Lock()
        self._ask_at: datetime | None = None
        self._listed: dict[str, Price] = {}

    def all(self, now: datetime, refresh: bool = False) -> dict[str, Price]:
        """By instance type. Types that the API does not list keep the price file's row, which
        says how old it is; when the API never answered, the file is all there is. Each comes
        with its volume's price."""
        with self._lock:
            if refresh or not self._is_fresh(now):
                found = self._fetch(now)
                self._ask_at = now + (_RETRY_AFTER if found is None else _FRESH)
                self._listed = self._listed if found is None else found
            prices = _same_region(self._region) | self._listed
        settings = self._aws.settings
        days = None if settings.sandbox else settings.price_max_age_days
        volume = volume_price(self._region, now, days)
        return {name: with_volume(price, volume) for name, price in prices.items()}

    def _is_fresh(self, now: datetime) -> bool:
        """Not when the clock was set back since."""
        return self._ask_at is not None and timedelta() <= self._ask_at - now <= _FRESH

    def _fetch(self, now: datetime) -> dict[str, Price] | None:
        """None when the API gave no answer, or none that can be read."""
        request: dict[str, Any] = {
            "ServiceCode": "AmazonSageMaker",
            "Filters": [
                {"Type": "TERM_MATCH", "Field": "regionCode", "Value": self._region},
                {"Type": "TERM_MATCH", "Field": "component", "Value": "Training"},
            ],
            "MaxResults": _PAGE,
        }
        documents: list[str] = []
        try:
            while True:
                answer = self._aws.client("pricing").get_products(**request)
                documents += answer["PriceList"]
                if not answer.get("NextToken"):
                    return self._labelled(read_price_list(documents, self._region, now))
                request["NextToken"] = answer["NextToken"]
        except (ClientError, BotoCoreError, LookupError, ValueError, OpsError):
            return None

    def _labelled(self, prices: dict[str, Price]) -> dict[str, Price]:
        """In a sandbox the answer comes from the project's own price file: it says so."""
        if not self._aws.settings.sandbox:
            return prices
        source = "the project's price file, through the embedded Price List API"
        return {name: p.model_copy(update={"source": source}) for name, p in prices.items()}


def _same_region(region: str) -> dict[str, Price]:
    return {name: price for name, price in price_file().items() if price.region == region}
