"""How a plan's run ended, read back from the log of its conversation."""

from collections.abc import Callable
from datetime import datetime

from mlops.aws.clients import Aws
from mlops.aws.events import EventLog
from mlops.aws.jobs import Jobs
from mlops.aws.plans import Plans
from mlops.aws.sessions import Sessions
from mlops.errors import Alternative, RequestError
from mlops.events import REPORTED, EventKind
from mlops.report import Report
from mlops.tools import ReportOutput

_RECENT_JOBS = 20


def end_of_run(
    aws: Aws, plan_id: str | None, person: str, session_id: str, clock: Callable[[], datetime]
) -> ReportOutput:
    """Of a plan, else of the latest run of the conversation, else of the person.

    RequestError "no_report" while there is none, RefusedError when the plan is somebody else's.
    """
    wanted = plan_id or _latest(aws, person, session_id)
    if wanted is None:
        start = Alternative(kind="retry", message="Ask for a training first")
        raise RequestError("no_report", "There is no report yet: nothing was trained.", (start,))
    plan = Plans(aws).of(person, wanted)
    end = EventLog(aws, clock).written(plan.session_id, f"{REPORTED}{wanted}")
    if end is None:
        wait = Alternative(kind="wait", message="Ask again when its job has ended")
        raise RequestError("no_report", f"The run of {wanted} has no report yet.", (wait,))
    if end.kind is EventKind.REPORT:
        return ReportOutput(plan_id=wanted, report=Report.model_validate(end.data))
    return ReportOutput(plan_id=wanted, failure=end.data)


def _latest(aws: Aws, person: str, session_id: str) -> str | None:
    """A conversation's last report first: a job that runs has none yet."""
    session = Sessions(aws).get(session_id) if session_id else None
    if session is not None and session.person == person and session.last_plan is not None:
        return session.last_plan
    jobs = Jobs(aws).of_person(person, _RECENT_JOBS)
    ended = (job for job in jobs if job.settled)
    return next((job.plan_id for job in (*ended, *jobs)), None)
