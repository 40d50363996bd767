"""Runs turns outside any screen: a person's words or decision starts one, its events go to the log.

A turn whose process died is taken over by the next one that looks, from its checkpoint.
"""

import logging
import uuid
from collections.abc import Callable
from datetime import datetime
from typing import Any

from langgraph.checkpoint.base import BaseCheckpointSaver

from agent.bedrock import BedrockModel, Model
from agent.checkpoints import CheckpointSaver
from agent.gate import approval_data
from agent.gateway import ToolGateway
from agent.journal import Journal, LeaseLostError
from agent.leases import Leases
from agent.metering import Meter
from agent.news import News, about_plan
from agent.ports import Ports
from agent.state import State, fresh
from agent.threads import Threads
from agent.workers import Workers
from mlops.approvals import Approval, ApprovalStatus
from mlops.aws.clients import Aws
from mlops.aws.events import EventLog
from mlops.aws.plans import Plans
from mlops.aws.sessions import Session, Sessions, Turn
from mlops.constraints import MAX_SENTENCE_CHARS, Intent, parse
from mlops.dialogue.conversation import read
from mlops.errors import Alternative, OpsError, RefusedError, RequestError
from mlops.events import EventKind
from mlops.plan import Plan
from mlops.session_ids import require_id

# What a lease says about a turn that carries out a decision, or tells how a run ended. No person
# can say it: what they say is stripped.
_DECISION, _REPORT = "\ndecision: ", "\nreport: "

_LOG = logging.getLogger(__name__)


class Turns:
    """Starts, decides, resumes and awaits turns of one person; one instance per process."""

    def __init__(
        self,
        aws: Aws,
        gateway: ToolGateway,
        clock: Callable[[], datetime],
        owner: str,
        model: Model | None = None,
        saver: BaseCheckpointSaver[Any] | None = None,
    ):
        self._person = aws.settings.person
        self._clock = clock
        self._owner = owner
        self._plans = Plans(aws)
        self._sessions = Sessions(aws)
        self._leases = Leases(self._sessions, self._person, clock)
        self._journal = Journal(EventLog(aws, clock), clock, self._leases.held)
        ports = Ports(
            settings=aws.settings,
            gateway=gateway,
            model=model or BedrockModel(aws),
            meter=Meter(aws, clock),
            journal=self._journal,
            plans=self._plans,
            clock=clock,
        )
        self._threads = Threads(ports, saver or CheckpointSaver(aws))
        self._news = News(aws, self._journal, clock)
        self._workers = Workers(self._journal, self._leases, self._person)

    def submit(self, session_id: str, text: str) -> str:
        """Starts a turn and returns its id; RefusedError("turn_running") while one runs."""
        said = text.strip()
        if not said or len(said) > MAX_SENTENCE_CHARS:
            limit = f"between 1 and {MAX_SENTENCE_CHARS} characters"
            raise RequestError("bad_text", f"Say what you want in {limit}.")
        require_id(session_id)
        untold = self._finish_orphan(session_id)
        turn = f"turn-{uuid.uuid4().hex[:12]}"
        self._claim(session_id, turn, said)
        self._workers.start(session_id, turn, lambda: self._ask(session_id, turn, said, untold))
        return turn

    def approve(self, plan_id: str, by: str) -> str:
        """Stores a person's yes and launches the plan; the id of the turn that waited for it, or
        of the one that made the plan."""
        return self._decide(plan_id, lambda plan: self._plans.approve(plan, by, self._clock()))

    def decline(self, plan_id: str, by: str) -> str:
        """Stores a person's no; a turn that waits for it ends."""
        return self._decide(plan_id, lambda plan: self._plans.decline(plan, by, self._clock()))

    def tell(self, session_id: str) -> str | None:
        """Puts the end of a run into words, once, that nobody was told yet; the id of the turn.

        None when there is nothing to tell, something runs, or a plan waits for a decision. Whoever
        watches a conversation calls it as often as they like.
        """
        session = self._sessions.get(session_id)
        if session is None or session.person != self._person or session.turn is not None:
            return None
        if not session.untold or self._threads.waits(session_id):
            return None
        plan = self._plans.get(session.untold[0])
        try:
            self._claim(session_id, plan.turn, f"{_REPORT}{plan.plan_id}", session.title)
        except RefusedError:
            return None
        self._workers.start(session_id, plan.turn, lambda: self._tell(plan))
        return plan.turn

    def resume_orphans(self) -> int:
        """Takes over the turns whose process died; how many."""
        orphans = self._sessions.interrupted(self._person, self._clock())
        return sum(self._take_over(session) for session in orphans)

    def wait(self, turn: str, timeout: float | None = None) -> bool:
        """True when the turn has ended, or never ran in this process."""
        return self._workers.wait(turn, timeout)

    def is_busy(self) -> bool:
        """A turn runs in this process."""
        return self._workers.is_busy()

    def close(self) -> None:
        """Lets running turns end."""
        self._workers.close()

    def _take_over(self, session: Session) -> bool:
        """False when somebody else was faster."""
        turn = session.turn
        if turn is None:
            return False
        try:
            self._claim(turn.session_id, turn.turn, turn.text, session.title)
        except RefusedError:
            return False
        self._workers.start(turn.session_id, turn.turn, lambda: self._resume(turn))
        return True

    def _finish_orphan(self, session_id: str) -> tuple[str, ...]:
        """What a dead process left here comes first: a new request must not replace it.

        The plans whose end the person has not been told.
        """
        session = self._sessions.require_owner(session_id, self._person)
        if session is None:
            return ()
        if session.is_interrupted(self._clock()):
            self._take_over(session)
            raise RefusedError(
                "turn_running",
                "An interrupted request of this conversation is finished first.",
                (Alternative(kind="wait", message="Ask again in a moment"),),
            )
        return session.untold

    def _claim(self, session_id: str, turn: str, text: str, title: str = "") -> None:
        owner = f"{self._owner}/{uuid.uuid4().hex[:12]}"
        self._leases.claim(session_id, turn, text, title or text, owner)

    def _ask(self, session_id: str, turn: str, text: str, untold: tuple[str, ...]) -> State:
        state = fresh(session_id, turn, self._person, text)
        if untold and not self._threads.waits(session_id):
            state["news"] = self._news.catch_up(state, untold)
        self._journal.note(state, EventKind.USER, {"text": text}, f"user#{turn}")
        return self._threads.begin(state, _durability(text))

    def _decide(self, plan_id: str, store: Callable[[Plan], Approval]) -> str:
        plan = self._plans.of(self._person, plan_id)
        self._finish_orphan(plan.session_id)
        turn = self._threads.waiting_turn(plan.session_id, plan_id) or plan.turn
        title = f"Plan for {plan.dataset.name}"
        self._claim(plan.session_id, turn, _DECISION + plan_id, title)
        try:
            self._note_decision(plan, turn, store(plan))
        except BaseException:
            self._workers.release(plan.session_id, turn)
            raise
        self._workers.start(plan.session_id, turn, lambda: self._carry_out(plan, turn))
        return turn

    def _tell(self, plan: Plan) -> State | None:
        """By the graph; in plain words when that comes to nothing."""
        session = self._sessions.get(plan.session_id)
        if session is None or plan.plan_id not in session.untold:
            return None
        leg = f"told-{plan.plan_id}"
        state = fresh(plan.session_id, plan.turn, plan.person, "", leg, report=plan.plan_id)
        try:
            state = self._threads.begin(state, "exit")
        except LeaseLostError:
            raise
        except Exception:
            _LOG.exception("the end of %s was not put into words by the graph", plan.plan_id)
        return self._as_told(state)

    def _as_told(self, state: State) -> State | None:
        """With an answer as its ending; None when not even the stored report can be read."""
        end = state["ending"]
        if end and end["kind"] == EventKind.ANSWER:
            return {**state, "ending": about_plan(end, state["report"])}
        try:
            return self._news.told(state)
        except OpsError:
            _LOG.exception("the end of %s cannot be read", state["report"])
            return None

    def _note_decision(self, plan: Plan, turn: str, approval: Approval) -> None:
        data = approval_data(plan, approval.status, approval)
        state = fresh(plan.session_id, turn, plan.person, "")
        key = f"{approval.status}#{plan.plan_id}"
        self._journal.note(state, EventKind.APPROVAL, data, key)

    def _carry_out(self, plan: Plan, turn: str) -> State | None:
        """The waiting graph goes on; where none waits any more, an approved plan is launched anew."""
        session_id, plan_id = plan.session_id, plan.plan_id
        if self._threads.waiting_turn(session_id, plan_id) == turn:
            return self._threads.decide(session_id, plan_id)
        approval = self._plans.approval(plan_id)
        if approval is None or approval.status is not ApprovalStatus.APPROVED:
            return None
        leg = f"{turn}-{uuid.uuid4().hex[:6]}"
        text = f"I approve {plan_id}. Launch it."
        state = fresh(session_id, turn, plan.person, text, leg, launch=plan_id)
        return self._threads.begin(state, "sync")

    def _resume(self, turn: Turn) -> State | None:
        """From the checkpoint of this very turn, else from the person's words or decision."""
        if turn.text.startswith(_REPORT):
            return self._tell(self._plans.get(turn.text.removeprefix(_REPORT)))
        kept = self._threads.kept(turn.session_id)
        if kept is None or kept.state["turn"] != turn.turn:
            return self._begin_again(turn)
        if kept.is_halfway:
            return self._threads.go_on(turn.session_id)
        decided = turn.text.startswith(_DECISION)
        if decided and not _was_launched(kept.state, turn.text.removeprefix(_DECISION)):
            return self._begin_again(turn)
        return kept.state

    def _begin_again(self, turn: Turn) -> State | None:
        """From what the lease says: the decision on a plan, or the person's words."""
        if turn.text.startswith(_DECISION):
            plan = self._plans.get(turn.text.removeprefix(_DECISION))
            return self._carry_out(plan, turn.turn)
        session = self._sessions.get(turn.session_id)
        return self._ask(turn.session_id, turn.turn, turn.text, session.untold if session else ())


def _was_launched(state: State, plan_id: str) -> bool:
    outcomes = read(state["messages"]).outcomes
    return any(o.ok and o.arguments.get("plan_id") == plan_id for o in outcomes)


def _durability(text: str) -> str:
    """Questions are cheap to ask again; what leads to money is kept after every step."""
    return "sync" if parse(text).intent in (Intent.TRAIN, Intent.STOP) else "exit"
