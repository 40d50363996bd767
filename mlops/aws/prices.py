"""Training prices from the Price List API, with the project's dated price file as the fallback."""

from datetime import datetime, timedelta
from threading import Lock
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from mlops.aws.clients import Aws
from mlops.prices import Price, price_file, read_price_list

_FRESH = timedelta(hours=1)
_PAGE = 100


class Prices:
    """Reads all training prices of the region once an hour."""

    def __init__(self, aws: Aws):
        self._aws = aws
        self._lock = Lock()
        self._read_at: datetime | None = None
        self._prices: dict[str, Price] = {}

    def all(self, now: datetime) -> dict[str, Price]:
        """By instance type. Types that the API does not list keep the price file's row, which
        says how old it is; when the API cannot be reached, the file is all there is."""
        with self._lock:
            if self._read_at is None or now - self._read_at > _FRESH:
                self._prices = _same_region(self._aws.settings.region) | self._fetch(now)
                self._read_at = now
            return self._prices

    def _fetch(self, now: datetime) -> dict[str, Price]:
        region = self._aws.settings.region
        request: dict[str, Any] = {
            "ServiceCode": "AmazonSageMaker",
            "Filters": [
                {"Type": "TERM_MATCH", "Field": "regionCode", "Value": region},
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
                    return self._labelled(read_price_list(documents, region, now))
                request["NextToken"] = answer["NextToken"]
        except (ClientError, BotoCoreError):
            return {}

    def _labelled(self, prices: dict[str, Price]) -> dict[str, Price]:
        """In a sandbox the answer comes from the project's own price file: it says so."""
        if not self._aws.settings.sandbox:
            return prices
        source = "the project's price file, through the embedded Price List API"
        return {name: p.model_copy(update={"source": source}) for name, p in prices.items()}


def _same_region(region: str) -> dict[str, Price]:
    return {name: price for name, price in price_file().items() if price.region == region}
