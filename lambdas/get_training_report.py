"""Tool: how a plan's run ended, as it is stored."""

from mlops.aws.clients import Aws
from mlops.aws.reports import end_of_run
from mlops.aws.serve import now, tool
from mlops.tools import ReportInput, ReportOutput


def report(aws: Aws, wanted: ReportInput) -> ReportOutput:
    return end_of_run(aws, wanted.plan_id, wanted.person, wanted.session_id, now)


lambda_handler = tool("get_training_report", report)
