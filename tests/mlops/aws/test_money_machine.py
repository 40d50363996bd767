"""Money under any history: launches, ends, stops, repeated events, kills after any write, repairs.

However it goes, no scope exceeds its limit, the books add up, and in the end nothing stays reserved.
"""

from functools import partial
from typing import Any, cast
from uuid import uuid4

from botocore.exceptions import EndpointConnectionError
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from mlops.approvals import ApprovalStatus
from mlops.aws.clients import Aws
from mlops.aws.events import EventLog
from mlops.aws.follow import follow
from mlops.aws.jobs import Jobs
from mlops.aws.launch import launch
from mlops.aws.ledger import Ledger
from mlops.aws.plans import Plans
from mlops.aws.repair import repair
from mlops.aws.tables import LEDGER
from mlops.budget import STOP_GRACE_SECONDS
from mlops.errors import OpsError
from mlops.events import EventKind, verify
from mlops.job import JobState
from mlops.ledger import disagreements, person_scope, plan_scope
from mlops.plan import Plan
from tests.factories import a_plan, an_asker
from tests.mlops.aws.embedded import Clock, Embedded, FakeSageMaker
from tests.mlops.aws.scenes import approved

WRITES = ("PutItem", "UpdateItem", "DeleteItem", "TransactWriteItems")
BUDGETS = st.sampled_from(["0.03", "0.35", "1.00"])
SCORES = st.sampled_from([0.5, 0.9])
MANY = st.integers(0, 100)
# None: nothing goes wrong; n: the process is killed after its n-th write.
KILLED = st.none() | st.none() | st.integers(0, 7)


class Killed(BaseException):
    """As `kill -9`: nothing catches it."""


class Money(RuleBasedStateMachine):
    """One person with a dollar a month and up to four plans."""

    def __init__(self, embedded: Embedded):
        super().__init__()
        self.clock = Clock()
        self.sagemaker = FakeSageMaker(self.clock)
        self.person = f"person-{uuid4().hex}"
        self.aws: Aws = embedded.connect(
            self.sagemaker, person=self.person, monthly_limit_usd="1.00"
        )
        self.plans: list[Plan] = []
        self.writes_left: int | None = None
        self.aws.dynamodb.meta.events.register("after-call.dynamodb", self._count)

    def _count(self, model: Any, **_: Any) -> None:
        if self.writes_left is None or model.name not in WRITES:
            return
        self.writes_left -= 1
        if self.writes_left < 0:
            self.writes_left = None
            raise Killed

    def attempt(self, killed: int | None, act: Any, *arguments: Any) -> None:
        """What a process does until it ends, is refused, or is killed."""
        self.writes_left = killed
        try:
            act(self.aws, *arguments)
        except (OpsError, Killed):
            pass
        finally:
            self.writes_left = None

    def job_names(self, running: bool = False) -> list[str]:
        jobs = self.sagemaker.active() if running else list(self.sagemaker.jobs.values())
        return [job["TrainingJobName"] for job in jobs]

    @precondition(lambda self: len(self.plans) < 4)
    @rule(budget=BUDGETS)
    def approve(self, budget: str) -> None:
        name, turn = f"d{len(self.plans)}", f"t{len(self.plans)}"
        asker = an_asker(person=self.person, session_id=self.person, turn=turn, now=self.clock())
        plan = a_plan(asker=asker, dataset=name, budget_usd=budget, target=0.85)
        self.plans.append(approved(self.aws, self.clock, plan))

    @precondition(lambda self: self.plans)
    @rule(which=MANY, killed=KILLED)
    def launch(self, which: int, killed: int | None) -> None:
        plan = self.plans[which % len(self.plans)]
        self.attempt(killed, launch, plan.plan_id, 1, self.clock())

    @rule(created=st.booleans())
    def lose_the_next_answer(self, created: bool) -> None:
        error = EndpointConnectionError(endpoint_url="http://127.0.0.1:1")
        setattr(self.sagemaker, "error_after" if created else "error_before", error)

    @rule(created=st.booleans())
    def kill_the_next_launcher(self, created: bool) -> None:
        setattr(self.sagemaker, "error_after" if created else "error_before", Killed())

    @rule(instance=st.sampled_from(["ml.m5.large", "ml.g4dn.xlarge"]), limit=st.integers(0, 2))
    def change_quota(self, instance: str, limit: int) -> None:
        self.sagemaker.limits[instance] = limit

    @precondition(lambda self: self.sagemaker.active())
    @rule(
        which=MANY,
        share=st.floats(0, 1),
        score=SCORES,
        status=st.sampled_from(["Completed", "Completed", "Failed", "Stopped"]),
    )
    def end(self, which: int, share: float, score: float, status: str) -> None:
        """Within the platform's own limit: MaxRuntimeInSeconds and the stop grace."""
        names = self.job_names(running=True)
        name = names[which % len(names)]
        limit = self.sagemaker.jobs[name]["StoppingCondition"]["MaxRuntimeInSeconds"]
        seconds = int(share * (limit + STOP_GRACE_SECONDS))
        self.sagemaker.end(name, seconds, status, metrics={"eval_f1": score, "test_f1": score})

    @precondition(lambda self: self.sagemaker.active())
    @rule(which=MANY)
    def stop(self, which: int) -> None:
        names = self.job_names(running=True)
        job = Jobs(self.aws).find(names[which % len(names)])
        if job is not None:
            Jobs(self.aws).stop(job)

    @precondition(lambda self: self.sagemaker.jobs)
    @rule(which=MANY, killed=KILLED, times=st.integers(1, 2))
    def event(self, which: int, killed: int | None, times: int) -> None:
        """Any job's event, late or early, once or twice."""
        names = self.job_names()
        for _ in range(times):
            self.attempt(killed, follow, names[which % len(names)], self.clock)

    @rule(killed=KILLED)
    def watchdog(self, killed: int | None) -> None:
        self.attempt(killed, repair, self.clock)

    @rule(seconds=st.sampled_from([1, 121, 3600]))
    def wait(self, seconds: int) -> None:
        self.clock.advance(seconds)

    @invariant()
    def limits_hold_and_books_add_up(self) -> None:
        ledger = Ledger(self.aws)
        for scope in self.scopes():
            totals = ledger.totals(scope)
            if totals is None:
                continue
            assert disagreements(totals, ledger.entries(scope)) == []
            key = {"scope": scope, "entry": "TOTAL"}
            item = self.aws.dynamodb.get_item(TableName=LEDGER, Key=key)["Item"]
            assert item["left"] == totals.left_micro >= 0

    def scopes(self) -> list[str]:
        return [person_scope(self.person, Clock().now)] + [
            plan_scope(plan.plan_id) for plan in self.plans
        ]

    def teardown(self) -> None:
        """Everything ends and the watchdog goes round: nothing leaks, each run is reported once."""
        self.sagemaker.error_before = self.sagemaker.error_after = None
        for _ in range(6):
            for name in self.job_names(running=True):
                self.sagemaker.end(name, 10, metrics={"eval_f1": 0.5, "test_f1": 0.5})
            self.clock.advance(121)
            repair(self.aws, self.clock)
        self.limits_hold_and_books_add_up()
        ledger, plans, jobs = Ledger(self.aws), Plans(self.aws), Jobs(self.aws)
        for scope in self.scopes():
            totals = ledger.totals(scope)
            assert totals is None or totals.reserved_micro == 0
        assert jobs.open() == [] and plans.open_approvals() == []
        log = EventLog(self.aws, self.clock).tail(self.person)
        assert verify(log) is None
        for plan in self.plans:
            approval = plans.approval(plan.plan_id)
            assert approval is not None and approval.status is ApprovalStatus.USED
            ran = jobs.of_plan(plan.plan_id)
            assert all(job.settled for job in ran)
            ends = [
                e.kind
                for e in log
                if e.turn == plan.turn and e.kind in (EventKind.REPORT, EventKind.ERROR)
            ]
            failed = all(job.state is JobState.FAILED for job in ran)
            assert ends == ([EventKind.ERROR if failed else EventKind.REPORT] if ran else [])
        recorded = {job.job_name for plan in self.plans for job in jobs.of_plan(plan.plan_id)}
        assert recorded == set(self.sagemaker.jobs)


def test_money_is_safe_whatever_happens(server: Embedded):
    server.reset()
    run_state_machine_as_test(
        cast(type[Money], partial(Money, server)),
        settings=settings(
            max_examples=20,
            stateful_step_count=16,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
        ),
    )
