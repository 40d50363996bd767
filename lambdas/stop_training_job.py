"""Tool: stops a job. What it used until then is settled by the event that its end sends."""

from mlops.aws.clients import Aws
from mlops.aws.jobs import Jobs
from mlops.aws.serve import tool
from mlops.tools import StopInput, StopOutput


def stop(aws: Aws, wanted: StopInput) -> StopOutput:
    jobs = Jobs(aws)
    return StopOutput(job=jobs.stop(jobs.get(wanted.job_name)))


lambda_handler = tool("stop_training_job", stop)
