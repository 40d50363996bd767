"""A workbench without a back end, for tests of the screens: real typed objects, made by the real rules."""

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from mlops.aws.metrics import LogLine
from mlops.constraints import Intent, parse
from mlops.datasets import Dataset, Metadata, PreviewRow, prepare, preview
from mlops.errors import RefusedError, RequestError
from mlops.estimate import EstimateError
from mlops.events import EventKind
from mlops.instances import catalog
from mlops.job import EndReason, Job, JobState
from mlops.ledger import Entry
from mlops.metrics import MetricPoint
from mlops.money import cost_of_seconds, parse_usd, to_usd
from mlops.past import estimate_error
from mlops.plan import Plan
from mlops.report import build
from mlops.settings import Settings
from mlops.tools import CostsOutput, QuotasOutput, RegionOffer
from tests.factories import a_job, a_market, a_plan, an_asker, training_data
from tests.fake_conversations import FakeConversations
from tests.fake_facts import (
    BROKEN_FILE,
    EVIL,
    GOOD,
    GOOD_FILE,
    SENTENCE,
    bookings,
    missing_dataset,
    offer_row,
    point,
)
from tests.fake_inbox import FakeInbox


class FakeWorkbench(FakeConversations):
    """Holds what a test put in; every call raises `failure` when one is set."""

    def __init__(self) -> None:
        super().__init__()
        self.settings = Settings.from_env(
            {"BEDROCK_MODEL_ID": "local.planner-v1", "LLMOPS_SANDBOX": "1"}
        )
        self.inbox = FakeInbox()
        self.known_jobs: dict[str, Job] = {}
        self.plans: dict[str, Plan] = {}
        self.stored: dict[str, Dataset] = {}
        self.bookings: list[Entry] = []
        self.limit_usd = "50.00"

    def ask(self, text: str, session_id: str | None = None) -> str:
        """A whole turn at once: a plan that waits, an answer, or an error."""
        self._check()
        session = session_id or self.new_session()
        self.calls.append(("ask", text))
        turn = f"turn-{len(self.log.get(session, [])) + 1}"
        parsed = parse(text)
        self.add(session, turn, EventKind.USER, {"text": text})
        step = {"step": "PARSING", "parsed": parsed.model_dump(mode="json")}
        self.add(session, turn, EventKind.STEP, step)
        if parsed.intent is Intent.TRAIN and parsed.constraints.dataset:
            self._plan(session, turn)
        elif parsed.intent is Intent.TRAIN:
            self.add(session, turn, EventKind.ERROR, missing_dataset().as_data())
        else:
            self.add(
                session, turn, EventKind.ANSWER, {"text": "There are **2** datasets:\n- cier"}
            )
        self.add(session, turn, EventKind.DONE, {})
        return turn

    def approve(self, plan_id: str) -> str:
        self._check()
        plan = self.plans[plan_id]
        self.calls.append(("approve", plan_id))
        data = {"plan_id": plan_id, "status": "approved", "by": "ada"}
        self.add(plan.session_id, plan.turn, EventKind.APPROVAL, data)
        now = datetime.now(UTC)
        job = a_job(
            plan, state=JobState.TRAINING, created_at=now, started_at=now + timedelta(seconds=1)
        )
        self.record(job)
        text = f"Training has started: {job.job_name}."
        self.add(plan.session_id, plan.turn, EventKind.ANSWER, {"text": text})
        self.add(plan.session_id, plan.turn, EventKind.DONE, {})
        return plan.turn

    def decline(self, plan_id: str) -> None:
        plan = self.plans[plan_id]
        self.calls.append(("decline", plan_id))
        data = {"plan_id": plan_id, "status": "declined", "by": "ada"}
        self.add(plan.session_id, plan.turn, EventKind.APPROVAL, data)

    def finish(self, plan_id: str, f1: float = 0.9046) -> None:
        """The end that the event handler would write."""
        plan = self.plans[plan_id]
        job = next(j for j in self.known_jobs.values() if j.plan_id == plan_id)
        ended = datetime.now(UTC)
        scores = {"f1": f1, "f1_low": f1 - 0.015, "f1_high": f1 + 0.014, "precision": f1 + 0.01}
        scores |= {"recall": f1 - 0.01}
        done = job.model_copy(
            update={
                "state": JobState.COMPLETED,
                "end_reason": EndReason.FINISHED,
                "ended_at": ended,
                "billed_seconds": 16,
                "cost_usd": to_usd(cost_of_seconds(16, job.usd_per_hour_micro)),
                "metrics": {f"test_{k}": v for k, v in scores.items()} | {"eval_f1": f1 + 0.003},
                "model_uri": f"s3://llmops-models/final/{job.job_name}/output/model.tar.gz",
                "settled": True,
            }
        )
        self.record(done)
        report = build(plan, [done], job.created_at, 0, ended)
        data = report.model_dump(mode="json")
        self.add(plan.session_id, plan.turn, EventKind.REPORT, data)

    def record(self, job: Job) -> None:
        self.known_jobs[job.job_name] = job
        self.add(job.session_id, job.turn, EventKind.JOB, {"job": job.model_dump(mode="json")})

    # Datasets

    def datasets(self) -> list[Dataset]:
        self._check()
        return list(self.stored.values())

    def dataset(self, name: str) -> Dataset:
        if name not in self.stored:
            raise RequestError("unknown_dataset", f"There is no dataset {name!r}.")
        return self.stored[name]

    def import_dataset(
        self, source: Mapping[str, bytes], name: str | None = None, metadata: Any = None
    ) -> Dataset:
        self._check()
        self.calls.append(("import", (name, sorted(source))))
        made = prepare(name or "data", dict(source), metadata or Metadata())
        uri = f"s3://llmops-datasets/raw/{made.name}/"
        self.stored[made.name] = made.to_dataset(uri, uri, datetime.now(UTC))
        return self.stored[made.name]

    def prepare(self, name: str) -> Dataset:
        self.calls.append(("prepare", name))
        return self.dataset(name)

    def preview(self, name: str, limit: int = 20) -> tuple[PreviewRow, ...]:
        return preview([SENTENCE] * 3, limit)

    # The market, jobs and money

    def gpus(
        self, region: str | None = None, refresh: bool = False, regions: Sequence[str] = ()
    ) -> QuotasOutput:
        self._check()
        rows = sorted(
            (offer_row(name) for name in catalog()),
            key=lambda r: (r.usd_per_hour is None, float(r.usd_per_hour or 0), r.instance_type),
        )
        return QuotasOutput(
            region="us-east-1",
            offers=tuple(rows),
            cheapest_gpu="ml.g4dn.xlarge",
            cheapest="ml.m5.large",
            sandbox=True,
            regions=tuple(
                RegionOffer(
                    region=region,
                    instance_type=row.instance_type,
                    usd_per_hour=row.usd_per_hour if region == "us-east-1" else None,
                    price_as_of=None,
                    confidence="none",
                    available=1 if region == "us-east-1" else None,
                    spot_available=None,
                    cheapest=False,
                )
                for row in rows
                for region in regions
            ),
        )

    def jobs(self, limit: int = 100) -> list[Job]:
        self._check()
        newest = sorted(self.known_jobs.values(), key=lambda j: j.created_at, reverse=True)
        return newest[:limit]

    def estimate_error(self) -> EstimateError:
        return estimate_error(self.known_jobs.values())

    def job(self, name: str) -> Job:
        if name not in self.known_jobs:
            raise RequestError("unknown_job", f"There is no job {name!r}.")
        return self.known_jobs[name]

    def curves(self, name: str) -> dict[str, list[MetricPoint]]:
        job = self.job(name)
        seconds = int(((job.ended_at or datetime.now(UTC)) - job.created_at).total_seconds())
        steps = range(min(60, seconds * 4))
        return {
            "train_loss": [point(job, "train_loss", i, 9000 * math.exp(-i / 12)) for i in steps],
            "eval_token_f1": [
                point(job, "eval_token_f1", i, 0.93 * (1 - math.exp(-i / 9))) for i in steps
            ],
        }

    def logs(self, name: str, limit: int = 200) -> list[LogLine]:
        job = self.job(name)
        return [LogLine(at=job.created_at, text="train_loss=12.5 <b>![x](http://evil.example)")]

    def stop(self, name: str) -> Job:
        self.calls.append(("stop", name))
        return self.job(name)

    def costs(self) -> CostsOutput:
        self._check()
        spent = sum(entry.spent_micro for entry in self.bookings)
        reserved = sum(entry.reserved_micro for entry in self.bookings)
        return CostsOutput(
            month="2026-11",
            limit_usd=self.limit_usd,
            spent_usd=to_usd(spent),
            reserved_usd=to_usd(reserved),
            left_usd=to_usd(parse_usd(self.limit_usd) - spent - reserved),
            sandbox=True,
        )

    def ledger(self) -> list[Entry]:
        self._check()
        return self.bookings

    def set_monthly_limit(self, usd: str) -> CostsOutput:
        self.calls.append(("limit", usd))
        if parse_usd(usd) < 1_000_000:
            raise RefusedError("limit_too_low", "$1.00 is already spent or reserved.")
        self.limit_usd = usd
        return self.costs()

    def resume(self) -> int:
        return 0

    def with_datasets(self) -> "FakeWorkbench":
        """A prepared synthetic dataset and a broken one."""
        self.import_dataset({"train.tsv": GOOD_FILE}, "cier", GOOD)
        self.import_dataset({"train.tsv": BROKEN_FILE}, "broken", EVIL)
        self.calls.clear()
        return self

    def with_bookings(self) -> "FakeWorkbench":
        self.bookings = bookings()
        return self

    def _plan(self, session: str, turn: str) -> None:
        self.add(session, turn, EventKind.THINKING, {"text": "First I look for the dataset."})
        call = {"call_id": "c1", "tool": "list_s3_datasets", "arguments": {}}
        self.add(session, turn, EventKind.TOOL_CALL, call)
        result = {"call_id": "c1", "tool": "list_s3_datasets", "ok": True, "result": {"n": 2}}
        self.add(session, turn, EventKind.TOOL_RESULT, result)
        asker = an_asker(session_id=session, turn=turn, now=datetime.now(UTC))
        plan = a_plan(a_market(engines=("crf",)), asker, training_data())
        self.plans[plan.plan_id] = plan
        self.add(session, turn, EventKind.PLAN, {"plan": plan.model_dump(mode="json")})
        waiting = {
            "plan_id": plan.plan_id,
            "status": "waiting",
            "ceiling_usd": plan.ceiling_usd,
            "budget_usd": plan.budget_usd,
        }
        self.add(session, turn, EventKind.APPROVAL, waiting)
