"""Following a plan through: settled once, next stage, one report, whatever order events come in."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import EndpointConnectionError

from mlops.approvals import ApprovalStatus
from mlops.aws.clients import Aws
from mlops.aws.events import EventLog
from mlops.aws.follow import follow, report_once
from mlops.aws.jobs import Jobs
from mlops.aws.launch import launch
from mlops.aws.plans import Plans
from mlops.errors import FaultError
from mlops.events import EventKind
from mlops.job import JobState
from mlops.money import cost_of_seconds, parse_usd
from mlops.plan import Plan
from mlops.report import Report
from tests.mlops.aws.embedded import Clock, Embedded, FakeSageMaker
from tests.mlops.aws.scenes import approved, books, logged, name_of, reserved

GOOD = {"eval_f1": 0.9, "test_f1": 0.88}
POOR = {"eval_f1": 0.5, "test_f1": 0.5}


@pytest.fixture
def plan(aws: Aws, clock: Clock) -> Plan:
    """Running its first stage."""
    plan = approved(aws, clock)
    launch(aws, plan, 1, clock())
    return plan


def report(aws: Aws, clock: Clock) -> Report:
    [event] = logged(aws, clock, EventKind.REPORT)
    return Report.model_validate(event.data)


def closed(aws: Aws, plan: Plan) -> bool:
    approval = Plans(aws).approval(plan.plan_id)
    assert approval is not None
    return approval.status is ApprovalStatus.USED and Jobs(aws).open() == []


def test_a_strangers_job_is_none_of_ours(aws: Aws, clock: Clock):
    assert follow(aws, "somebody-elses", clock) is None


def test_a_running_job_is_noted_once_per_change(
    aws: Aws, clock: Clock, sagemaker: FakeSageMaker, plan: Plan
):
    for _ in range(2):
        follow(aws, name_of(plan), clock)
    sagemaker.train(name_of(plan))
    for _ in range(2):
        follow(aws, name_of(plan), clock)
    assert Jobs(aws).get(name_of(plan)).state is JobState.TRAINING
    states = [e.data["job"]["state"] for e in logged(aws, clock, EventKind.JOB)]
    assert states == ["training"]
    assert reserved(aws, plan) == plan.ceiling_micro


def test_a_score_that_meets_the_target_ends_the_plan(
    aws: Aws, clock: Clock, sagemaker: FakeSageMaker, plan: Plan
):
    clock.advance(600)
    sagemaker.end(name_of(plan), seconds=300, metrics=GOOD)
    follow(aws, name_of(plan), clock)
    cost = cost_of_seconds(300, parse_usd("0.115"))
    own, month = books(aws, plan)
    assert (own.spent_micro, own.reserved_micro) == (cost, 0)
    assert (month.spent_micro, month.reserved_micro) == (cost, 0)
    made = report(aws, clock)
    assert parse_usd(made.total_cost_usd) == cost
    assert made.minutes == 10
    assert {v.clause: v.verdict for v in made.verdicts} == {
        "budget_usd": "PASS",
        "max_minutes": "PASS",
        "target": "PASS",
    }
    assert closed(aws, plan)
    settled, closing = (e.data for e in logged(aws, clock, EventKind.COST))
    assert (settled["entry"], closing["entry"]) == ("settle", "close")
    assert settled["amount_usd"] == settled["spent_usd"] == made.total_cost_usd
    assert closing["spent_usd"] == made.total_cost_usd


def test_a_score_that_misses_climbs_to_the_next_stage_and_then_reports(
    aws: Aws, clock: Clock, sagemaker: FakeSageMaker, plan: Plan
):
    sagemaker.end(name_of(plan), seconds=300, metrics=POOR)
    follow(aws, name_of(plan), clock)
    assert sagemaker.creations == [name_of(plan, 1), name_of(plan, 2)]
    own, _ = books(aws, plan)
    tokens_and_rest = plan.ceiling_micro - plan.stages[0].ceiling_micro
    assert own.reserved_micro == tokens_and_rest
    assert logged(aws, clock, EventKind.REPORT) == []
    sagemaker.end(name_of(plan, 2), seconds=200, metrics=GOOD)
    follow(aws, name_of(plan, 2), clock)
    made = report(aws, clock)
    assert [s.stage for s in made.stages] == [1, 2]
    assert made.reported_stage == 2
    assert reserved(aws, plan) == 0
    assert closed(aws, plan)
    said = [
        (e.data["job"]["stage"], e.data["job"]["state"]) for e in logged(aws, clock, EventKind.JOB)
    ]
    assert said == [(1, "completed"), (2, "starting"), (2, "completed")]


@pytest.mark.parametrize("metrics", [GOOD, POOR])
def test_the_same_event_three_times_at_once(
    embedded: Embedded, clock: Clock, sagemaker: FakeSageMaker, metrics: dict[str, float]
):
    sides = [embedded.connect(sagemaker) for _ in range(3)]
    plan = approved(sides[0], clock)
    launch(sides[0], plan, 1, clock())
    for stage in (1, 2):
        if name_of(plan, stage) not in sagemaker.jobs:
            break
        sagemaker.end(name_of(plan, stage), seconds=100, metrics=metrics)
        with ThreadPoolExecutor(3) as pool:
            list(pool.map(lambda side: follow(side, name_of(plan, stage), clock), sides))  # noqa: B023
    assert len(logged(sides[0], clock, EventKind.REPORT)) == 1
    entries = [e.data["entry"] for e in logged(sides[0], clock, EventKind.COST)]
    assert sorted(entries) == ["close", *["settle"] * len(sagemaker.creations)]
    rates = (s.usd_per_hour for s in plan.stages[: len(sagemaker.creations)])
    own, _ = books(sides[0], plan)
    assert own.spent_micro == sum(cost_of_seconds(100, parse_usd(rate)) for rate in rates)
    assert own.reserved_micro == 0
    assert closed(sides[0], plan)


def test_late_and_repeated_events_change_nothing(
    aws: Aws, clock: Clock, sagemaker: FakeSageMaker, plan: Plan
):
    sagemaker.end(name_of(plan), metrics=POOR)
    follow(aws, name_of(plan), clock)
    sagemaker.end(name_of(plan, 2), metrics=GOOD)
    follow(aws, name_of(plan, 2), clock)
    before = books(aws, plan), EventLog(aws, clock).tail("s1")
    for stage in (1, 2, 2, 1):
        clock.advance(60)
        follow(aws, name_of(plan, stage), clock)
    assert (books(aws, plan), EventLog(aws, clock).tail("s1")) == before
    assert len(sagemaker.creations) == 2


def test_an_end_that_a_screen_saw_first_is_still_in_the_log(
    aws: Aws, clock: Clock, sagemaker: FakeSageMaker, plan: Plan
):
    sagemaker.end(name_of(plan), metrics=GOOD)
    Jobs(aws).refresh(Jobs(aws).get(name_of(plan)))
    follow(aws, name_of(plan), clock)
    assert [e.data["job"]["state"] for e in logged(aws, clock, EventKind.JOB)] == ["completed"]
    assert report(aws, clock)


def test_a_stopped_plan_is_charged_and_reported(
    aws: Aws, clock: Clock, sagemaker: FakeSageMaker, plan: Plan
):
    Jobs(aws).stop(Jobs(aws).get(name_of(plan)))
    sagemaker.end(name_of(plan), seconds=50, status="Stopped")
    follow(aws, name_of(plan), clock)
    made = report(aws, clock)
    assert parse_usd(made.total_cost_usd) == cost_of_seconds(50, parse_usd("0.115"))
    assert len(sagemaker.creations) == 1
    assert reserved(aws, plan) == 0


def test_when_every_stage_failed_the_log_ends_with_one_error(
    aws: Aws, clock: Clock, sagemaker: FakeSageMaker, plan: Plan
):
    for stage in (1, 2):
        sagemaker.end(name_of(plan, stage), seconds=10, status="Failed")
        for _ in range(2):
            follow(aws, name_of(plan, stage), clock)
    assert logged(aws, clock, EventKind.REPORT) == []
    [error] = logged(aws, clock, EventKind.ERROR)
    assert (error.data["code"], error.data["exit_code"]) == ("job_failed", 4)
    assert error.data["plan_id"] == plan.plan_id
    assert error.data["job_name"] == name_of(plan, 2)
    assert "AlgorithmError: boom" in error.data["message"]
    assert error.data["alternatives"]
    assert reserved(aws, plan) == 0
    assert closed(aws, plan)


def test_a_failed_stage_is_followed_by_a_better_one(
    aws: Aws, clock: Clock, sagemaker: FakeSageMaker, plan: Plan
):
    sagemaker.end(name_of(plan), seconds=10, status="Failed")
    follow(aws, name_of(plan), clock)
    sagemaker.end(name_of(plan, 2), seconds=10, metrics=GOOD)
    follow(aws, name_of(plan, 2), clock)
    assert report(aws, clock).reported_stage == 2


def test_a_next_stage_that_is_refused_ends_the_plan_with_what_there_is(
    aws: Aws, clock: Clock, sagemaker: FakeSageMaker, plan: Plan
):
    sagemaker.limits["ml.g4dn.xlarge"] = 0
    sagemaker.end(name_of(plan), metrics=POOR)
    for _ in range(3):
        follow(aws, name_of(plan), clock)
    made = report(aws, clock)
    assert made.reported_stage == 1
    assert [v.verdict for v in made.verdicts if v.clause == "target"] == ["FAIL"]
    [note] = logged(aws, clock, EventKind.THINKING)
    assert "ml.g4dn.xlarge could not be started" in note.data["text"]
    assert reserved(aws, plan) == 0


@pytest.mark.parametrize("created", [True, False])
def test_a_next_stage_without_an_answer_is_tried_again(
    aws: Aws, clock: Clock, sagemaker: FakeSageMaker, plan: Plan, created: bool
):
    """It may be running: the plan is neither reported nor released before that is known."""
    sagemaker.end(name_of(plan), metrics=POOR)
    unreachable = EndpointConnectionError(endpoint_url="http://127.0.0.1:1")
    setattr(sagemaker, "error_after" if created else "error_before", unreachable)
    with pytest.raises(FaultError):
        follow(aws, name_of(plan), clock)
    assert logged(aws, clock, EventKind.REPORT) == []
    assert [job.job_name for job in Jobs(aws).open()] == [name_of(plan)]
    follow(aws, name_of(plan), clock)
    assert [job.job_name for job in Jobs(aws).open()] == [name_of(plan, 2)]
    assert sagemaker.creations == [name_of(plan, 1), name_of(plan, 2)]


def test_a_settlement_never_exceeds_the_stages_ceiling_when_the_platform_keeps_its_limit(
    aws: Aws, clock: Clock, sagemaker: FakeSageMaker, plan: Plan
):
    longest = plan.stages[0].max_runtime_seconds + 120
    sagemaker.end(name_of(plan), seconds=longest, metrics=GOOD)
    follow(aws, name_of(plan), clock)
    own, _ = books(aws, plan)
    assert own.spent_micro == plan.stages[0].ceiling_micro


def test_a_crash_after_settling_is_finished_later(
    aws: Aws, clock: Clock, sagemaker: FakeSageMaker, plan: Plan, monkeypatch: pytest.MonkeyPatch
):
    sagemaker.end(name_of(plan), metrics=GOOD)

    def die(*_: object) -> None:
        raise SystemError("killed")

    with monkeypatch.context() as broken:
        broken.setattr("mlops.aws.follow._move_on", die)
        with pytest.raises(SystemError):
            follow(aws, name_of(plan), clock)
    report_once(aws, plan.plan_id, clock)
    assert report(aws, clock)
    assert reserved(aws, plan) == 0
    report_once(aws, plan.plan_id, clock)
    assert report(aws, clock)


def test_a_running_plan_is_not_reported_early(aws: Aws, clock: Clock, plan: Plan):
    report_once(aws, plan.plan_id, clock)
    assert logged(aws, clock, EventKind.REPORT) == []
