"""A request's payload, and the frames of its answer: the log's events, heartbeats, errors, one end."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from mlops.constraints import MAX_SENTENCE_CHARS
from mlops.errors import OpsError, RequestError, explain_validation
from mlops.events import Event, EventKind
from mlops.session_ids import require_id

Frame = dict[str, Any]
_WAITS = "waiting"


class Resume(BaseModel):
    """The last `seq` that the client has seen; 0 for everything."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    after_seq: int = Field(ge=0)


class Payload(BaseModel):
    """One of four requests; `follow` goes on from the end of the turn to the report of its plan."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    prompt: str | None = Field(default=None, min_length=1, max_length=MAX_SENTENCE_CHARS)
    approve: str | None = Field(default=None, min_length=1, max_length=80)
    decline: str | None = Field(default=None, min_length=1, max_length=80)
    resume: Resume | None = None
    session: str | None = None
    follow: bool = False

    @model_validator(mode="after")
    def _one_request(self) -> "Payload":
        asked = (self.prompt, self.approve, self.decline, self.resume)
        if sum(one is not None for one in asked) != 1:
            raise ValueError("exactly one of prompt, approve, decline and resume is wanted")
        if self.session is not None:
            require_id(self.session)
        return self


def read_payload(body: Any, header_session: str | None) -> Payload:
    """The session of the header counts as one of the body; RequestError("bad_payload")."""
    try:
        payload = Payload.model_validate(body)
        if header_session is None:
            return payload
        if payload.session not in (None, header_session):
            raise RequestError("bad_payload", "The session of header and payload differ.")
        return Payload.model_validate({**body, "session": header_session})
    except ValidationError as error:
        raise RequestError("bad_payload", explain_validation(error)) from error
    except RequestError as error:
        raise RequestError("bad_payload", error.message) from error


class Ending(StrEnum):
    """How a stream ended."""

    DONE = "done"
    WAITING = "waiting_for_approval"
    REPORT = "report"
    ERROR = "error"
    CLOSING = "server_closing"


class Outlook:
    """What the events of a stream add up to: how it stands, and which plan's report is to come."""

    def __init__(self) -> None:
        self.ending = Ending.DONE
        self.plan_id: str | None = None
        self.running_plan: str | None = None
        self.launched = False
        self.ended_turns: set[str] = set()

    def note(self, event: Event) -> None:
        plan_id = event.data.get("plan_id")
        if event.kind is EventKind.USER:
            self.ending, self.plan_id = Ending.DONE, None
        elif event.kind is EventKind.APPROVAL:
            self._note_approval(str(plan_id), str(event.data.get("status")))
        elif event.kind in (EventKind.REPORT, EventKind.ERROR):
            is_report = event.kind is EventKind.REPORT
            self.ending = Ending.REPORT if is_report else Ending.ERROR
            if plan_id is not None and plan_id == self.running_plan:
                self.running_plan = None
        elif event.kind is EventKind.ANSWER and self.ending is not Ending.REPORT:
            self.ending = Ending.DONE
        elif event.kind is EventKind.DONE:
            self.ended_turns.add(event.turn)

    def _note_approval(self, plan_id: str, status: str) -> None:
        waits = status == _WAITS
        self.ending, self.plan_id = (Ending.WAITING if waits else Ending.DONE), plan_id
        if status == "approved":
            self.running_plan, self.launched = plan_id, False


class Frames:
    """Makes the frames of one stream. Each carries the last `seq` of the log that the client has
    seen with it: that is where it may resume."""

    def __init__(self, session_id: str, turn: str, seq: int):
        self._session_id = session_id
        self._turn = turn
        self._seq = seq

    def start(self, at: datetime) -> Frame:
        return self._frame("start", at, {"session": self._session_id})

    def event(self, event: Event) -> Frame:
        """Streamed text has numbers of its own; they are not for resuming."""
        if event.kind is not EventKind.TOKEN:
            self._seq = max(self._seq, event.seq)
        return self._frame(str(event.kind), event.at, event.data, event.turn)

    def heartbeat(self, at: datetime) -> Frame:
        return self._frame("heartbeat", at, {})

    def error(self, at: datetime, error: OpsError) -> Frame:
        return self._frame("error", at, error.as_data())

    def end(self, at: datetime, ending: Ending, plan_id: str | None) -> Frame:
        named = {"plan_id": plan_id} if ending is Ending.WAITING and plan_id else {}
        return self._frame("end", at, {"state": str(ending), **named})

    def _frame(self, kind: str, at: datetime, data: dict[str, Any], turn: str = "") -> Frame:
        return {
            "type": kind,
            "seq": self._seq,
            "turn": turn or self._turn,
            "at": at.isoformat(),
            "data": data,
        }
