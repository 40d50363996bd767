"""Tool: one job, or the latest jobs, as SageMaker sees them now."""

from mlops.aws.clients import Aws
from mlops.aws.jobs import Jobs
from mlops.aws.serve import now, tool
from mlops.tools import DescribeInput, DescribeOutput

_LATEST = 10


def describe(aws: Aws, wanted: DescribeInput) -> DescribeOutput:
    jobs = Jobs(aws)
    if wanted.job_name:
        found = [jobs.get(wanted.job_name)]
    else:
        found = jobs.of_person(wanted.person, _LATEST)
    return DescribeOutput(jobs=tuple(jobs.refresh(job) for job in found), as_of=now())


lambda_handler = tool("describe_training_job", describe)
