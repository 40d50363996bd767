"""A person's words in, what they mean out: code understands them before any model does, or says what is missing."""

from collections.abc import Mapping
from typing import Any

from agent import endings
from agent import messages as talk
from agent.acting import carry_out
from agent.bedrock import ASK_AGAIN
from agent.context import condensed
from agent.gate import approval_data
from agent.ports import Ports
from agent.state import State, Update, after
from mlops.approvals import ApprovalStatus
from mlops.constraints import Constraints, Intent, Parsed, at_moment
from mlops.dialogue import answers
from mlops.dialogue.conversation import (
    Action,
    Call,
    Conversation,
    assistant_message,
    noted,
    read,
    understand,
)
from mlops.dialogue.memory import datasets_offered, trainable
from mlops.dialogue.phrases import say
from mlops.errors import Alternative, FaultError, RefusedError, RequestError
from mlops.events import EventKind
from mlops.plan import Plan
from mlops.version import rules_version
from mlops.workflow import WorkflowStep

# So many of the latest plans are looked at for one that nobody decided on.
_OPEN_PLANS = 10


class Hearing:
    """The first step of a turn."""

    def __init__(self, ports: Ports):
        self._ports = ports

    def hear(self, state: State) -> Update:
        """Hears the person: the sentence becomes constraints, or the turn ends with what is missing."""
        if state["report"]:
            return _ask_for_report(state)
        before = condensed(state["messages"])
        words = talk.user(state["text"])
        said = [*talk.closed(before), *state["news"], words]
        heard = [*before, *said]
        zone = self._ports.settings.timezone
        parsed = at_moment(understand(heard), self._ports.clock(), zone)
        talked = read(heard)
        waiting = None if state["launch"] else self._waiting(talked)
        said[-1] = noted(words, parsed, heard, waiting)
        said = after(state["messages"], before, said)
        parsed_json = parsed.model_dump(mode="json")
        update: Update = {"messages": said, "parsed": parsed_json}
        if state["launch"]:
            return {**update, **endings.ask_for(said, state, _launch(state["launch"]))}
        by = {"rules": rules_version(), "model": self._ports.settings.bedrock_model_id}
        self._ports.journal.step(state, WorkflowStep.PARSING, parsed=parsed_json, **by)
        if waiting and (phrase := self._decided(state, parsed, talked, waiting)):
            return {**update, **endings.answer(said, say(phrase, talked.language, plan=waiting))}
        if parsed.amends and parsed.intent is Intent.TRAIN and talked.before.plan is not None:
            plan = self._ports.plans.get(talked.before.plan["plan_id"])
            if (words_of_it := self._supersede(state, plan, talked)) is None:
                usd = plan.ceiling_usd
                text = say("still_runs", talked.language, plan=plan.plan_id, usd=usd)
                return {**update, **endings.answer(said, text)}
            said += words_of_it
        return {**update, **self._missing(state, said, parsed, talked)}

    def _waiting(self, talked: Conversation) -> str | None:
        """The newest plan that a person can still decide on."""
        plan_ids = [str(plan["plan_id"]) for plan in reversed(talked.before.plans[-_OPEN_PLANS:])]
        decided = self._ports.plans.decided(plan_ids)
        return next((plan_id for plan_id in plan_ids if plan_id not in decided), None)

    def _decided(
        self, state: State, parsed: Parsed, talked: Conversation, plan_id: str
    ) -> str | None:
        """What is said to a bare yes or no. A no declines the plan; a yes in words starts nothing.
        None when the words are about something else: a job to stop, a refusal."""
        if parsed.approve is None:
            return None
        if parsed.approve:
            return "how_to_approve"
        names_plan = "plan" in state["text"].lower()
        stops_job = parsed.intent is Intent.STOP and talked.before.job_name is not None
        is_refused = talked.before.failure is not None and talked.before.what_if is None
        if not names_plan and (stops_job or is_refused):
            return None
        plan = self._ports.plans.get(plan_id)
        try:
            declined = self._ports.plans.decline(plan, state["person"], self._ports.clock())
        except RefusedError:
            return None  # It was approved in this moment.
        data = approval_data(plan, "declined", declined)
        self._ports.journal.note(state, EventKind.APPROVAL, data, f"declined#{plan_id}")
        return "declined_plan"

    def _supersede(
        self, state: State, plan: Plan, talked: Conversation
    ) -> list[dict[str, Any]] | None:
        """New terms close the plan with the old ones, also one that waits in the queue: only a plan
        that is asked for anew can run. Messages about it; None when it runs as it was approved."""
        approval = self._ports.plans.approval(plan.plan_id)
        if approval is None:
            try:
                declined = self._ports.plans.supersede(plan, state["person"], self._ports.clock())
            except RefusedError:
                return None  # It was approved in this moment.
            data = approval_data(plan, "superseded", declined)
            key = f"superseded#{plan.plan_id}"
            self._ports.journal.note(state, EventKind.APPROVAL, data, key)
            return []
        if approval.status is not ApprovalStatus.APPROVED:
            return []
        return self._cancel(state, plan, talked) if approval.queue is not None else None

    def _cancel(
        self, state: State, plan: Plan, talked: Conversation
    ) -> list[dict[str, Any]] | None:
        """Takes a plan out of the queue; None when it was started before."""
        text = say("new_terms", talked.language, plan=plan.plan_id)
        arguments = {"plan_id": plan.plan_id, "queued_only": True, "person": state["person"]}
        action = Action(calls=(Call(tool="stop_training_job", arguments=arguments),), text=text)
        asked = assistant_message(action, f"{state['leg']}-cancel")
        results = carry_out(self._ports, state, talk.calls_of(asked))
        if not results[0]["ok"]:
            _require_refused(results[0]["data"])
            return None
        key = f"new_terms#{plan.plan_id}"
        self._ports.journal.note(state, EventKind.THINKING, {"text": text}, key)
        return [asked, talk.results_message(results)]

    def _missing(
        self, state: State, said: list[dict[str, Any]], parsed: Parsed, talked: Conversation
    ) -> Update:
        """What code can see before any model is asked."""
        if parsed.problems:
            message = "\n".join(p.message for p in parsed.problems)
            return endings.end_with_error(said, RequestError("bad_clause", message))
        if parsed.intent is not Intent.TRAIN or parsed.constraints.dataset is not None:
            return {}
        asked = endings.ask_for([], state, Call(tool="list_s3_datasets", arguments={}))
        results = carry_out(self._ports, state, asked["calls"])
        listed = results[0]["data"]
        said = [*said, *asked["messages"], talk.results_message(results)]
        if not results[0]["ok"]:
            return endings.end_with_failure(said, listed)
        error = RequestError(
            "missing_dataset",
            answers.which_dataset(listed, talked.language),
            tuple(
                Alternative(kind="dataset", message=way.message, changes=way.changes)
                for way in datasets_offered(trainable(listed["datasets"])[:10])
            ),
        )
        return endings.end_with_error(said, error)


def _ask_for_report(state: State) -> Update:
    """No person spoke: code asks for the report, so that it is put into words."""
    before = condensed(state["messages"])
    note = talk.noted(f"The run of {state['report']} has ended. Tell the person how, in short.")
    said = after(state["messages"], before, [*talk.closed(before), note])
    nothing_said = Parsed(intent=Intent.OTHER, constraints=Constraints(), evidence={})
    call = Call(tool="get_training_report", arguments={"plan_id": state["report"]})
    asked = endings.ask_for(said, state, call)
    return {"parsed": nothing_said.model_dump(mode="json"), **asked}


def _require_refused(data: Mapping[str, Any]) -> None:
    """A rule's no says that the plan has started; a fault says nothing of it, and is raised."""
    if data["exit_code"] != RefusedError.exit_code:
        raise FaultError(data["code"], data["message"], (ASK_AGAIN,))


def _launch(plan_id: str) -> Call:
    return Call(tool="launch_sagemaker_training", arguments={"plan_id": plan_id})
