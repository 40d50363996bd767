"""The event log of a conversation in, the messages and cards of the chat out: pure, so that every screen agrees.

Events append to the last message of their turn; approvals, job states and tool results change
the card that they belong to, wherever it stands.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from app.blocks import (
    Block,
    Clauses,
    JobCard,
    Message,
    PlanCard,
    ReportCard,
    Step,
    Thinking,
    Trouble,
    Words,
)
from mlops.constraints import Constraints, Intent, Parsed
from mlops.dialogue.phrasing import sentence
from mlops.errors import Alternative
from mlops.events import Event, EventKind
from mlops.job import Job
from mlops.plan import Plan
from mlops.report import Report
from mlops.report_words import ended
from mlops.tools import ReportOutput
from mlops.workflow import WorkflowStep, current_step

_CLOSED = ("declined", "superseded", "cancelled")


def fold(events: Iterable[Event]) -> list[Message]:
    """The whole conversation; the same events always give the same messages."""
    folding = _Folding()
    for event in events:
        folding.add(event)
    return folding.messages()


@dataclass
class _Draft:
    turn: str
    role: Literal["user", "assistant"]
    blocks: list[Block] = field(default_factory=list[Block])


class _Folding:
    """The messages so far, and the events of each turn for its step."""

    def __init__(self) -> None:
        self._drafts: list[_Draft] = []
        self._events: dict[str, list[Event]] = {}
        self._said: dict[str, str] = {}
        self._approved_in: dict[str, str] = {}
        self._parsed: dict[str, Parsed] = {}
        self._ends: dict[str, str] = {}

    def add(self, event: Event) -> None:
        self._events.setdefault(event.turn, []).append(event)
        handle = self._HANDLERS.get(event.kind)
        if handle is not None:
            handle(self, event)

    def messages(self) -> list[Message]:
        requests = {turn for turn, events in self._events.items() if _is_request(events)}
        made: list[Message] = []
        for draft in self._drafts:
            if not draft.blocks:
                continue
            step = None
            if draft.role == "assistant" and draft.turn in requests:
                requests.remove(draft.turn)
                step = self._step_of(draft)
            blocks = tuple(draft.blocks)
            made.append(Message(turn=draft.turn, role=draft.role, blocks=blocks, step=step))
        return made

    def _step_of(self, draft: _Draft) -> WorkflowStep:
        """A plan may be closed in a later turn than its own."""
        plans = [block for block in draft.blocks if isinstance(block, PlanCard)]
        if plans and plans[-1].status in _CLOSED:
            return WorkflowStep.ERROR
        return current_step(self._events[draft.turn])

    def _user(self, event: Event) -> None:
        text = str(event.data["text"])
        self._said[event.turn] = text
        self._drafts.append(_Draft(turn=event.turn, role="user", blocks=[Words(text=text)]))

    def _step(self, event: Event) -> None:
        if "parsed" not in event.data:
            return
        parsed = Parsed.model_validate(event.data["parsed"])
        self._parsed[event.turn] = parsed
        if parsed.evidence or parsed.problems:
            self._append(event, Clauses(parsed=parsed, said=self._said.get(event.turn, "")))

    def _thinking(self, event: Event) -> None:
        self._append_step(event, Step(text=str(event.data["text"]), ok=True))

    def _tool_call(self, event: Event) -> None:
        data = event.data
        step = Step(tool=data["tool"], call_id=data["call_id"], arguments=data["arguments"])
        self._append_step(event, step)

    def _tool_result(self, event: Event) -> None:
        data = event.data
        found = {"outcome": data.get("result") or data.get("error") or {}, "ok": bool(data["ok"])}

        def finish(block: Block) -> Block | None:
            if not isinstance(block, Thinking):
                return None
            if all(s.call_id != data["call_id"] for s in block.steps):
                return None
            steps = (
                s.model_copy(update=found) if s.call_id == data["call_id"] else s
                for s in block.steps
            )
            return Thinking(steps=tuple(steps))

        self._replace(finish)

    def _plan(self, event: Event) -> None:
        self._append(event, PlanCard(plan=Plan.model_validate(event.data["plan"])))

    def _approval(self, event: Event) -> None:
        data = event.data
        if data["status"] == "approved":
            self._approved_in[event.turn] = data["plan_id"]
        note = str(data.get("words") or "")
        changes = {"status": str(data["status"]), "by": data.get("by"), "note": note}
        self._change_plan(data["plan_id"], **changes)

    def _job(self, event: Event) -> None:
        job = Job.model_validate(event.data["job"])
        self._change_plan(job.plan_id, status="approved", note="")

        def update(block: Block) -> Block | None:
            same = isinstance(block, JobCard) and block.job.job_name == job.job_name
            return JobCard(job=job) if same else None

        if not self._replace(update):
            self._append(event, JobCard(job=job))

    def _answer(self, event: Event) -> None:
        """How a run ended is on its card: the same in the words of code, and the look at the
        report that they came from, would only repeat it."""
        text = str(event.data["text"])
        if text != self._ends.get(str(event.data.get("plan_id"))):
            return self._append(event, Words(text=text))
        blocks = self._open(event).blocks
        if blocks and isinstance(blocks[-1], Thinking) and _is_look(blocks[-1]):
            blocks.pop()

    def _report(self, event: Event) -> None:
        report = Report.model_validate(event.data)
        self._change_plan(report.plan_id, ended=True)
        self._ends[report.plan_id] = ended(ReportOutput(plan_id=report.plan_id, report=report))
        self._append(event, ReportCard(report=report))

    def _error(self, event: Event) -> None:
        data = event.data
        plan_id = data.get("plan_id") or self._approved_in.get(event.turn)
        if plan_id:
            self._change_plan(plan_id, ended=True)
            self._ends[plan_id] = ended(ReportOutput(plan_id=plan_id, failure=data))
        alternatives = tuple(Alternative.model_validate(a) for a in data["alternatives"])
        parsed, said = self._parsed.get(event.turn), self._said.get(event.turn)
        trouble = Trouble(
            code=str(data["code"]),
            message=str(data["message"]),
            alternatives=alternatives,
            requests=tuple(_request(parsed, said, way) for way in alternatives),
            text=str(data.get("text") or ""),
        )
        self._append(event, trouble)

    def _append(self, event: Event, block: Block) -> None:
        self._open(event).blocks.append(block)

    def _append_step(self, event: Event, step: Step) -> None:
        blocks = self._open(event).blocks
        if blocks and isinstance(blocks[-1], Thinking):
            blocks[-1] = Thinking(steps=(*blocks[-1].steps, step))
        else:
            blocks.append(Thinking(steps=(step,)))

    def _open(self, event: Event) -> _Draft:
        """The last message when it is the assistant's in this turn, else a new one."""
        last = self._drafts[-1] if self._drafts else None
        if last is None or last.turn != event.turn or last.role == "user":
            last = _Draft(turn=event.turn, role="assistant")
            self._drafts.append(last)
        return last

    def _change_plan(self, plan_id: str, **changes: Any) -> None:
        def change(block: Block) -> Block | None:
            if not isinstance(block, PlanCard) or block.plan.plan_id != plan_id:
                return None
            return block.model_copy(update=changes)

        self._replace(change)

    def _replace(self, change: Callable[[Block], Block | None]) -> bool:
        """Puts the changed block in place of the latest one that `change` answers for."""
        for draft in reversed(self._drafts):
            for number, block in enumerate(draft.blocks):
                changed = change(block)
                if changed is not None:
                    draft.blocks[number] = changed
                    return True
        return False

    _HANDLERS: dict[EventKind, Callable[["_Folding", Event], None]] = {
        EventKind.USER: _user,
        EventKind.STEP: _step,
        EventKind.THINKING: _thinking,
        EventKind.TOOL_CALL: _tool_call,
        EventKind.TOOL_RESULT: _tool_result,
        EventKind.PLAN: _plan,
        EventKind.APPROVAL: _approval,
        EventKind.JOB: _job,
        EventKind.ANSWER: _answer,
        EventKind.REPORT: _report,
        EventKind.ERROR: _error,
    }


def _is_request(events: Sequence[Event]) -> bool:
    """A turn that was understood as training, or that made a plan."""
    return any(
        event.kind is EventKind.PLAN or event.data.get("parsed", {}).get("intent") == Intent.TRAIN
        for event in events
    )


def _is_look(thinking: Thinking) -> bool:
    return all(step.tool == "get_training_report" for step in thinking.steps)


def _request(parsed: Parsed | None, said: str | None, way: Alternative) -> str | None:
    """The request with a way's change; None where the change is not one of its constraints."""
    if way.kind == "retry":
        return said
    if parsed is None or not way.changes:
        return None
    if not way.changes.keys() <= Constraints.model_fields.keys():
        return None
    changed = parsed.constraints.model_copy(update=way.changes)
    return None if changed.dataset is None else sentence(changed)
