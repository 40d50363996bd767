"""A person's stop ends the run: what has started is stopped, and no later stage starts.

It is stored with the approval first, so that whoever carries the plan on next reads it.
"""

from mlops.approvals import ApprovalStatus
from mlops.aws.clients import Aws
from mlops.aws.jobs import Jobs
from mlops.aws.plans import Plans
from mlops.errors import RefusedError
from mlops.job import EndReason, Job, job_name
from mlops.plan import Plan


def stop_job(aws: Aws, job: Job) -> Job:
    """Where a later stage has started already, only this job is stopped."""
    later = job_name(job.plan_id, job.dataset, job.stage + 1, 1)
    if Jobs(aws).find(later) is None:
        Plans(aws).stop_after(job.plan_id, job.stage)
    return _stop(aws, job)


def stop_run(aws: Aws, plan: Plan) -> Job | None:
    """Its latest job; None when nothing of the plan has started. RefusedError when it has ended."""
    plans, started = Plans(aws), Jobs(aws).of_plan(plan.plan_id)
    if not started:
        return None
    approval = plans.approval(plan.plan_id)
    if approval is None or approval.status is not ApprovalStatus.APPROVED:
        raise RefusedError("run_ended", "The run of this plan has ended.")
    plans.stop_after(plan.plan_id, started[-1].stage)
    return [_stop(aws, job) for job in started][-1]


def stop_latecomer(aws: Aws, job: Job) -> Job:
    """A stage that was being created while a person stopped its run is stopped, too."""
    last = None if job.state.is_final else Plans(aws).last_stage(job.plan_id)
    return job if last is None or job.stage <= last else _stop(aws, job)


def is_stopped_before(aws: Aws, plan: Plan, stage: int) -> bool:
    """A stage that was created already, but not recorded, is carried on: it has to be stopped."""
    last = Plans(aws).last_stage(plan.plan_id)
    if last is None or stage <= last:
        return False
    return Jobs(aws).observe(job_name(plan.plan_id, plan.dataset.name, stage, 1)) is None


def _stop(aws: Aws, job: Job) -> Job:
    """A person's word stands above a reason of ours to stop it."""
    jobs = Jobs(aws)
    while not job.state.is_final and job.stop_reason is not EndReason.STOPPED:
        wanted = {"stop_reason": EndReason.STOPPED, "saved_usd": None}
        marked = job.model_copy(update=wanted)
        job = marked if jobs.save(job, marked) else jobs.get(job.job_name)
    return jobs.stop(job)
