"""Reserve, create, record: refused launches leave nothing behind, repeated ones are the same job."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from mlops.approvals import ApprovalStatus
from mlops.aws.clients import Aws
from mlops.aws.follow import follow
from mlops.aws.jobs import Jobs
from mlops.aws.launch import Launched, launch
from mlops.aws.ledger import Ledger
from mlops.aws.plans import Plans
from mlops.aws.queue import launch_or_wait
from mlops.aws.reservations import release
from mlops.aws.tables import PLANS
from mlops.errors import FaultError, OpsError, RefusedError, RequestError
from mlops.ledger import person_scope
from mlops.money import parse_usd
from mlops.plan import Plan
from tests.factories import a_plan
from tests.mlops.aws.embedded import Clock, Embedded, FakeSageMaker, client_error
from tests.mlops.aws.scenes import approved, books, name_of, reserved

UNREACHABLE = EndpointConnectionError(endpoint_url="http://127.0.0.1:1")


def refused(aws: Aws, plan: Plan, clock: Clock, stage: int = 1) -> OpsError:
    with pytest.raises(OpsError) as caught:
        launch(aws, plan, stage, clock())
    return caught.value


def test_an_approved_plan_is_reserved_created_and_recorded(
    aws: Aws, clock: Clock, sagemaker: FakeSageMaker
):
    plan = approved(aws, clock)
    job, again = launch(aws, plan, 1, clock())
    assert (job.job_name, again) == (name_of(plan), False)
    assert Jobs(aws).open() == [job]
    assert sagemaker.creations == [job.job_name]
    assert reserved(aws, plan) == plan.ceiling_micro
    own, month = books(aws, plan)
    assert own.limit_micro == parse_usd("10")
    assert month.limit_micro == parse_usd("50")


def test_the_reservation_becomes_the_platforms_own_limit(
    aws: Aws, clock: Clock, sagemaker: FakeSageMaker
):
    plan = approved(aws, clock)
    request = sagemaker.jobs[launch(aws, plan, 1, clock()).job.job_name]
    stage = plan.stages[0]
    condition = request["StoppingCondition"]
    assert condition == {"MaxRuntimeInSeconds": stage.max_runtime_seconds}
    assert request["ResourceConfig"]["InstanceType"] == stage.instance_type
    assert request["ResourceConfig"]["InstanceCount"] == 1
    assert request["HyperParameters"]["sagemaker_program"] == '"train.py"'
    assert all(isinstance(v, str) for v in request["HyperParameters"].values())
    [channel] = request["InputDataConfig"]
    assert channel["DataSource"]["S3DataSource"]["S3Uri"] == plan.dataset.prepared_uri
    assert request["Tags"] == [{"Key": "llmops:plan", "Value": plan.plan_id}]


def test_boto3_accepts_the_request(server: Embedded, aws: Aws, clock: Clock, sagemaker):
    plan = approved(aws, clock)
    request = sagemaker.jobs[launch(aws, plan, 1, clock()).job.job_name]
    ours = ("TrainingJobStatus", "SecondaryStatus", "CreationTime")
    real = server.connect().client("sagemaker")
    shape = real.meta.service_model.operation_model("CreateTrainingJob").input_shape
    body = {k: v for k, v in request.items() if k not in ours}
    from botocore.validate import ParamValidator

    assert not ParamValidator().validate(body, shape).has_errors()


@pytest.mark.parametrize("decide", [None, "decline", "close"])
def test_without_an_approval_nothing_runs(
    aws: Aws, clock: Clock, sagemaker: FakeSageMaker, decide: str | None
):
    plan, plans = a_plan(), Plans(aws)
    plans.save(plan)
    if decide == "decline":
        plans.decline(plan, "ada", clock())
    if decide == "close":
        plans.approve(plan, "ada", clock())
        plans.close(plan.plan_id)
    error = refused(aws, plan, clock)
    assert isinstance(error, RefusedError)
    assert error.code == ("approval_used" if decide == "close" else "not_approved")
    assert sagemaker.creations == []
    assert Ledger(aws).totals(f"plan#{plan.plan_id}") is None


def test_an_approval_of_another_plan_or_sum_is_none(
    aws: Aws, clock: Clock, sagemaker: FakeSageMaker
):
    cheap = approved(aws, clock, a_plan(budget_usd="0.05"))
    dear = a_plan()
    Plans(aws).save(dear)
    item = aws.dynamodb.get_item(
        TableName=PLANS, Key={"plan_id": cheap.plan_id, "part": "APPROVAL"}
    )["Item"]
    aws.dynamodb.put_item(TableName=PLANS, Item=item | {"plan_id": dear.plan_id})
    assert refused(aws, dear, clock).code == "not_approved"
    forged = item["body"].replace(cheap.plan_id, dear.plan_id)
    aws.dynamodb.put_item(TableName=PLANS, Item=item | {"plan_id": dear.plan_id, "body": forged})
    assert refused(aws, dear, clock).code == "not_approved"
    assert sagemaker.creations == []


def test_an_unknown_plan_or_stage(aws: Aws, clock: Clock):
    with pytest.raises(RequestError):
        Plans(aws).get("plan-0")
    plan = approved(aws, clock)
    assert refused(aws, plan, clock, stage=9).code == "unknown_stage"


def test_over_the_monthly_limit_nothing_runs_and_nothing_stays_reserved(
    embedded: Embedded, clock: Clock, sagemaker: FakeSageMaker
):
    aws = embedded.connect(sagemaker, monthly_limit_usd="0.10")
    plan = approved(aws, clock)
    error = refused(aws, plan, clock)
    assert error.code == "over_budget"
    assert error.alternatives[0].cost_usd == plan.ceiling_usd
    assert sagemaker.creations == []
    assert reserved(aws, plan) == 0


def test_many_plans_at_once_stay_within_the_month(
    embedded: Embedded, clock: Clock, sagemaker: FakeSageMaker
):
    aws = embedded.connect(sagemaker, monthly_limit_usd="1.00")
    plans = [approved(aws, clock, a_plan(dataset=f"d{n}", target=0.85)) for n in range(6)]

    def start(plan: Plan) -> bool:
        try:
            return bool(launch(aws, plan, 1, clock()))
        except RefusedError:
            return False

    with ThreadPoolExecutor(6) as pool:
        started = list(pool.map(start, plans))
    fits = parse_usd("1.00") // plans[0].ceiling_micro
    assert sum(started) == fits == len(sagemaker.creations)
    totals = Ledger(aws).totals(person_scope("ada", clock()))
    assert totals is not None and totals.left_micro >= 0


def test_launching_twice_is_the_same_job(aws: Aws, clock: Clock, sagemaker: FakeSageMaker):
    plan = approved(aws, clock)
    first = launch(aws, plan, 1, clock())
    clock.advance(30)
    assert launch(aws, plan, 1, clock()) == (first.job, True)
    assert len(sagemaker.creations) == 1
    assert reserved(aws, plan) == plan.ceiling_micro


@pytest.mark.parametrize("queued", [True, False])
def test_launched_again_after_its_run_it_is_the_same_job(
    aws: Aws, clock: Clock, sagemaker: FakeSageMaker, queued: bool
):
    plan = approved(aws, clock, a_plan(budget_usd="1.00", queue=queued))
    first = launch_or_wait(aws, plan, clock)
    sagemaker.end(name_of(plan), 30, "Stopped")
    follow(aws, name_of(plan), clock)
    assert reserved(aws, plan) == 0
    again = launch_or_wait(aws, plan, clock)
    assert isinstance(first, Launched) and isinstance(again, Launched)
    assert again.again and again.job.job_name == first.job.job_name
    assert sagemaker.creations == [name_of(plan)]


def test_launching_from_many_sides_at_once_is_one_job(
    embedded: Embedded, clock: Clock, sagemaker: FakeSageMaker
):
    sides = [embedded.connect(sagemaker) for _ in range(3)]
    plan = approved(sides[0], clock)
    with ThreadPoolExecutor(6) as pool:
        launched = list(pool.map(lambda n: launch(sides[n % 3], plan, 1, clock()).job, range(6)))
    assert len({job.job_name for job in launched}) == 1
    assert len(sagemaker.creations) == 1
    assert reserved(sides[0], plan) == plan.ceiling_micro


def test_a_full_quota_gives_the_reservation_back(aws: Aws, clock: Clock, sagemaker: FakeSageMaker):
    sagemaker.limits["ml.m5.large"] = 0
    plan = approved(aws, clock)
    error = refused(aws, plan, clock)
    assert (error.code, type(error)) == ("quota", RefusedError)
    assert error.message.startswith("ml.m5.large could not be started")
    assert reserved(aws, plan) == 0
    assert Jobs(aws).open() == []
    approval = Plans(aws).approval(plan.plan_id)
    assert approval is not None and approval.status is ApprovalStatus.USED
    sagemaker.limits.clear()
    assert refused(aws, plan, clock).code == "approval_used"


@pytest.mark.parametrize("error", [UNREACHABLE, client_error("InternalFailure", status=500)])
@pytest.mark.parametrize("created", [True, False])
def test_no_answer_keeps_the_reservation(
    aws: Aws, clock: Clock, sagemaker: FakeSageMaker, error: Exception, created: bool
):
    """The job may be running; a repeated launch finds out."""
    setattr(sagemaker, "error_after" if created else "error_before", error)
    plan = approved(aws, clock)
    fault = refused(aws, plan, clock)
    assert (type(fault), fault.code) == (FaultError, "launch_uncertain")
    assert reserved(aws, plan) == plan.ceiling_micro
    assert Jobs(aws).open() == []
    assert launch(aws, plan, 1, clock()).again is created
    assert len(sagemaker.creations) == 1
    assert reserved(aws, plan) == plan.ceiling_micro


def test_a_reservation_that_was_given_back_starts_nothing_more(
    aws: Aws, clock: Clock, sagemaker: FakeSageMaker
):
    """A crash between giving back and closing leaves the approval open."""
    sagemaker.error_before = UNREACHABLE
    plan = approved(aws, clock)
    refused(aws, plan, clock)
    approval = Plans(aws).approval(plan.plan_id)
    assert approval is not None
    assert release(aws, plan, approval, clock()) == plan.ceiling_micro
    for stage in (1, 2):
        assert refused(aws, plan, clock, stage).code == "approval_used"
    assert sagemaker.creations == []


def test_a_later_stage_needs_the_ladders_reservation(
    aws: Aws, clock: Clock, sagemaker: FakeSageMaker
):
    plan = approved(aws, clock)
    assert refused(aws, plan, clock, stage=2).code == "approval_used"
    launch(aws, plan, 1, clock())
    assert launch(aws, plan, 2, clock()).job.stage == 2
    assert reserved(aws, plan) == plan.ceiling_micro


def test_spot_training_waits_no_longer_than_it_may_run(
    aws: Aws, clock: Clock, sagemaker: FakeSageMaker
):
    from tests.factories import a_market, an_offer

    offers = [an_offer("ml.m5.large", spot_limit=1)]
    plan = approved(aws, clock, a_plan(a_market(offers), spot=True, budget_usd="5.00"))
    request = sagemaker.jobs[launch(aws, plan, 1, clock()).job.job_name]
    assert request["EnableManagedSpotTraining"] is True
    condition = request["StoppingCondition"]
    assert condition["MaxWaitTimeInSeconds"] >= condition["MaxRuntimeInSeconds"]


CRASHES: list[tuple[type, str]] = [(Ledger, "book"), (Jobs, "add")]


@pytest.mark.parametrize(("cls", "step"), CRASHES)
def test_a_crash_after_any_step_is_mended_by_launching_again(
    aws: Aws,
    clock: Clock,
    sagemaker: FakeSageMaker,
    monkeypatch: pytest.MonkeyPatch,
    cls: type,
    step: str,
):
    plan = approved(aws, clock)
    with monkeypatch.context() as broken:
        broken.setattr(cls, step, dying_after(getattr(cls, step)))
        with pytest.raises(SystemError):
            launch(aws, plan, 1, clock())
    job = launch(aws, plan, 1, clock()).job
    assert Jobs(aws).open() == [job]
    assert len(sagemaker.creations) == 1
    assert reserved(aws, plan) == plan.ceiling_micro


def dying_after(step: Callable[..., Any]) -> Callable[..., Any]:
    """As if the process were killed once the step is done."""

    def die(*args: Any, **kwargs: Any) -> None:
        step(*args, **kwargs)
        raise SystemError("killed")

    return die
