"""What programs read beside the streams: sessions, events, jobs, plans and costs as JSON, mine alone."""

from collections.abc import Callable
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any

from pydantic import Field, TypeAdapter, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from agent.runtime_auth import problem_response
from agent.runtime_frames import Frames
from agent.runtime_tails import Tails
from agent.services import Services
from mlops.aws.clients import as_ours
from mlops.aws.events import EventLog
from mlops.aws.jobs import Jobs
from mlops.aws.plans import Plans
from mlops.aws.sessions import Session, Sessions
from mlops.errors import NotYoursError, OpsError, RefusedError, RequestError
from mlops.job import Job, change

MOST_ROWS, MOST_EVENTS = 100, 500
_PASSING = ("throttled", "aws_unreachable", "too_many_streams")

Act = Callable[[Request], dict[str, Any]]


class Routes:
    """Another person's session, job or plan is as unknown as one that never was."""

    def __init__(self, services: Services, tails: Tails, clock: Callable[[], datetime]):
        self._services = services
        self._tails = tails
        self._clock = clock
        self._person = services.settings.person
        self._sessions = Sessions(services.aws)
        self._jobs = Jobs(services.aws)
        self._plans = Plans(services.aws)
        self._log = EventLog(services.aws, clock)

    @property
    def by_path(self) -> dict[str, Act]:
        return {
            "/health": self.health,
            "/sessions": self.sessions,
            "/sessions/{session_id}/events": self.events,
            "/jobs": self.jobs,
            "/jobs/{job_name}": self.job,
            "/plans/{plan_id}": self.plan,
            "/costs": self.costs,
        }

    def health(self, request: Request) -> dict[str, Any]:
        """Whether the back end answers, and what it is; an error otherwise."""
        self._log.head("health")
        settings = self._services.settings
        return {
            "status": "ok",
            "model_id": settings.bedrock_model_id,
            "sandbox": settings.sandbox,
            "busy": self._services.turns.is_busy(),
            "open_streams": self._tails.streams(),
        }

    def sessions(self, request: Request) -> dict[str, Any]:
        """Newest first."""
        found = self._sessions.of_person(self._person, _number(request, "limit", MOST_ROWS))
        return {"sessions": [self._session(session) for session in found]}

    def events(self, request: Request) -> dict[str, Any]:
        """One page, oldest first; `more` says that another one follows after `last_seq`."""
        session = self._sessions.of(self._person, request.path_params["session_id"])
        after = _number(request, "after", 2**53, default=0)
        limit = _number(request, "limit", MOST_EVENTS)
        found = self._log.tail(session.session_id, after, limit + 1)
        frames = Frames(session.session_id, "", after)
        shown = [frames.event(event) for event in found[:limit]]
        last = shown[-1]["seq"] if shown else after
        return {"events": shown, "last_seq": last, "more": len(found) > limit}

    def jobs(self, request: Request) -> dict[str, Any]:
        """Newest first, as recorded."""
        found = self._jobs.of_person(self._person, _number(request, "limit", MOST_ROWS))
        return {"jobs": [job.model_dump(mode="json") for job in found]}

    def job(self, request: Request) -> dict[str, Any]:
        """As SageMaker says that it is now."""
        job = self._jobs.of(self._person, request.path_params["job_name"])
        return {"job": self._as_now(job).model_dump(mode="json")}

    def plan(self, request: Request) -> dict[str, Any]:
        plan = self._plans.of(self._person, request.path_params["plan_id"])
        approval = self._plans.approval(plan.plan_id)
        said = approval.model_dump(mode="json") if approval else None
        return {"plan": plan.model_dump(mode="json"), "approval": said}

    def costs(self, request: Request) -> dict[str, Any]:
        """This month: spent and reserved against the limit."""
        return self._services.gateway.invoke_tool("get_costs", {"person": self._person})

    def _session(self, session: Session) -> dict[str, Any]:
        turn = session.turn
        return {
            "session": session.session_id,
            "title": session.title,
            "updated_at": session.updated_at.isoformat(),
            "running_turn": turn.turn if turn and turn.lease_until > self._clock() else None,
        }

    def _as_now(self, job: Job) -> Job:
        seen = None if job.state.is_final else self._jobs.observe(job.job_name)
        return change(job, seen) if seen else job


def answer(act: Act) -> Callable[[Request], Response]:
    """A route: the act's result as JSON, or what went wrong as an error with its status."""

    def endpoint(request: Request) -> Response:
        try:
            return JSONResponse(act(request))
        except Exception as error:
            return problem_of(explain(error))

    return endpoint


def explain(error: Exception) -> OpsError:
    """What a client may see of an exception; it does not learn that somebody else's things exist."""
    seen = as_ours(error)
    return seen.unknown if isinstance(seen, NotYoursError) else seen


def problem_of(error: OpsError, status: int | None = None) -> Response:
    return problem_response(HTTPStatus(status or _status(error)), error)


def _status(error: OpsError) -> HTTPStatus:
    if error.code in _PASSING:
        return HTTPStatus.SERVICE_UNAVAILABLE
    if error.code == "bad_payload":
        return HTTPStatus.UNPROCESSABLE_ENTITY
    if error.code.startswith("unknown_") or error.code == "not_found":
        return HTTPStatus.NOT_FOUND
    if isinstance(error, RequestError):
        return HTTPStatus.BAD_REQUEST
    refused = isinstance(error, RefusedError)
    return HTTPStatus.CONFLICT if refused else HTTPStatus.INTERNAL_SERVER_ERROR


def _number(request: Request, name: str, most: int, default: int | None = None) -> int:
    """A query parameter from 0 (as a limit from 1) to `most`."""
    said = request.query_params.get(name)
    if said is None:
        return most if default is None else default
    least = 1 if default is None else 0
    try:
        return TypeAdapter(Annotated[int, Field(ge=least, le=most)]).validate_python(said)
    except ValidationError as error:
        wanted = f"{name} is a whole number from {least} to {most}."
        raise RequestError("bad_parameter", wanted) from error
