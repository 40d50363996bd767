"""Tool: starts the first stage of an approved plan, or once more one of its stages that failed. What
a model says changes nothing here."""

from mlops.aws.clients import Aws
from mlops.aws.crowd import with_ways_out
from mlops.aws.events import EventLog
from mlops.aws.follow import announce
from mlops.aws.launch import Launched
from mlops.aws.plans import Plans
from mlops.aws.queue import Waits, launch_or_wait
from mlops.aws.retries import retry
from mlops.aws.serve import now, tool
from mlops.errors import RefusedError
from mlops.money import to_cents
from mlops.plan import Plan
from mlops.tools import LaunchInput, LaunchOutput


def start(aws: Aws, wanted: LaunchInput) -> LaunchOutput:
    plan = Plans(aws).get(wanted.plan_id)
    if wanted.max_cost_cents < to_cents(plan.ceiling_micro):
        raise RefusedError(
            "ceiling_too_low",
            f"{wanted.max_cost_cents} cents were allowed; the plan can cost ${plan.ceiling_usd}.",
        )
    if wanted.retry_of:
        launched = retry(aws, plan, wanted.retry_of, now)
    else:
        launched = _launch(aws, plan)
        if isinstance(launched, Waits):
            cancel = f"To cancel it: llmops jobs stop {plan.plan_id}."
            return LaunchOutput(queue=launched.queue, message=f"{launched.words} {cancel}")
        announce(EventLog(aws, now), launched.job)
    return LaunchOutput(job=launched.job, already_launched=launched.again)


def _launch(aws: Aws, plan: Plan) -> Launched | Waits:
    try:
        return launch_or_wait(aws, plan, now)
    except RefusedError as error:
        raise with_ways_out(aws, plan, error, now()) from error


lambda_handler = tool("launch_sagemaker_training", start)
