"""Tool: one job, or the latest jobs, as SageMaker sees them now, and the plans that wait."""

from mlops.aws.clients import Aws
from mlops.aws.jobs import Jobs
from mlops.aws.serve import now, tool
from mlops.aws.waiting import waiting
from mlops.tools import DescribeInput, DescribeOutput

_LATEST = 10


def describe(aws: Aws, wanted: DescribeInput) -> DescribeOutput:
    jobs = Jobs(aws)
    if wanted.job_name:
        found = [jobs.of(wanted.person, wanted.job_name)]
    else:
        found = jobs.of_person(wanted.person, _LATEST)
    described = tuple(jobs.refresh(job) for job in found)
    queued = () if wanted.job_name else waiting(aws, wanted.person)
    return DescribeOutput(jobs=described, as_of=now(), waiting=queued)


lambda_handler = tool("describe_training_job", describe)
