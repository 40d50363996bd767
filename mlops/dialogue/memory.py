"""What a conversation leaves behind for the next words: the last request, what was offered, which job."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict

from mlops.constraints import Constraints, Intent, Parsed
from mlops.datasets import DatasetStatus
from mlops.dialogue.choices import Choice, choice_of
from mlops.dialogue.exchanges import Exchange
from mlops.reading.spending import MONTHLY_LIMIT

REQUESTS = (Intent.TRAIN, Intent.ESTIMATE)
# Clauses of problems that are none of the request itself.
_NOT_OF_A_REQUEST = ("choice", "amount", MONTHLY_LIMIT)
FINAL_STATES = ("completed", "failed", "stopped")


class Memory(BaseModel):
    """Facts of earlier exchanges.

    `request` is the last one to train or to estimate, `plan` what was planned for it, `what_if`
    the question about other terms that was asked since. `offers` are the ways out that the latest
    of them ended with, `failure` why, `shown_plan` its plan. `plans` are those that were put before
    a person, oldest first. `datasets` are the names seen; `jobs` those that a question of ours
    named; `job_name` the one that was spoken of; `topic` what the last words were about.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    said: tuple[str, ...] = ()
    earlier: tuple[Constraints, ...] = ()
    topic: Intent | None = None
    request: Parsed | None = None
    offers: tuple[Choice, ...] = ()
    failure: dict[str, Any] | None = None
    plan: dict[str, Any] | None = None
    what_if: Parsed | None = None
    shown_plan: dict[str, Any] | None = None
    plans: tuple[dict[str, Any], ...] = ()
    datasets: tuple[Choice, ...] = ()
    jobs: tuple[str, ...] = ()
    job_name: str | None = None
    instance_type: str | None = None
    replies: tuple[str, ...] = ()

    def after(self, exchange: Exchange, parsed: Parsed) -> "Memory":
        """The memory that this exchange leaves."""
        rows = _listed(exchange)
        listed = datasets_offered(rows)
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
        if parsed.intent in REQUESTS and not keeps(parsed):
            changes |= self._requested(exchange, parsed, rows)
            changes |= self._begun(exchange, parsed)
        elif self.asks_for_dataset and listed:
            changes["offers"] = listed
        return self.model_copy(update=changes)

    @property
    def asks_for_dataset(self) -> bool:
        return self.request is not None and self.request.constraints.dataset is None

    def dataset_in(self, words: str) -> str:
        """The dataset seen that these folded words name, the longest such name; "" for none."""
        names = sorted((str(o.changes["dataset"]) for o in self.datasets), key=len, reverse=True)
        whole = (
            name for name in names if re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", words)
        )
        return next(whole, "")

    def is_what_if(self, parsed: Parsed) -> bool:
        """A question about other terms of what was planned; it changes nothing of the request."""
        if self.request is None or parsed.intent is not Intent.ESTIMATE:
            return False
        is_planned = self.plan is not None and (self.what_if or self.failure is None)
        if self.request.intent is not Intent.TRAIN or not is_planned:
            return False
        same = self.request.constraints.dataset
        return parsed.amends or parsed.constraints.dataset in (None, same)

    def _begun(self, exchange: Exchange, parsed: Parsed) -> dict[str, Any]:
        """The request that stands from now on, unless it was only asked what would be."""
        noted = exchange.noted
        stays = self.is_what_if(parsed) if noted is None else noted.request is not None
        if stays:
            return {"what_if": parsed, "earlier": self.earlier}
        planned = exchange.result("plan_training")
        made = (planned["plan"],) if planned and parsed.intent is Intent.TRAIN else ()
        return {
            "request": parsed,
            "what_if": None,
            "plan": planned["plan"] if planned else self.plan,
            "plans": (*self.plans, *made),
        }

    def _requested(
        self, exchange: Exchange, parsed: Parsed, rows: Sequence[Mapping[str, Any]]
    ) -> dict[str, Any]:
        planned = exchange.result("plan_training")
        failure = exchange.failure()
        offers = [choice_of(way) for way in (failure or {}).get("alternatives", ())]
        if failure is None and planned is None and parsed.constraints.dataset is None:
            offers = list(datasets_offered(trainable(rows)))
        return {
            "shown_plan": planned["plan"] if planned else self.shown_plan,
            "failure": failure,
            "offers": tuple(offers),
        }


def keeps(parsed: Parsed) -> bool:
    """Words that came to nothing leave the request, and the ways out of it, as they were."""
    return any(problem.clause in _NOT_OF_A_REQUEST for problem in parsed.problems)


def trainable(rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Without those whose files are broken; what nobody has validated yet may be good."""
    return [row for row in rows if row.get("status") != DatasetStatus.INVALID]


def datasets_offered(rows: Sequence[Mapping[str, Any]]) -> tuple[Choice, ...]:
    """Each dataset as a way to complete a request."""
    return tuple(
        Choice(
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


def _listed(exchange: Exchange) -> Sequence[Mapping[str, Any]]:
    result = exchange.result("list_s3_datasets")
    return result["datasets"] if result else ()


def running(jobs: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    return tuple(str(job["job_name"]) for job in jobs if job["state"] not in FINAL_STATES)


def _asked_jobs(exchange: Exchange, parsed: Parsed) -> tuple[str, ...]:
    """The jobs of "which one shall I stop?"."""
    described = exchange.result("describe_training_job")
    if parsed.intent is not Intent.STOP or described is None:
        return ()
    found = running(described["jobs"])
    return found if exchange.result("stop_training_job") is None else ()


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
