"""The books that a money machine moves, and what must hold in them: after each step, and in the end."""

from collections.abc import Callable
from itertools import count
from typing import Any

from botocore.exceptions import ClientError
from hypothesis.stateful import RuleBasedStateMachine, invariant

from mlops.approvals import ApprovalStatus
from mlops.aws.clients import Aws
from mlops.aws.events import EventLog
from mlops.aws.jobs import Jobs
from mlops.aws.ledger import Ledger
from mlops.aws.plans import Plans
from mlops.aws.repair import repair
from mlops.aws.tables import LEDGER
from mlops.aws.tokens import Hold
from mlops.errors import OpsError
from mlops.events import EventKind, verify
from mlops.job import Job, JobState
from mlops.ledger import EntryKind, Totals, disagreements, plan_scope
from mlops.money import parse_usd
from mlops.plan import Plan
from mlops.settings import Settings
from mlops.volumes import has_volume
from tests.mlops.aws.embedded import Clock, FakeSageMaker
from tests.mlops.aws.in_process import Dynamo, Killed, connect

MODEL = "global.anthropic.claude-sonnet-4-6"
PEOPLE = ("ada", "bob")


class DyingSageMaker(FakeSageMaker):
    """A `Killed` that strikes during its call takes the caller's whole process with it."""

    def __init__(self, clock: Clock, dynamo: Dynamo):
        super().__init__(clock)
        self._dynamo = dynamo

    def _raise(self, field: str) -> None:
        if isinstance(getattr(self, field), Killed):
            self._dynamo.kill_after(-1)
        super()._raise(field)


class Books(RuleBasedStateMachine):
    """Each person has a dollar a month, their team one and a half."""

    steps = 0

    def __init__(self, dynamo: Dynamo):
        super().__init__()
        dynamo.forget()
        self.dynamo, self.clock = dynamo, Clock()
        self.sagemaker = DyingSageMaker(self.clock, dynamo)
        self.aws = {person: self._connect(person) for person in PEOPLE}
        self.plans: list[Plan] = []
        self.taken = count(1)
        self.calls: dict[str, tuple[Aws, Hold, int]] = {}
        self.bills: dict[str, int] = {}

    def _connect(self, person: str) -> Aws:
        settings = Settings(
            person=person,
            monthly_limit_usd="1.00",
            team="nlp",
            team_monthly_limit_usd="1.50",
            bedrock_model_id=MODEL,
            sandbox=True,
        )
        return connect(self.dynamo, self.sagemaker, settings)

    def attempt(self, killed: int | None, act: Callable[..., Any], *arguments: Any) -> None:
        """What a process does until it ends, is refused, or is killed."""
        self.dynamo.kill_after(killed)
        try:
            act(*arguments)
        except (OpsError, ClientError, Killed):
            pass
        finally:
            self.dynamo.revive()

    def job_names(self, running: bool = False) -> list[str]:
        jobs = self.sagemaker.active() if running else list(self.sagemaker.jobs.values())
        return [job["TrainingJobName"] for job in jobs]

    def plan(self, which: int) -> Plan:
        return self.plans[which % len(self.plans)]

    @invariant()
    def limits_hold_and_books_add_up(self) -> None:
        """In every scope that was written since the last look."""
        Books.steps += 1
        ledger = Ledger(self.aws["ada"])
        touched, self.dynamo.touched = self.dynamo.touched, set()
        for scope in touched:
            totals = ledger.totals(scope)
            if totals is None:
                continue
            wrong = disagreements(totals, ledger.entries(scope))
            assert not wrong, wrong
            key = {"scope": scope, "entry": "TOTAL"}
            item = self.dynamo.get_item(TableName=LEDGER, Key=key)["Item"]
            assert item["left"] == totals.left_micro >= 0
            self._check_approved_sum(totals)

    def _check_approved_sum(self, totals: Totals) -> None:
        """However often stages are tried again, a run takes no more than was approved for it."""
        for plan in self.plans:
            if totals.scope == plan_scope(plan.plan_id):
                assert totals.spent_micro + totals.reserved_micro <= plan.ceiling_micro

    def teardown(self) -> None:
        """Everything ends and the watchdog goes round: nothing leaks, each run is reported once."""
        self.sagemaker.error_before = self.sagemaker.error_after = None
        self.sagemaker.limits = {}
        for _ in range(5):
            for name in self.job_names(running=True):
                self.sagemaker.end(name, 10, metrics={"eval_f1": 0.5, "test_f1": 0.5})
            self.clock.advance(40_000)
            repair(self.aws["ada"], self.clock)
        self.dynamo.touched = {row[0] for row in self._totals()}
        leaked = [found for found in self._totals() if found[1]]
        assert not leaked, leaked
        self.limits_hold_and_books_add_up()
        jobs, plans = Jobs(self.aws["ada"]), Plans(self.aws["ada"])
        assert jobs.open() == [] and plans.open_approvals() == []
        for plan in self.plans:
            self._check_end(plan)
        for key in self.calls:
            self._check_bill(key)
        recorded = {job.job_name for plan in self.plans for job in jobs.of_plan(plan.plan_id)}
        assert recorded == set(self.sagemaker.jobs)

    def _totals(self) -> list[tuple[str, int]]:
        """Every scope that was ever opened, and what is reserved in it."""
        ledger = Ledger(self.aws["ada"])
        rows = self.dynamo.scopes(LEDGER)
        found = [ledger.totals(scope) for scope in rows]
        return [(t.scope, t.reserved_micro) for t in found if t is not None]

    def _check_bill(self, key: str) -> None:
        """What it cost when that was ever booked; else it died, and may have cost all that it held."""
        aws, hold, _ = self.calls[key]
        for scope in hold.scopes:
            booked = sum(e.spent_micro for e in Ledger(aws).entries(scope) if e.key == key)
            assert booked == self.bills.get(key, booked)
            assert 0 < booked <= hold.micro

    def _check_storage(self, plan: Plan, job: Job) -> None:
        """The volume has a booking of its own, on types that have one, in the job's bill."""
        ledger, scope = Ledger(self.aws["ada"]), plan_scope(plan.plan_id)
        settled = ledger.find(scope, EntryKind.SETTLE, job.job_name)
        volume = ledger.find(scope, EntryKind.STORAGE, job.job_name)
        assert settled is not None
        storage = volume.spent_micro if volume else 0
        assert settled.spent_micro + storage == parse_usd(job.cost_usd or "0")
        assert (storage > 0) == (bool(job.billed_seconds) and has_volume(job.instance_type))

    def _check_end(self, plan: Plan) -> None:
        approval = Plans(self.aws["ada"]).approval(plan.plan_id)
        assert approval is not None and approval.status is ApprovalStatus.USED
        log = EventLog(self.aws["ada"], self.clock).tail(plan.person)
        assert verify(log) is None
        ran = Jobs(self.aws["ada"]).of_plan(plan.plan_id)
        assert all(job.settled for job in ran)
        for job in ran:
            self._check_storage(plan, job)
        kinds = (EventKind.REPORT, EventKind.ERROR)
        ends = [e.kind for e in log if e.turn == plan.turn and e.kind in kinds]
        failed = all(job.state is JobState.FAILED for job in ran)
        if ran:
            wanted = [EventKind.ERROR if failed else EventKind.REPORT]
            assert ends == wanted, (plan.turn, ends, approval.queue, [j.state for j in ran])
        else:
            # A launch that died or waited too long says so; one that was refused told its caller.
            assert ends in ([EventKind.ERROR], [])
