"""Everything a person can do, as plain typed calls: screens, the command and notebooks use this alone.

Reads go to `mlops.aws`; whatever changes SageMaker or money goes through the tools by the gateway,
and an approval is stored only here, because a person asked for it.
"""

import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel

from mlops.approvals import Approval
from mlops.aws.books import verify
from mlops.aws.clients import translated
from mlops.aws.datasets import Datasets
from mlops.aws.jobs import Jobs
from mlops.aws.ledger import Ledger
from mlops.aws.limits import Limits
from mlops.aws.metrics import LogLine, curves, log_tail
from mlops.aws.plans import Plans
from mlops.aws.queue import queue_plan
from mlops.aws.sessions import Sessions
from mlops.aws.waiting import waiting
from mlops.datasets import Dataset, DatasetStatus, Metadata, PreviewRow
from mlops.errors import Alternative, RequestError
from mlops.estimate import EstimateError
from mlops.job import Job, change
from mlops.ledger import Entry, person_scope
from mlops.metrics import METRIC_NAMES, MetricPoint
from mlops.money import parse_usd, to_cents
from mlops.names import slug
from mlops.past import estimate_error
from mlops.plan import Plan
from mlops.tools import (
    CostsOutput,
    IncreaseOutput,
    LaunchOutput,
    PlanOutput,
    PrepareOutput,
    QuotasOutput,
    StopOutput,
    WaitingPlan,
)
from workbench import boot, sources
from workbench.conversations import Conversations
from workbench.decisions import DecisionLog
from workbench.notices import Inbox
from workbench.wording import require_job, understood

Output = TypeVar("Output", bound=BaseModel)


def connect(home: Path | None = None) -> "Workbench":
    """Starts or joins the back end of this environment; one set of services per process."""
    return Workbench(boot.services(home))


class Workbench(Conversations):
    """Raises OpsError alone: each has a message for a person, and alternatives."""

    def __init__(
        self,
        services: boot.Services,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ):
        super().__init__(services.aws, services.turns, clock)
        self._services = services

    @property
    def decision_log(self) -> DecisionLog:
        """Who decided what and why: read, proved, exported, replayed."""
        return DecisionLog(self._aws, self._clock)

    @property
    def inbox(self) -> Inbox:
        """What a person is told of outside the conversation."""
        return Inbox(self._aws, self._clock)

    @translated()
    def resume(self) -> int:
        """Takes over turns whose process died; how many."""
        return self._services.turns.resume_orphans()

    def reconnect(self) -> None:
        """Starts or joins the embedded AWS again after it died; harmless otherwise."""
        boot.revive(self._services)

    def close(self) -> None:
        """Lets running turns of this process end."""
        boot.close(self._services)

    def plan(self, sentence: str) -> Plan:
        """What it would cost, without starting anything; `approve` may start it later."""
        parsed = understood(sentence, self._clock(), self.settings.timezone)
        if parsed.constraints.dataset is None:
            raise self._missing_dataset()
        dataset = self.prepare(parsed.constraints.dataset)
        session_id, person = self.new_session(), self.settings.person
        Sessions(self._aws).open(session_id, person, sentence, self._clock())
        arguments = {
            "dataset": dataset.name,
            "constraints": parsed.constraints.model_dump(mode="json"),
            "session_id": session_id,
            "turn": f"turn-{uuid.uuid4().hex[:16]}",
            "person": person,
        }
        return self._call("plan_training", PlanOutput, arguments).plan

    @translated()
    def stored_plan(self, plan_id: str) -> Plan:
        """RequestError when there is no such plan, RefusedError when it is somebody else's."""
        return Plans(self._aws).of(self.settings.person, plan_id)

    def approve(self, plan_id: str) -> str:
        """A person's yes to a plan's ceiling: starts it; the id of the turn that does so."""
        return self._services.turns.approve(plan_id, self.settings.person)

    @translated()
    def queue(
        self, plan_id: str, not_before: datetime | None = None, until: datetime | None = None
    ) -> Approval:
        """A person's yes, to be started when quota is free; given up after a day by default."""
        plan = self.stored_plan(plan_id)
        title = f"Plan for {plan.dataset.name}"
        Sessions(self._aws).open(plan.session_id, plan.person, title, self._clock())
        return queue_plan(self._aws, plan, self._clock, not_before, until)

    def decline(self, plan_id: str) -> None:
        """Also takes a plan that was approved, and waits, out of the queue."""
        if self._waits(plan_id):
            self.cancel(plan_id)
        else:
            self._services.turns.decline(plan_id, self.settings.person)

    def cancel(self, plan_id: str) -> StopOutput:
        """Takes a plan out of the queue and gives back what was reserved for it; RefusedError
        "already_started" when it runs meanwhile: who takes back a wait must not stop a run."""
        wanted = {"plan_id": plan_id, "queued_only": True, "person": self.settings.person}
        return self._call("stop_training_job", StopOutput, wanted)

    @translated()
    def waiting(self) -> tuple[WaitingPlan, ...]:
        """My approved plans that wait for their time or for quota."""
        return waiting(self._aws, self.settings.person)

    @translated()
    def datasets(self) -> list[Dataset]:
        return Datasets(self._aws).all(self._clock())

    @translated()
    def dataset(self, name: str) -> Dataset:
        """As a person writes its name; RequestError with near names."""
        return Datasets(self._aws).find(name, self._clock())

    def import_dataset(
        self,
        source: str | Path | Sequence[str | Path] | Mapping[str, bytes],
        name: str | None = None,
        metadata: Metadata | None = None,
    ) -> Dataset:
        """Uploads a folder, files, `sample:NAME` or bytes by file name, and prepares the dataset.

        RequestError with file and line when the data is broken; it is then kept as INVALID.
        """
        if isinstance(source, Mapping):
            raw = sources.from_bytes(source, name)
        else:
            raw = sources.read([source] if isinstance(source, str | Path) else source)
        called = slug(name) if name else raw.name
        with translated():
            described = metadata or raw.metadata or Metadata()
            Datasets(self._aws).upload(called, raw.files, described)
        return self.prepare(called)

    def prepare(self, name: str) -> Dataset:
        return self._call("prepare_dataset", PrepareOutput, {"dataset": name}).dataset

    @translated()
    def preview(self, name: str, limit: int = 20) -> tuple[PreviewRow, ...]:
        """The first sentences of the prepared training split."""
        datasets = Datasets(self._aws)
        return datasets.preview(datasets.find(name, self._clock()), limit)

    def gpus(
        self, region: str | None = None, refresh: bool = False, regions: Sequence[str] = ()
    ) -> QuotasOutput:
        """`regions` are compared side by side; `refresh` asks the Pricing API now."""
        said = {"region": region, "refresh": refresh, "regions": list(regions)}
        return self._call("check_sagemaker_quotas", QuotasOutput, said)

    def request_quota(
        self, instance_type: str, spot: bool, value: int | None, approve: bool
    ) -> IncreaseOutput:
        """A draft; sent to AWS only when a person approves it."""
        by = self.settings.person if approve else ""
        wanted = {"instance_type": instance_type, "spot": spot, "value": value, "approved_by": by}
        return self._call("request_quota_increase", IncreaseOutput, wanted)

    @translated()
    def jobs(self, limit: int = 100) -> list[Job]:
        """Mine, newest first, brought up to date."""
        jobs = Jobs(self._aws)
        return [_as_now(jobs, job) for job in jobs.of_person(self.settings.person, limit)]

    @translated()
    def estimate_error(self) -> EstimateError:
        """Mean absolute percentage error of estimated against billed time of my completed jobs."""
        return estimate_error(Jobs(self._aws).of_person(self.settings.person))

    @translated()
    def job(self, name: str) -> Job:
        """Brought up to date; RequestError when there is no such job, RefusedError when it is
        somebody else's."""
        jobs = Jobs(self._aws)
        return _as_now(jobs, jobs.of(self.settings.person, name))

    @translated()
    def curves(self, name: str) -> dict[str, list[MetricPoint]]:
        """Points by metric name, oldest first; metrics without a point are left out."""
        job = Jobs(self._aws).of(self.settings.person, name)
        until = job.ended_at or self._clock()
        found = curves(self._aws, name, METRIC_NAMES, job.created_at, until)
        return {metric: points for metric, points in found.items() if points}

    @translated()
    def logs(self, name: str, limit: int = 200) -> list[LogLine]:
        Jobs(self._aws).of(self.settings.person, name)
        return log_tail(self._aws, name, limit)

    def stop(self, name: str) -> Job:
        wanted = {"job_name": name, "person": self.settings.person}
        return require_job(self._call("stop_training_job", StopOutput, wanted).job)

    def stop_plan(self, plan_id: str) -> StopOutput:
        """Ends a plan's run, or takes it out of the queue."""
        wanted = {"plan_id": plan_id, "person": self.settings.person}
        return self._call("stop_training_job", StopOutput, wanted)

    @translated()
    def retry(self, name: str) -> Job:
        """Another attempt of my failed or stopped job, within what was approved for its plan."""
        plan = Plans(self._aws).get(Jobs(self._aws).of(self.settings.person, name).plan_id)
        wanted = {"plan_id": plan.plan_id, "max_cost_cents": to_cents(plan.ceiling_micro)}
        launch = {**wanted, "retry_of": name}
        return require_job(self._call("launch_sagemaker_training", LaunchOutput, launch).job)

    def costs(self, team: str | None = None) -> CostsOutput:
        """This month: spent and reserved against the limit; of a team as well, mine by default."""
        wanted = {"person": self.settings.person, "team": team}
        return self._call("get_costs", CostsOutput, wanted)

    @translated()
    def ledger(self) -> list[Entry]:
        """The bookings of this month, oldest first."""
        return Ledger(self._aws).entries(person_scope(self.settings.person, self._clock()))

    @translated()
    def set_monthly_limit(self, usd: str, team: str | None = None) -> CostsOutput:
        """My limit, or a team's, from this month on.

        RequestError for an amount that is none, RefusedError below what is already taken.
        """
        limit, limits, now = parse_usd(usd), Limits(self._aws), self._clock()
        if limit < 0:
            raise RequestError("bad_amount", "A limit cannot be negative.")
        if team is not None and (not team.strip() or "#" in team):
            raise RequestError("bad_team", f"{team!r} is not a team's name.")
        if team is not None:
            limits.set_team(team, limit, now)
        else:
            limits.set_person(self.settings.person, limit, now)
        return self.costs(team)

    @translated()
    def verify_ledger(self) -> list[str]:
        """What is wrong with my months or with a plan's money; empty when all agrees."""
        return verify(self._aws, self._clock())

    @translated()
    def _waits(self, plan_id: str) -> bool:
        approval = Plans(self._aws).approval(plan_id)
        return approval is not None and approval.queue is not None

    def _call(self, tool: str, output: type[Output], arguments: dict[str, Any]) -> Output:
        return output.model_validate(self._services.gateway.invoke_tool(tool, arguments))

    def _missing_dataset(self) -> RequestError:
        names = [d.name for d in self.datasets() if d.status is not DatasetStatus.INVALID]
        ways = tuple(Alternative(kind="dataset", message=f"Use {n}") for n in names[:5])
        return RequestError("missing_dataset", "Which dataset shall I train on?", ways)


def _as_now(jobs: Jobs, job: Job) -> Job:
    """What SageMaker says of it now. Not stored: that is for `follow`, which also logs the change."""
    seen = None if job.state.is_final else jobs.observe(job.job_name)
    return change(job, seen) if seen else job
