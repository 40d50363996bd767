"""Turns run here, outside any screen: a person's words or decision in, events in the session's log out.

A turn whose process died is taken over by the next one that looks, from its checkpoint.
"""

import logging
import re
import threading
import uuid
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from datetime import datetime
from typing import Any

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.types import Command

from agent.bedrock import BedrockModel, Model
from agent.checkpoints import open_saver
from agent.gate import approval_data
from agent.gateway import ToolGateway
from agent.graph import build
from agent.journal import Journal, LeaseLostError
from agent.leases import Leases
from agent.metering import Meter
from agent.ports import Ports
from agent.state import State, fresh, pack, unpack
from mlops.approvals import Approval, ApprovalStatus
from mlops.aws.clients import Aws
from mlops.aws.events import EventLog
from mlops.aws.plans import Plans
from mlops.aws.sessions import Session, Sessions, Turn
from mlops.constraints import Intent, parse
from mlops.conversation import read
from mlops.errors import Alternative, FaultError, OpsError, RefusedError, RequestError
from mlops.events import EventKind
from mlops.plan import Plan

MAX_TEXT_CHARS = 20_000
_WORKERS = 16
_RECURSION_LIMIT = 100
# What a lease says about a turn that carries out a decision. No person can say it: what they say is stripped.
_DECISION = "\ndecision: "

# What fits into keys, addresses and file names alike.
_SESSION_ID = re.compile(r"[A-Za-z0-9_.-]{1,64}")

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
        self._graph = build(ports, saver or open_saver(aws))
        self._pool = ThreadPoolExecutor(_WORKERS, thread_name_prefix="turn")
        self._running: dict[str, Future[None]] = {}
        self._lock = threading.Lock()

    def submit(self, session_id: str, text: str) -> str:
        """Starts a turn and returns its id; RefusedError("turn_running") while one runs."""
        said = text.strip()
        if not said or len(said) > MAX_TEXT_CHARS:
            limit = f"between 1 and {MAX_TEXT_CHARS} characters"
            raise RequestError("bad_text", f"Say what you want in {limit}.")
        if not _SESSION_ID.fullmatch(session_id):
            raise RequestError("bad_session", "A session id is 1 to 64 of A-Z a-z 0-9 _ . -")
        self._finish_orphan(session_id)
        turn = f"turn-{uuid.uuid4().hex[:12]}"
        self._claim(session_id, turn, said)
        self._start(session_id, turn, lambda: self._ask(session_id, turn, said))
        return turn

    def approve(self, plan_id: str, by: str) -> str:
        """Stores a person's yes and launches the plan; the id of the turn that waited for it, or
        of the one that made the plan."""
        return self._decide(plan_id, lambda plan: self._plans.approve(plan, by, self._clock()))

    def decline(self, plan_id: str, by: str) -> str:
        """Stores a person's no; a turn that waits for it ends."""
        return self._decide(plan_id, lambda plan: self._plans.decline(plan, by, self._clock()))

    def resume_orphans(self) -> int:
        """Takes over the turns whose process died; how many."""
        orphans = filter(self._is_orphan, self._sessions.of_person(self._person))
        return sum(self._take_over(session) for session in orphans)

    def wait(self, turn: str, timeout: float | None = None) -> bool:
        """True when the turn has ended, or never ran in this process."""
        future = self._running.get(turn)
        return future is None or not wait([future], timeout).not_done

    def close(self) -> None:
        """Lets running turns end."""
        self._pool.shutdown(wait=True)
        self._leases.close()

    def _is_orphan(self, session: Session) -> bool:
        return session.turn is not None and session.turn.lease_until < self._clock()

    def _take_over(self, session: Session) -> bool:
        """False when somebody else was faster."""
        turn = session.turn
        if turn is None:
            return False
        try:
            self._claim(turn.session_id, turn.turn, turn.text, session.title)
        except RefusedError:
            return False
        self._start(turn.session_id, turn.turn, lambda: self._resume(turn))
        return True

    def _finish_orphan(self, session_id: str) -> None:
        """What a dead process left here comes first: a new request must not replace it."""
        session = self._sessions.get(session_id)
        if session is None:
            return
        if session.person != self._person:
            raise RefusedError("not_yours", "This conversation belongs to somebody else.")
        if self._is_orphan(session):
            self._take_over(session)
            raise RefusedError(
                "turn_running",
                "An interrupted request of this conversation is finished first.",
                (Alternative(kind="wait", message="Ask again in a moment"),),
            )

    def _claim(self, session_id: str, turn: str, text: str, title: str = "") -> None:
        owner = f"{self._owner}/{uuid.uuid4().hex[:12]}"
        self._leases.claim(session_id, turn, text, title or text, owner)

    def _start(self, session_id: str, turn: str, work: Callable[[], State | None]) -> None:
        future = self._pool.submit(self._run, session_id, turn, work)
        with self._lock:
            self._running = {t: f for t, f in self._running.items() if not f.done()}
            self._running[turn] = future

    def _run(self, session_id: str, turn: str, work: Callable[[], State | None]) -> None:
        """Every turn ends with `done`, whatever happens; then its lease is given back."""
        state: State = fresh(session_id, turn, self._person, "")
        key: str | None = None
        try:
            try:
                state = work() or state
                key = f"{state['leg']}#{state['iterations']}#{_how_it_ended(state)}"
                self._end(state, key)
            except LeaseLostError:
                raise
            except Exception as error:
                data = _explain(error, turn).as_data()
                self._journal.note(state, EventKind.ERROR, data)
            self._journal.note(state, EventKind.DONE, {}, key and f"done#{key}")
        except Exception:
            _LOG.exception("turn %s of %s could not be ended", turn, session_id)
        finally:
            self._release(session_id, turn)

    def _end(self, state: State, key: str) -> None:
        end = state["ending"]
        if end is not None:
            self._journal.note(state, EventKind(end["kind"]), end["data"], f"end#{key}")

    def _release(self, session_id: str, turn: str) -> None:
        try:
            self._leases.release(session_id, turn)
        except OpsError:
            _LOG.exception("the lease of %s was not given back; it will run out", session_id)

    def _ask(self, session_id: str, turn: str, text: str) -> State:
        state = fresh(session_id, turn, self._person, text)
        self._journal.note(state, EventKind.USER, {"text": text}, f"user#{turn}")
        return self._invoke(session_id, state, _durability(text))

    def _decide(self, plan_id: str, store: Callable[[Plan], Approval]) -> str:
        plan = self._plans.get(plan_id)
        if plan.person != self._person:
            raise RefusedError("not_yours", "This plan was made for somebody else.")
        self._finish_orphan(plan.session_id)
        turn = self._waiting_turn(plan) or plan.turn
        title = f"Plan for {plan.dataset.name}"
        self._claim(plan.session_id, turn, _DECISION + plan_id, title)
        try:
            self._note_decision(plan, turn, store(plan))
        except BaseException:
            self._release(plan.session_id, turn)
            raise
        self._start(plan.session_id, turn, lambda: self._carry_out(plan, turn))
        return turn

    def _waiting_turn(self, plan: Plan) -> str | None:
        """The turn whose graph waits for a decision on this plan."""
        snapshot = self._graph.get_state(_config(plan.session_id))
        waits = any(i.value["plan_id"] == plan.plan_id for i in snapshot.interrupts)
        return unpack(snapshot.values)["turn"] if waits else None

    def _note_decision(self, plan: Plan, turn: str, approval: Approval) -> None:
        data = {**approval_data(plan, approval.status), "by": approval.by}
        state = fresh(plan.session_id, turn, plan.person, "")
        key = f"{approval.status}#{plan.plan_id}"
        self._journal.note(state, EventKind.APPROVAL, data, key)

    def _carry_out(self, plan: Plan, turn: str) -> State | None:
        """The waiting graph goes on; where none waits any more, an approved plan is launched anew."""
        session_id, plan_id = plan.session_id, plan.plan_id
        if self._waiting_turn(plan) == turn:
            return self._invoke(session_id, Command(resume={"plan_id": plan_id}), "sync")
        approval = self._plans.approval(plan_id)
        if approval is None or approval.status is not ApprovalStatus.APPROVED:
            return None
        leg = f"{turn}-{uuid.uuid4().hex[:6]}"
        text = f"I approve {plan_id}. Launch it."
        state = fresh(session_id, turn, plan.person, text, leg, launch=plan_id)
        return self._invoke(session_id, state, "sync")

    def _resume(self, turn: Turn) -> State | None:
        """From the checkpoint of this very turn, else from the person's words or decision."""
        snapshot = self._graph.get_state(_config(turn.session_id))
        state = unpack(snapshot.values) if snapshot.values else None
        if state is None or state["turn"] != turn.turn:
            return self._begin_again(turn)
        if snapshot.next and not snapshot.interrupts:
            return self._invoke(turn.session_id, None, "sync")
        decided = turn.text.startswith(_DECISION)
        if decided and not _was_launched(state, turn.text.removeprefix(_DECISION)):
            return self._begin_again(turn)
        return state

    def _begin_again(self, turn: Turn) -> State | None:
        """From what the lease says: the decision on a plan, or the person's words."""
        if turn.text.startswith(_DECISION):
            plan = self._plans.get(turn.text.removeprefix(_DECISION))
            return self._carry_out(plan, turn.turn)
        return self._ask(turn.session_id, turn.turn, turn.text)

    def _invoke(
        self, session_id: str, given: State | Command[Any] | None, durability: str
    ) -> State:
        """Runs the graph to its end or to an interrupt; None goes on from the checkpoint."""
        entry = pack(given) if isinstance(given, dict) else given
        return unpack(self._graph.invoke(entry, _config(session_id), durability=durability))


def _config(session_id: str) -> dict[str, Any]:
    return {"configurable": {"thread_id": session_id}, "recursion_limit": _RECURSION_LIMIT}


def _was_launched(state: State, plan_id: str) -> bool:
    outcomes = read(state["messages"]).outcomes
    return any(o.ok and o.arguments.get("plan_id") == plan_id for o in outcomes)


def _how_it_ended(state: State) -> str:
    end = state["ending"]
    return "waiting" if end is None else str(end["kind"])


def _durability(text: str) -> str:
    """Questions are cheap to ask again; what leads to money is kept after every step."""
    return "sync" if parse(text).intent in (Intent.TRAIN, Intent.STOP) else "exit"


def _explain(error: Exception, turn: str) -> OpsError:
    """What a person may see of an exception; the rest is in the log, under the same id."""
    if isinstance(error, OpsError):
        return error
    mark = uuid.uuid4().hex[:8]
    _LOG.error("turn %s failed (%s)", turn, mark, exc_info=error)
    return FaultError("internal", f"Something went wrong on our side; the log calls it {mark}.")
