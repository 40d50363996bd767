"""Tool: stops a job or a run, whose use is settled by the event that its end sends, or takes a plan
that waits out of the queue."""

from mlops.aws.clients import Aws
from mlops.aws.jobs import Jobs
from mlops.aws.plans import Plans
from mlops.aws.queue import cancel
from mlops.aws.serve import now, tool
from mlops.aws.stops import stop_job, stop_run
from mlops.errors import RequestError
from mlops.money import to_usd
from mlops.tools import StopInput, StopOutput


def stop(aws: Aws, wanted: StopInput) -> StopOutput:
    if wanted.plan_id:
        plan = Plans(aws).of(wanted.person, wanted.plan_id)
        if not wanted.queued_only and (job := stop_run(aws, plan)) is not None:
            return StopOutput(job=job, plan_id=plan.plan_id)
        back = cancel(aws, plan, now)
        return StopOutput(plan_id=wanted.plan_id, released_usd=to_usd(back))
    if not wanted.job_name:
        raise RequestError("bad_arguments", "Say which job, or which plan, to stop.")
    return StopOutput(job=stop_job(aws, Jobs(aws).of(wanted.person, wanted.job_name)))


lambda_handler = tool("stop_training_job", stop)
