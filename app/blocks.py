"""The parts of a chat message, as data: what the transcript folds events into and the cards draw."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from mlops.constraints import Parsed
from mlops.errors import Alternative
from mlops.job import Job
from mlops.plan import Plan
from mlops.report import Report
from mlops.workflow import WorkflowStep


class _Block(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Words(_Block):
    """What a person said, or an answer."""

    text: str


class Clauses(_Block):
    """What was understood, and the sentence it came from."""

    parsed: Parsed
    said: str


class Step(_Block):
    """A thought (no tool) or a tool call with what came back."""

    text: str = ""
    tool: str | None = None
    call_id: str = ""
    arguments: dict[str, Any] = {}
    outcome: dict[str, Any] | None = None
    ok: bool | None = None


class Thinking(_Block):
    """Consecutive steps, shown as one part that expands."""

    steps: tuple[Step, ...]


class PlanCard(_Block):
    """`status` is that of the last approval event: "waiting", "approved" or "declined" as a rule;
    None when nobody was asked to approve (an estimate)."""

    plan: Plan
    status: str | None = None
    by: str | None = None
    ended: bool = False
    note: str = ""


class JobCard(_Block):
    """The latest recorded state of one job."""

    job: Job


class ReportCard(_Block):
    report: Report


class Trouble(_Block):
    """An error event: what is wrong and the ways out; `requests` are the sentences, one for each
    way or None, that ask for the same with that change."""

    code: str
    message: str
    alternatives: tuple[Alternative, ...] = ()
    requests: tuple[str | None, ...] = ()
    text: str = ""


Block = Words | Clauses | Thinking | PlanCard | JobCard | ReportCard | Trouble


class Message(_Block):
    """One bubble. `step` is set on the first bubble of a request to train, for its progress line."""

    turn: str
    role: Literal["user", "assistant"]
    blocks: tuple[Block, ...]
    step: WorkflowStep | None = None
