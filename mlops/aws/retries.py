"""Another attempt of a stage that failed or was stopped, within what was approved for its plan."""

from collections.abc import Callable
from datetime import datetime

from mlops.approvals import ApprovalStatus
from mlops.aws.clients import Aws
from mlops.aws.events import EventLog
from mlops.aws.follow import announce
from mlops.aws.jobs import Jobs
from mlops.aws.launch import Launched, launch
from mlops.aws.plans import Plans
from mlops.aws.renewal import ask_again
from mlops.aws.reservations import was_cut_back
from mlops.errors import RefusedError, RequestError
from mlops.job import Job, JobState, job_name
from mlops.plan import Plan


def retry(aws: Aws, plan: Plan, failed_name: str, clock: Callable[[], datetime]) -> Launched:
    """The next attempt after this job of the plan; asked for twice it is the same job.

    RefusedError when the job is no failed or stopped one, when its plan has been reported already,
    or when nothing useful is left of the approved sum.
    """
    failed = Jobs(aws).of(plan.person, failed_name)
    if failed.plan_id != plan.plan_id:
        raise RequestError("unknown_job", f"{failed_name} is no job of {plan.plan_id}.")
    if failed.state is JobState.COMPLETED:
        message = f"{failed_name} is completed; only what failed or was stopped is tried again."
        raise RefusedError("not_failed", message, (ask_again(plan, plan.ceiling_usd),))
    name, attempt = _next(aws, plan, failed)
    earlier = Jobs(aws).find(name)
    if earlier is not None:
        return Launched(earlier, again=True)
    _require_open(aws, plan, failed)
    launched = launch(aws, plan, failed.stage, clock(), attempt)
    announce(EventLog(aws, clock), launched.job)
    return launched


def _next(aws: Aws, plan: Plan, failed: Job) -> tuple[str, int]:
    """An attempt that AWS refused to start is not made again under its name."""
    attempt = failed.attempt + 1
    while True:
        name = job_name(plan.plan_id, plan.dataset.name, failed.stage, attempt)
        if not was_cut_back(aws, plan, name):
            return name, attempt
        attempt += 1


def _require_open(aws: Aws, plan: Plan, failed: Job) -> None:
    approval = Plans(aws).approval(failed.plan_id)
    if approval is None or approval.status is not ApprovalStatus.APPROVED:
        raise RefusedError(
            "approval_used",
            f"The plan of {failed.job_name} has been reported and its money given back: another "
            "run needs a new plan and your approval of it.",
            (ask_again(plan, plan.ceiling_usd),),
        )
