"""Reserve, create, record: the only code that starts a training job. A crash between any two steps
is repaired by the watchdog; the same attempt launched twice is the same job."""

from datetime import datetime
from typing import Any, NamedTuple

from botocore.exceptions import BotoCoreError, ClientError

from mlops.approvals import Approval, require
from mlops.aws.clients import Aws, error_code, is_uncertain, translate
from mlops.aws.jobs import Jobs
from mlops.aws.ledger import Ledger
from mlops.aws.plans import Plans
from mlops.errors import Alternative, FaultError, OpsError, RefusedError, RequestError
from mlops.job import Job, job_name
from mlops.ledger import Entry, EntryKind, person_scope, plan_scope
from mlops.metrics import definitions
from mlops.money import parse_usd
from mlops.plan import Plan, Stage

_VOLUME_GIB = 30
UNCERTAIN = "launch_uncertain"


class Launched(NamedTuple):
    """The job, and whether an earlier launch had already started it."""

    job: Job
    again: bool


def launch(aws: Aws, plan_id: str, stage_number: int, now: datetime, attempt: int = 1) -> Launched:
    """Starts one stage of an approved plan.

    Raises RefusedError when it is not approved, over budget, or over quota: then nothing runs and
    nothing stays reserved. FaultError "launch_uncertain" when AWS gave no answer.
    """
    plans, jobs = Plans(aws), Jobs(aws)
    plan = plans.get(plan_id)
    approval = require(plans.approval(plan_id), plan_id, plan.ceiling_micro)
    stage = _stage(plan, stage_number)
    name = job_name(plan_id, plan.dataset.name, stage.number, attempt)
    earlier = jobs.find(name)
    if earlier is not None:
        return Launched(earlier, again=True)
    if stage.number == 1 and attempt == 1:
        reserve(aws, plan, approval, now)
    _require_reserved(aws, plan, approval, stage)
    again = _create(aws, plan, approval, stage, name, now)
    return Launched(jobs.add(_record(plan, stage, name, now, attempt)), again)


def scopes(plan: Plan, approval: Approval) -> tuple[str, str]:
    """Where a run is booked: its own budget, and the month in which it was approved."""
    return plan_scope(plan.plan_id), person_scope(plan.person, approval.at)


def reserve(aws: Aws, plan: Plan, approval: Approval, now: datetime) -> None:
    """Takes the ladder's ceiling out of every scope, or RefusedError and nothing is taken."""
    ledger = Ledger(aws)
    own, month = scopes(plan, approval)
    ledger.open_scope(own, plan.budget_micro)
    ledger.open_scope(month, parse_usd(aws.settings.monthly_limit_usd))
    ledger.book(
        [
            Entry(
                scope=scope,
                kind=EntryKind.RESERVE,
                key=plan.plan_id,
                at=now,
                spent_micro=0,
                reserved_micro=plan.ceiling_micro,
            )
            for scope in (own, month)
        ]
    )


def release(aws: Aws, plan: Plan, approval: Approval, now: datetime) -> int:
    """Gives back whatever of a plan's reservation was not settled; micro-USD given back."""
    ledger = Ledger(aws)
    own, month = scopes(plan, approval)
    totals = ledger.totals(own)
    if totals is None or totals.reserved_micro <= 0:
        return 0
    ledger.book(
        [
            Entry(
                scope=scope,
                kind=EntryKind.RELEASE,
                key=plan.plan_id,
                at=now,
                spent_micro=0,
                reserved_micro=-totals.reserved_micro,
            )
            for scope in (own, month)
        ]
    )
    return totals.reserved_micro


def _stage(plan: Plan, number: int) -> Stage:
    for stage in plan.stages:
        if stage.number == number:
            return stage
    raise RequestError("unknown_stage", f"{plan.plan_id} has no stage {number}.")


def _require_reserved(aws: Aws, plan: Plan, approval: Approval, stage: Stage) -> None:
    """A reservation is made once and given back once: after that nothing more may start."""
    totals = Ledger(aws).totals(scopes(plan, approval)[0])
    if totals is None or totals.reserved_micro < stage.ceiling_micro:
        raise RefusedError(
            "approval_used", "The reservation of this plan was given back; ask for a new plan."
        )


def _create(
    aws: Aws, plan: Plan, approval: Approval, stage: Stage, name: str, now: datetime
) -> bool:
    """True when the job was there already. A refused first stage gives its reservation back."""
    try:
        aws.client("sagemaker").create_training_job(**_request(aws, plan, stage, name))
    except (ClientError, BotoCoreError) as error:
        if is_uncertain(error):
            # Perhaps it was created: the reservation stays, and the watchdog finds out.
            raise FaultError(
                UNCERTAIN,
                f"AWS did not say whether {stage.instance_type} was started; that is looked into.",
                (Alternative(kind="wait", message="Look at your jobs again in two minutes"),),
            ) from error
        assert isinstance(error, ClientError)
        if error_code(error) == "ResourceInUse":
            return True
        if stage.number == 1:
            release(aws, plan, approval, now)
            Plans(aws).close(plan.plan_id)
        raise _explain(error, stage) from error
    return False


def _explain(error: ClientError, stage: Stage) -> OpsError:
    ours = translate(error)
    ours.message = f"{stage.instance_type} could not be started: {ours.message}"
    return ours


def _request(aws: Aws, plan: Plan, stage: Stage, name: str) -> dict[str, Any]:
    settings = aws.settings
    models = f"s3://{settings.models_bucket}"
    request: dict[str, Any] = {
        "TrainingJobName": name,
        "AlgorithmSpecification": {
            "TrainingImage": settings.training_image,
            "TrainingInputMode": "File",
            "MetricDefinitions": definitions(),
        },
        "RoleArn": settings.role_arn,
        "InputDataConfig": [_channel("training", plan.dataset.prepared_uri)],
        "OutputDataConfig": {"S3OutputPath": f"{models}/final"},
        "ResourceConfig": {
            "InstanceType": stage.instance_type,
            "InstanceCount": 1,
            "VolumeSizeInGB": _VOLUME_GIB,
        },
        "StoppingCondition": {"MaxRuntimeInSeconds": stage.max_runtime_seconds},
        "HyperParameters": {
            **stage.hyperparameters,
            "sagemaker_program": '"train.py"',
            "sagemaker_submit_directory": f'"{settings.training_archive_uri}"',
        },
        "CheckpointConfig": {"S3Uri": f"{models}/checkpoints/{name}"},
        "Tags": [{"Key": "llmops:plan", "Value": plan.plan_id}],
    }
    if stage.spot:
        request["EnableManagedSpotTraining"] = True
        request["StoppingCondition"]["MaxWaitTimeInSeconds"] = stage.max_runtime_seconds
    return request


def _channel(name: str, uri: str) -> dict[str, Any]:
    source = {
        "S3DataType": "S3Prefix",
        "S3Uri": uri,
        "S3DataDistributionType": "FullyReplicated",
    }
    return {"ChannelName": name, "DataSource": {"S3DataSource": source}}


def _record(plan: Plan, stage: Stage, name: str, now: datetime, attempt: int) -> Job:
    return Job(
        job_name=name,
        plan_id=plan.plan_id,
        session_id=plan.session_id,
        turn=plan.turn,
        person=plan.person,
        stage=stage.number,
        attempt=attempt,
        dataset=plan.dataset.name,
        synthetic=plan.dataset.synthetic,
        sandbox=plan.sandbox,
        model=stage.model,
        engine=stage.engine,
        instance_type=stage.instance_type,
        spot=stage.spot,
        usd_per_hour=stage.usd_per_hour,
        usd_per_hour_micro=parse_usd(stage.usd_per_hour),
        max_runtime_seconds=stage.max_runtime_seconds,
        ceiling_usd=stage.ceiling_usd,
        estimate=stage.estimate,
        work=stage.work,
        created_at=now,
    )
