"""Tool: starts the first stage of an approved plan. What a model says changes nothing here."""

from mlops.aws.clients import Aws
from mlops.aws.events import EventLog
from mlops.aws.follow import announce
from mlops.aws.launch import launch
from mlops.aws.plans import Plans
from mlops.aws.serve import now, tool
from mlops.errors import RefusedError
from mlops.money import to_cents
from mlops.tools import LaunchInput, LaunchOutput


def start(aws: Aws, wanted: LaunchInput) -> LaunchOutput:
    plan = Plans(aws).get(wanted.plan_id)
    if wanted.max_cost_cents < to_cents(plan.ceiling_micro):
        raise RefusedError(
            "ceiling_too_low",
            f"{wanted.max_cost_cents} cents were allowed; the plan can cost ${plan.ceiling_usd}.",
        )
    launched = launch(aws, wanted.plan_id, plan.stages[0].number, now())
    announce(EventLog(aws, now), launched.job)
    return LaunchOutput(job=launched.job, already_launched=launched.again)


lambda_handler = tool("launch_sagemaker_training", start)
