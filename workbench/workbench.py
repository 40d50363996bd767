"""Everything a person can do, as plain typed calls: screens, the command and notebooks use this alone.

Reads go to `mlops.aws`; whatever changes SageMaker or money goes through the tools by the gateway,
and an approval is stored only here, because a person asked for it.
"""

import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel

from mlops.approvals import Approval
from mlops.aws.books import verify
from mlops.aws.clients import translated
from mlops.aws.datasets import Datasets
from mlops.aws.events import EventLog
from mlops.aws.jobs import Jobs
from mlops.aws.ledger import Ledger
from mlops.aws.metrics import LogLine, curves, log_tail
from mlops.aws.plans import Plans
from mlops.aws.queue import queue_plan
from mlops.aws.sessions import Session, Sessions, Turn
from mlops.constraints import Parsed, parse
from mlops.datasets import Dataset, Metadata, PreviewRow
from mlops.errors import Alternative, RequestError
from mlops.estimate import EstimateError
from mlops.events import Event
from mlops.job import Job, change
from mlops.ledger import Entry, person_scope
from mlops.metrics import METRIC_NAMES, MetricPoint
from mlops.money import parse_usd
from mlops.names import slug
from mlops.past import estimate_error
from mlops.plan import Plan
from mlops.settings import Settings
from mlops.tools import (
    CostsOutput,
    IncreaseOutput,
    PlanOutput,
    PrepareOutput,
    QuotasOutput,
    StopOutput,
)
from workbench import boot, sources
from workbench.following import Follower
from workbench.wording import checked, plain

Output = TypeVar("Output", bound=BaseModel)


def connect(home: Path | None = None) -> "Workbench":
    """Starts or joins the back end of this environment; one set of services per process."""
    return Workbench(boot.services(home))


class Workbench:
    """Raises OpsError alone: each has a message for a person, and alternatives."""

    def __init__(
        self,
        services: boot.Services,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ):
        self._services = services
        self._aws = services.aws
        self._clock = clock
        self._log = EventLog(services.aws, clock)
        self._follower = Follower(services.aws, clock)

    @property
    def settings(self) -> Settings:
        return self._services.settings

    def new_session(self) -> str:
        return f"session-{uuid.uuid4().hex[:16]}"

    @translated()
    def sessions(self) -> list[Session]:
        """Mine, newest first."""
        return Sessions(self._aws).of_person(self.settings.person)

    def parse(self, text: str) -> Parsed:
        return parse(plain(text))

    def ask(self, text: str, session_id: str | None = None) -> str:
        """Starts a turn and returns its id at once; RefusedError while another one runs there."""
        return self._services.turns.submit(session_id or self.new_session(), checked(text))

    @translated()
    def events(self, session_id: str, after: int = 0) -> list[Event]:
        """What was logged after a sequence number, oldest first."""
        return self._log.tail(session_id, after)

    @translated()
    def tokens(self, session_id: str, after: int = 0) -> list[Event]:
        """Streamed text of a running turn; its numbers are apart from those of `events`."""
        return self._log.tail_tokens(session_id, after)

    @translated()
    def last_event(self, session_id: str) -> int:
        """The sequence number from which `follow` shows only what is new."""
        return self._log.head(session_id).seq

    def running_turn(self, session_id: str) -> Turn | None:
        """None as well when the process of the turn has died."""
        return self._follower.running_turn(session_id)

    def follow(
        self,
        session_id: str,
        turn: str,
        after: int = 0,
        plan_id: str | None = None,
        on_idle: Callable[[], None] | None = None,
    ) -> Iterator[Event]:
        """Events as they come, to the turn's end; with `plan_id`, to that plan's report or error.

        `on_idle` is called while nothing happens. FaultError when the turn's process died.
        """
        return self._follower.follow(session_id, turn, after, plan_id, on_idle)

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
        parsed = self.parse(checked(sentence))
        if parsed.problems:
            raise RequestError("bad_clause", " ".join(p.message for p in parsed.problems))
        if parsed.constraints.dataset is None:
            raise self._missing_dataset()
        dataset = self.prepare(parsed.constraints.dataset)
        arguments = {
            "dataset": dataset.name,
            "constraints": parsed.constraints.model_dump(mode="json"),
            "session_id": self.new_session(),
            "turn": f"turn-{uuid.uuid4().hex[:16]}",
            "person": self.settings.person,
        }
        return self._call("plan_training", PlanOutput, arguments).plan

    @translated()
    def stored_plan(self, plan_id: str) -> Plan:
        """RequestError when there is no such plan."""
        return Plans(self._aws).get(plan_id)

    def approve(self, plan_id: str) -> str:
        """A person's yes to a plan's ceiling: starts it; the id of the turn that does so."""
        return self._services.turns.approve(plan_id, self.settings.person)

    @translated()
    def queue(
        self, plan_id: str, not_before: datetime | None = None, until: datetime | None = None
    ) -> Approval:
        """A person's yes, to be started when quota is free; given up after a day by default."""
        plan = Plans(self._aws).get(plan_id)
        return queue_plan(self._aws, plan, self._clock, not_before, until)

    def decline(self, plan_id: str) -> None:
        self._services.turns.decline(plan_id, self.settings.person)

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

    def gpus(self, region: str | None = None, refresh: bool = False) -> QuotasOutput:
        """Of another region only the prices; `refresh` asks the Pricing API now."""
        said = {"region": region, "refresh": refresh}
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
        """Brought up to date; RequestError when there is no such job."""
        jobs = Jobs(self._aws)
        return _as_now(jobs, jobs.get(name))

    @translated()
    def curves(self, name: str) -> dict[str, list[MetricPoint]]:
        """Points by metric name, oldest first; metrics without a point are left out."""
        job = Jobs(self._aws).get(name)
        until = job.ended_at or self._clock()
        found = curves(self._aws, name, METRIC_NAMES, job.created_at, until)
        return {metric: points for metric, points in found.items() if points}

    @translated()
    def logs(self, name: str, limit: int = 200) -> list[LogLine]:
        Jobs(self._aws).get(name)
        return log_tail(self._aws, name, limit)

    def stop(self, name: str) -> Job:
        return self._call("stop_training_job", StopOutput, {"job_name": name}).job

    def costs(self) -> CostsOutput:
        """This month: spent and reserved against the limit."""
        return self._call("get_costs", CostsOutput, {"person": self.settings.person})

    @translated()
    def ledger(self) -> list[Entry]:
        """The bookings of this month, oldest first."""
        return Ledger(self._aws).entries(person_scope(self.settings.person, self._clock()))

    @translated()
    def set_monthly_limit(self, usd: str) -> CostsOutput:
        """RequestError for an amount that is none, RefusedError below what is already taken."""
        limit = parse_usd(usd)
        if limit < 0:
            raise RequestError("bad_amount", "A limit cannot be negative.")
        Ledger(self._aws).set_limit(person_scope(self.settings.person, self._clock()), limit)
        return self.costs()

    @translated()
    def verify_ledger(self) -> list[str]:
        """What is wrong with my months or with a plan's money; empty when all agrees."""
        return verify(self._aws, self._clock())

    def _call(self, tool: str, output: type[Output], arguments: dict[str, Any]) -> Output:
        return output.model_validate(self._services.gateway.invoke_tool(tool, arguments))

    def _missing_dataset(self) -> RequestError:
        names = [dataset.name for dataset in self.datasets()]
        ways = tuple(Alternative(kind="dataset", message=f"Use {n}") for n in names[:5])
        return RequestError("missing_dataset", "Which dataset shall I train on?", ways)


def _as_now(jobs: Jobs, job: Job) -> Job:
    """What SageMaker says of it now. Not stored: that is for `follow`, which also logs the change."""
    seen = None if job.state.is_final else jobs.observe(job.job_name)
    return change(job, seen) if seen else job
