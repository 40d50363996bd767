"""Money under any history, as hypothesis rules: two people of one team, their plans, launches, queues,
model calls, ends, stops, retries, changed limits, late and repeated events, processes that die or are
overtaken, clock jumps."""

from datetime import timedelta

from botocore.exceptions import EndpointConnectionError
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from mlops.approvals import Queue
from mlops.aws.clients import Aws
from mlops.aws.follow import follow
from mlops.aws.jobs import Jobs
from mlops.aws.launch import launch
from mlops.aws.ledger import Ledger
from mlops.aws.limits import Limits
from mlops.aws.plans import Plans
from mlops.aws.queue import launch_or_wait, start_queued
from mlops.aws.repair import repair
from mlops.aws.retries import retry
from mlops.aws.stops import stop_job, stop_run
from mlops.aws.tokens import hold_tokens, release_tokens, settle_tokens
from mlops.budget import STOP_GRACE_SECONDS
from mlops.errors import OpsError
from mlops.ledger import person_scope
from mlops.prices import price_file
from mlops.volumes import volume_price, with_volume
from tests.factories import NOW, QUOTAS, a_market, a_plan, an_asker, an_offer
from tests.mlops.aws.in_process import Killed
from tests.mlops.aws.money_books import PEOPLE, Books

VOLUME = volume_price("us-east-1", NOW, None)
PRICES = {name: with_volume(price, VOLUME) for name, price in price_file().items()}
MANY = st.integers(0, 100)
WHO = st.sampled_from(PEOPLE)
# None: nothing goes wrong; n: the process is killed at its n-th write.
KILLED = st.none() | st.none() | st.integers(0, 9)
OVERTAKEN = st.none() | st.none() | st.integers(0, 5)
JUMPS = st.sampled_from([1, 95, 121, 3600, 90_000, -40, -600])
ENDS_OF_CALLS = st.sampled_from(["well", "well", "fails", "hangs"])
HOSTILE_PLANS = st.sampled_from(["", "plan-0", "../ledger", "plan#x", "TOTAL", "é" * 300])
HOSTILE_NUMBERS = st.sampled_from([-1, 0, 2, 3, 99, 2**70])


class Money(Books):
    """What may happen, in any order."""

    @precondition(lambda self: len(self.plans) < 8)
    @rule(
        who=WHO,
        budget=st.sampled_from(["0.03", "0.35", "1.00"]),
        hours=st.none() | st.none() | st.integers(1, 30),
        later=st.none() | st.integers(1, 3),
    )
    def approve(self, who: str, budget: str, hours: int | None, later: int | None) -> None:
        number = next(self.taken)
        asker = an_asker(person=who, session_id=who, turn=f"t{number}", now=self.clock())
        market = a_market(an_offer(name, price=PRICES[name]) for name in QUOTAS)
        plan = a_plan(market, asker, dataset=f"d{number}", budget_usd=budget, target=0.85)
        plans, now, queue = Plans(self.aws[who]), self.clock(), None
        if hours is not None:
            after = None if later is None else now + timedelta(hours=later)
            queue = Queue(not_before=after, until=now + timedelta(hours=hours))
        plans.save(plan)
        plans.approve(plan, who, now, queue)
        self.plans.append(plan)

    @precondition(lambda self: self.plans)
    @rule(which=MANY, killed=KILLED, overtaken=OVERTAKEN, other=MANY)
    def launch(self, which: int, killed: int | None, overtaken: int | None, other: int) -> None:
        """Perhaps overtaken by a launch of the same or another plan, or by the watchdog."""
        plan = self.plan(which)
        if overtaken is not None:
            self.dynamo.overtake(overtaken, lambda: self._overtake(other))
        self.attempt(killed, launch_or_wait, self.aws[plan.person], plan, self.clock)

    def _overtake(self, other: int) -> None:
        try:
            if other % 4 == 0:
                repair(self.aws["ada"], self.clock)
            elif other % 4 == 3 and self.sagemaker.jobs:
                self._retry(other)
            elif other % 4 == 1 and self.sagemaker.jobs:
                names = self.job_names()
                follow(self.aws["ada"], names[other % len(names)], self.clock)
            else:
                plan = self.plan(other)
                launch(self.aws[plan.person], plan, 1, self.clock())
        except OpsError:
            pass

    @precondition(lambda self: self.sagemaker.jobs)
    @rule(which=MANY, killed=KILLED, overtaken=OVERTAKEN, other=MANY, times=st.integers(1, 2))
    def retry(
        self, which: int, killed: int | None, overtaken: int | None, other: int, times: int
    ) -> None:
        """Of any job, ended or not, once or twice, perhaps overtaken."""
        for _ in range(times):
            if overtaken is not None:
                self.dynamo.overtake(overtaken, lambda: self._overtake(other))
            self.attempt(killed, self._retry, which)

    @precondition(lambda self: self.sagemaker.active())
    @rule(which=MANY, seconds=st.integers(0, 600), killed=KILLED, full=st.booleans())
    def fail_and_retry(self, which: int, seconds: int, killed: int | None, full: bool) -> None:
        """The failed stage is tried again while its plan goes on, perhaps with no quota for it."""
        names = self.job_names(running=True)
        name = names[which % len(names)]
        self.sagemaker.end(name, seconds, "Failed")
        self.clock.advance(91)
        self.attempt(None, follow, self.aws["ada"], name, self.clock)
        limits = self.sagemaker.limits
        if full:
            self.sagemaker.limits = dict.fromkeys(QUOTAS, 0)
        self.attempt(killed, self._retry, self.job_names().index(name))
        self.sagemaker.limits = limits

    def _retry(self, which: int) -> None:
        names = self.job_names()
        job = Jobs(self.aws["ada"]).get(names[which % len(names)])
        plan = Plans(self.aws["ada"]).get(job.plan_id)
        retry(self.aws[job.person], plan, job.job_name, self.clock)

    @rule(who=WHO, cents=st.integers(0, 300), team=st.booleans())
    def set_limit(self, who: str, cents: int, team: bool) -> None:
        """A person's or the team's, from this month on; refused below what is taken."""
        limits, micro = Limits(self.aws[who]), cents * 10_000
        if team:
            self.attempt(None, limits.set_team, "nlp", micro, self.clock())
        else:
            self.attempt(None, limits.set_person, who, micro, self.clock())

    @rule(plan_id=HOSTILE_PLANS, stage=HOSTILE_NUMBERS, attempt=HOSTILE_NUMBERS, which=MANY)
    def be_hostile(self, plan_id: str, stage: int, attempt: int, which: int) -> None:
        aws = self.aws["bob"]
        known = self.plan(which).plan_id if self.plans and which % 2 else plan_id
        self.attempt(None, self._launch_known, aws, known, stage, max(1, attempt % 5))
        self.attempt(None, follow, aws, plan_id or "x", self.clock)
        scope = person_scope("ada", self.clock())
        self.attempt(None, Ledger(aws).set_limit, scope, -abs(stage))

    def _launch_known(self, aws: Aws, plan_id: str, stage: int, attempt: int) -> None:
        launch(aws, Plans(aws).get(plan_id), stage, self.clock(), attempt)

    @rule(created=st.booleans(), killed=st.booleans())
    def lose_the_next_answer(self, created: bool, killed: bool) -> None:
        """The next CreateTrainingJob: it happened or not, its caller lives on or not."""
        lost = EndpointConnectionError(endpoint_url="http://127.0.0.1:1")
        error = Killed() if killed else lost
        setattr(self.sagemaker, "error_after" if created else "error_before", error)

    @rule(instance=st.sampled_from(["ml.m5.large", "ml.g4dn.xlarge"]), limit=st.integers(0, 2))
    def change_quota(self, instance: str, limit: int) -> None:
        self.sagemaker.limits[instance] = limit

    @rule(who=WHO, size=st.integers(1, 60_000), killed=KILLED, ends=ENDS_OF_CALLS)
    def say(self, who: str, size: int, killed: int | None, ends: str) -> None:
        """A model call: reserved before, settled after; it may fail, hang, or die in between."""
        self.attempt(killed, self._say, self.aws[who], size, ends)

    def _say(self, aws: Aws, size: int, ends: str) -> None:
        turn = self.plans[-1].turn if self.plans else "t0"
        person, now = aws.settings.person, self.clock()
        hold = hold_tokens(aws, person, f"{turn}#{next(self.taken)}", size, 1_000, now)
        if hold is None:
            return
        if ends == "fails":
            release_tokens(aws, hold, now)
            return
        self.calls[hold.key] = aws, hold, size // 2
        if ends == "well":
            self._settle(hold.key)

    @precondition(lambda self: self.calls)
    @rule(which=MANY, killed=KILLED)
    def settle_late(self, which: int, killed: int | None) -> None:
        """A bill that comes again, or after its call was taken for dead."""
        keys = list(self.calls)
        self.attempt(killed, self._settle, keys[which % len(keys)])

    def _settle(self, key: str) -> None:
        aws, hold, size = self.calls[key]
        self.bills[key] = settle_tokens(aws, hold, size, 500, self.clock())

    @precondition(lambda self: self.sagemaker.active())
    @rule(
        which=MANY,
        share=st.floats(0, 1),
        score=st.sampled_from([0.5, 0.9]),
        status=st.sampled_from(["Completed", "Completed", "Failed", "Stopped"]),
    )
    def end(self, which: int, share: float, score: float, status: str) -> None:
        """Within the platform's own limit: MaxRuntimeInSeconds and the stop grace."""
        names = self.job_names(running=True)
        name = names[which % len(names)]
        limit = self.sagemaker.jobs[name]["StoppingCondition"]["MaxRuntimeInSeconds"]
        seconds = int(share * (limit + STOP_GRACE_SECONDS))
        self.sagemaker.end(name, seconds, status, metrics={"eval_f1": score, "test_f1": score})

    @precondition(lambda self: self.sagemaker.jobs)
    @rule(which=MANY, killed=KILLED, whole=st.booleans())
    def stop(self, which: int, killed: int | None, whole: bool) -> None:
        """A person stops a job, running or ended, or the run that it belongs to."""
        names = self.job_names()
        self.attempt(killed, self._stop, names[which % len(names)], whole)

    def _stop(self, name: str, whole: bool) -> None:
        aws = self.aws["ada"]
        job = Jobs(aws).get(name)
        if whole:
            stop_run(aws, Plans(aws).get(job.plan_id))
        else:
            stop_job(aws, job)

    @precondition(lambda self: self.sagemaker.jobs)
    @rule(which=MANY, killed=KILLED, overtaken=OVERTAKEN, other=MANY, times=st.integers(1, 2))
    def event(
        self, which: int, killed: int | None, overtaken: int | None, other: int, times: int
    ) -> None:
        """Any job's event, late or early, once or twice, alone or at the same time as another."""
        names = self.job_names()
        for _ in range(times):
            if overtaken is not None:
                self.dynamo.overtake(overtaken, lambda: self._overtake(other))
            name = names[which % len(names)]
            self.attempt(killed, follow, self.aws["bob"], name, self.clock)
            self.attempt(killed, start_queued, self.aws["bob"], self.clock)

    @rule(killed=KILLED)
    def watchdog(self, killed: int | None) -> None:
        self.attempt(killed, repair, self.aws["ada"], self.clock)

    @rule(seconds=JUMPS)
    def jump(self, seconds: int) -> None:
        self.clock.advance(seconds)
