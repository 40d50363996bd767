"""Reserve, create, record: the only code that starts a training job. A crash between any two steps
is repaired by the watchdog; the same attempt launched twice is the same job."""

import time
import uuid
from datetime import datetime
from typing import Any, NamedTuple

from botocore.exceptions import BotoCoreError, ClientError

from mlops.approvals import AGAIN, Approval, require
from mlops.aws.clients import Aws, error_code, is_uncertain, translate
from mlops.aws.jobs import OVERTAKEN, Jobs
from mlops.aws.ledger import Ledger, if_reserved
from mlops.aws.orphans import stop_orphan
from mlops.aws.plans import Plans
from mlops.aws.renewal import require_price
from mlops.aws.reservations import (
    LOOK_AGAIN,
    cut_back,
    extend,
    release,
    reserve,
    was_cut_back,
)
from mlops.errors import Alternative, FaultError, OpsError, RefusedError, RequestError
from mlops.job import PLAN_TAG, Job, JobState, job_name, launched
from mlops.ledger import plan_scope
from mlops.metrics import definitions
from mlops.plan import Plan, Stage
from mlops.volumes import VOLUME_GIB

UNCERTAIN = "launch_uncertain"
# The same launch may be tried again: nothing was decided.
PASSING = (UNCERTAIN, "throttled")
# How often and how long one launch waits for another one of the same plan.
_LOOKS, _LOOK_SECONDS = 30, 0.1
_pause = time.sleep


class Launched(NamedTuple):
    """The job, and whether an earlier launch had already started it."""

    job: Job
    again: bool


def launch(
    aws: Aws,
    plan: Plan,
    stage_number: int,
    now: datetime,
    attempt: int = 1,
    owner: str | None = None,
) -> Launched:
    """Starts one stage of an approved plan; `owner` is who holds the plan's move already.

    Raises RefusedError when it is not approved, over budget, or over quota: then nothing runs and
    nothing stays reserved. FaultError "launch_uncertain" when AWS gave no answer,
    or took no record of the job.
    """
    stage = _stage(plan, stage_number)
    if owner is not None:
        return _launch(aws, plan, stage, now, attempt)
    mine = take_move(aws, plan, stage_number, now, attempt)
    if isinstance(mine, Launched):
        return mine
    try:
        return _launch(aws, plan, stage, now, attempt)
    finally:
        Plans(aws).unclaim(plan.plan_id, mine)


def take_move(
    aws: Aws, plan: Plan, stage_number: int, now: datetime, attempt: int = 1
) -> Launched | str:
    """The owner who has claimed the plan's move now and has to `unclaim` it, or the job that an
    earlier launch started. Whoever has the move is waited for a little."""
    name = job_name(plan.plan_id, plan.dataset.name, stage_number, attempt)
    mine = uuid.uuid4().hex
    for _ in range(_LOOKS):
        earlier = Jobs(aws).find(name)
        if earlier is not None:
            return Launched(earlier, again=True)
        if Plans(aws).claim(plan.plan_id, mine, now):
            return mine
        require(Plans(aws).approval(plan.plan_id), plan.plan_id, plan.ceiling_micro)
        _pause(_LOOK_SECONDS)
    message = "Somebody else is launching this plan right now."
    raise RefusedError("plan_busy", message, (LOOK_AGAIN,))


def _launch(aws: Aws, plan: Plan, stage: Stage, now: datetime, attempt: int) -> Launched:
    """Only one process does this at a time for a plan, and none longer than its claim holds."""
    jobs, plans = Jobs(aws), Plans(aws)
    name = job_name(plan.plan_id, plan.dataset.name, stage.number, attempt)
    earlier = jobs.find(name)
    if earlier is not None:
        return Launched(earlier, again=True)
    approval = require(plans.approval(plan.plan_id), plan.plan_id, plan.ceiling_micro)
    _require_missed(aws, plan, stage, attempt)
    require_price(aws, plan, stage, name, now)
    if attempt > 1:
        stage = extend(aws, plan, approval, stage, name, now)
    elif stage.number == 1:
        approval = reserve(aws, plan, approval, now)
    _require_reserved(aws, plan, stage)
    again = _create(aws, plan, approval, stage, name, now, extended=attempt > 1)
    still_reserved = if_reserved(plan_scope(plan.plan_id), stage.ceiling_micro)
    try:
        return Launched(jobs.add(launched(plan, stage, attempt, now), still_reserved), again)
    except OpsError as error:
        if error.code != OVERTAKEN:
            # It runs, so its money stays: whoever comes next records it.
            message = f"{name} was created, but not recorded; that is looked into."
            raise FaultError(UNCERTAIN, message, (LOOK_AGAIN,)) from error
        # It slept over its claim and was undone meanwhile: no money is kept for this job.
        stop_orphan(aws, name, now)
        raise


def _stage(plan: Plan, number: int) -> Stage:
    for stage in plan.stages:
        if stage.number == number:
            return stage
    raise RequestError("unknown_stage", f"{plan.plan_id} has no stage {number}.")


def _require_missed(aws: Aws, plan: Plan, stage: Stage, attempt: int) -> None:
    """One attempt at a time, and none after one that gave a model."""
    for number in range(1, attempt):
        name = job_name(plan.plan_id, plan.dataset.name, stage.number, number)
        earlier = Jobs(aws).find(name)
        if earlier is None and was_cut_back(aws, plan, name):
            continue
        if earlier is not None and earlier.state is JobState.COMPLETED:
            message = f"{name} is completed; only what failed or was stopped is tried again."
            raise RefusedError("not_failed", message, (AGAIN,))
        if earlier is None or not earlier.settled:
            wait = Alternative(kind="wait", message="Wait until it has ended and is settled")
            message = f"Attempt {number} of stage {stage.number} has not ended."
            raise RefusedError("still_running", message, (wait,))


def _require_reserved(aws: Aws, plan: Plan, stage: Stage) -> None:
    """A reservation is made once and given back once: after that nothing more may start."""
    totals = Ledger(aws).totals(plan_scope(plan.plan_id))
    if totals is None or totals.reserved_micro < stage.ceiling_micro:
        message = "The reservation of this plan was given back; ask for a new plan."
        raise RefusedError("approval_used", message, (AGAIN,))


def _create(
    aws: Aws,
    plan: Plan,
    approval: Approval,
    stage: Stage,
    name: str,
    now: datetime,
    extended: bool,
) -> bool:
    """True when the job was there already. A refused first stage gives its reservation back,
    unless it is queued: then it keeps its place until the queue's end. A refused later attempt
    gives back what was reserved for it alone."""
    try:
        aws.client("sagemaker").create_training_job(**_request(aws, plan, stage, name))
    except (ClientError, BotoCoreError) as error:
        if is_uncertain(error):
            # Perhaps it was created: the reservation stays, and the watchdog finds out.
            raise FaultError(
                UNCERTAIN,
                f"AWS did not say whether {stage.instance_type} was started; that is looked into.",
                (LOOK_AGAIN,),
            ) from error
        assert isinstance(error, ClientError)
        if error_code(error) == "ResourceInUse" or Jobs(aws).observe(name) is not None:
            return True
        ours = _explain(error, stage)
        first = stage.number == 1 and not extended and approval.queue is None
        if ours.code in PASSING:
            # What was reserved stays for whoever tries again; else the watchdog gives it back.
            if first:
                ours.alternatives = (_approve_again(plan), *ours.alternatives)
            raise ours from error
        if extended:
            cut_back(aws, plan, approval, name, now)
        elif first:
            release(aws, plan, approval, now)
            Plans(aws).close(plan.plan_id)
        raise ours from error
    return False


def _approve_again(plan: Plan) -> Alternative:
    message = f"Approve it again within two minutes: llmops approve {plan.plan_id}"
    return Alternative(kind="approve", message=message, cost_usd=plan.ceiling_usd)


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
            "VolumeSizeInGB": VOLUME_GIB,
        },
        "StoppingCondition": {"MaxRuntimeInSeconds": stage.max_runtime_seconds},
        "HyperParameters": {
            **stage.hyperparameters,
            "sagemaker_program": '"train.py"',
            "sagemaker_submit_directory": f'"{settings.training_archive_uri}"',
        },
        "CheckpointConfig": {"S3Uri": f"{models}/checkpoints/{name}"},
        "Tags": [{"Key": PLAN_TAG, "Value": plan.plan_id}],
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
