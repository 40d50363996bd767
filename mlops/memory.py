"""What a conversation leaves behind for the next words: the last request, what was offered, which job."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict

from mlops.choices import Offer, offer_of
from mlops.constraints import Constraints, Intent, Parsed
from mlops.exchanges import Exchange

REQUESTS = (Intent.TRAIN, Intent.ESTIMATE)
FINAL_STATES = ("completed", "failed", "stopped")


class Memory(BaseModel):
    """Facts of earlier exchanges.

    `request` is the last one to train or to estimate, `offers` the ways out that it ended with,
    `failure` why; `plan` the latest plan; `datasets` the names seen; `jobs` those that a question
    of ours named; `job_name` the one that was spoken of; `topic` what the last words were about.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    said: tuple[str, ...] = ()
    earlier: tuple[Constraints, ...] = ()
    topic: Intent | None = None
    request: Parsed | None = None
    offers: tuple[Offer, ...] = ()
    failure: dict[str, Any] | None = None
    plan: dict[str, Any] | None = None
    datasets: tuple[Offer, ...] = ()
    jobs: tuple[str, ...] = ()
    job_name: str | None = None
    instance_type: str | None = None
    replies: tuple[str, ...] = ()

    def after(self, exchange: Exchange, parsed: Parsed) -> "Memory":
        """The memory that this exchange leaves."""
        listed = _datasets(exchange)
        changes: dict[str, Any] = {
            "said": (*self.said, exchange.text),
            "earlier": (*self.earlier, parsed.constraints),
            "replies": (*self.replies, exchange.text, *exchange.replies),
            "topic": parsed.intent,
            "datasets": listed or self.datasets,
            "jobs": _asked_jobs(exchange, parsed),
            "job_name": _job_name(exchange, self.job_name),
            "instance_type": _cheapest(exchange) or self.instance_type,
        }
        if exchange.noted is not None and exchange.noted.request is not None:
            changes["request"] = exchange.noted.request
        if parsed.intent in REQUESTS:
            changes |= self._requested(exchange, parsed, listed)
        elif self.asks_for_dataset and listed:
            changes["offers"] = listed
        return self.model_copy(update=changes)

    @property
    def asks_for_dataset(self) -> bool:
        return self.request is not None and self.request.constraints.dataset is None

    def _requested(
        self, exchange: Exchange, parsed: Parsed, listed: Sequence[Offer]
    ) -> dict[str, Any]:
        planned = exchange.result("plan_training")
        failure = exchange.failure()
        offers = [offer_of(way) for way in (failure or {}).get("alternatives", ())]
        if failure is None and planned is None and parsed.constraints.dataset is None:
            offers = list(listed)
        return {
            "request": parsed,
            "plan": planned["plan"] if planned else self.plan,
            "failure": failure,
            "offers": tuple(offers),
        }


def datasets_offered(rows: Sequence[Mapping[str, Any]]) -> tuple[Offer, ...]:
    """Each dataset as a way to complete a request."""
    return tuple(
        Offer(
            message=f"Train on {row['name']}",
            kind="dataset",
            changes={"dataset": str(row["name"])},
            size=_sentences(row),
        )
        for row in rows
    )


def _sentences(row: Mapping[str, Any]) -> int | None:
    splits: Mapping[str, Mapping[str, Any]] = row.get("splits") or {}
    return sum(int(split["sentences"]) for split in splits.values()) or None


def _datasets(exchange: Exchange) -> tuple[Offer, ...]:
    result = exchange.result("list_s3_datasets")
    return datasets_offered(result["datasets"]) if result else ()


def running(jobs: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    return tuple(str(job["job_name"]) for job in jobs if job["state"] not in FINAL_STATES)


def _asked_jobs(exchange: Exchange, parsed: Parsed) -> tuple[str, ...]:
    """The jobs of "which one shall I stop?"."""
    described = exchange.result("describe_training_job")
    if parsed.intent is not Intent.STOP or described is None:
        return ()
    found = running(described["jobs"])
    return found if len(found) > 1 and exchange.result("stop_training_job") is None else ()


def _job_name(exchange: Exchange, known: str | None) -> str | None:
    """The one job that was launched, stopped or shown; several shown leave it open."""
    for outcome in reversed(exchange.outcomes):
        if not outcome.ok:
            continue
        if "job_name" in (outcome.data.get("job") or {}):
            return str(outcome.data["job"]["job_name"])
        if outcome.tool == "describe_training_job":
            jobs = outcome.data["jobs"]
            return str(jobs[0]["job_name"]) if len(jobs) == 1 else None
    return known


def _cheapest(exchange: Exchange) -> str | None:
    result = exchange.result("check_sagemaker_quotas")
    return str(result["cheapest_gpu"]) if result and result.get("cheapest_gpu") else None
