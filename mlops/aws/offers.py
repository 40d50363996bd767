"""The market as it is now: prices, quotas, and what is in use, counted from described running jobs."""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

from botocore.exceptions import BotoCoreError, ClientError

from mlops.aws.clients import Aws, translated
from mlops.aws.prices import Prices
from mlops.aws.quotas import listed
from mlops.errors import OpsError
from mlops.instances import catalog
from mlops.offers import Offer
from mlops.quotas import combine

_DESCRIBERS = 8


class Offers:
    """Quota, use and price of every known type in the region."""

    def __init__(self, aws: Aws, prices: Prices):
        self._aws = aws
        self._prices = prices

    def all(self, now: datetime) -> tuple[Offer, ...]:
        """Retired types are left out. Quotas that cannot be read are unknown, not zero."""
        return self._offers(now, self._limits(), self._in_use())

    def elsewhere(self, now: datetime) -> tuple[Offer, ...]:
        """Of a region where nothing of ours runs as a rule: what cannot be read there is unknown."""
        limits = self._limits()
        if not limits:
            return self._offers(now, {}, None)
        try:
            return self._offers(now, limits, self._in_use())
        except OpsError:
            return self._offers(now, limits, None)

    def _offers(
        self, now: datetime, limits: dict[str, int], in_use: Counter[tuple[str, bool]] | None
    ) -> tuple[Offer, ...]:
        prices = self._prices.all(now)
        return tuple(
            Offer(
                instance=instance,
                price=prices.get(name),
                quota=combine(name, False, limits, in_use),
                spot_quota=combine(name, True, limits, in_use),
            )
            for name, instance in catalog().items()
            if not instance.retired
        )

    def _limits(self) -> dict[str, int]:
        """None of them counts when not all can be read, or when they are those of another region."""
        try:
            found = list(listed(self._aws))
            if any(_region(q["QuotaArn"]) != self._aws.settings.region for q in found):
                return {}
            return {q["QuotaName"]: int(q["Value"]) for q in found}
        except (ClientError, BotoCoreError):
            return {}

    def _in_use(self) -> Counter[tuple[str, bool]]:
        """Instances by (type, spot). A job's summary has no instance type: each is described. A job
        of somebody else may have several types, or none."""
        sagemaker = self._aws.client("sagemaker")
        with translated():
            names = list(self._running())
            with ThreadPoolExecutor(_DESCRIBERS) as pool:
                described = list(
                    pool.map(lambda n: sagemaker.describe_training_job(TrainingJobName=n), names)
                )
        used: Counter[tuple[str, bool]] = Counter()
        for job in described:
            config = job.get("ResourceConfig", {})
            spot = bool(job.get("EnableManagedSpotTraining"))
            for group in config.get("InstanceGroups") or (config,):
                used[group.get("InstanceType", ""), spot] += group.get("InstanceCount", 0)
        return used

    def _running(self) -> Iterator[str]:
        pages = self._aws.client("sagemaker").get_paginator("list_training_jobs")
        for status in ("InProgress", "Stopping"):
            for page in pages.paginate(StatusEquals=status):
                for summary in page["TrainingJobSummaries"]:
                    yield summary["TrainingJobName"]


def _region(arn: str) -> str:
    return arn.split(":")[3]
