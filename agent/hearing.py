"""A person's words in, what they mean out: code understands them before any model does, or says what is missing."""

from collections.abc import Mapping
from typing import Any

from agent import endings
from agent import messages as talk
from agent.acting import carry_out
from agent.context import condensed
from agent.gate import approval_data
from agent.ports import Ports
from agent.state import State, Update, anew
from mlops import answers
from mlops.constraints import Constraints, Intent, Parsed, at_moment
from mlops.conversation import Call, Conversation, noted, read, understand
from mlops.errors import Alternative, RefusedError, RequestError
from mlops.events import EventKind
from mlops.memory import datasets_offered
from mlops.phrases import say
from mlops.version import rules_version
from mlops.workflow import WorkflowStep


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
        said[-1] = noted(words, parsed, heard)
        if before is not state["messages"]:
            said = anew([*before, *said])
        parsed_json = parsed.model_dump(mode="json")
        update: Update = {"messages": said, "parsed": parsed_json}
        if state["launch"]:
            return {**update, **endings.ask_for(said, state, _launch(state["launch"]))}
        by = {"rules": rules_version(), "model": self._ports.settings.bedrock_model_id}
        self._ports.journal.step(state, WorkflowStep.PARSING, parsed=parsed_json, **by)
        talked = read(heard)
        if parsed.approve is not None and (plan_id := self._waiting(talked)):
            phrase = "how_to_approve" if parsed.approve else "nothing_runs"
            return {**update, **endings.answer(said, say(phrase, talked.language, plan=plan_id))}
        if parsed.amends and parsed.intent is Intent.TRAIN:
            self._supersede(state, talked.before.plan)
        return {**update, **self._missing(state, said, parsed, talked)}

    def _waiting(self, talked: Conversation) -> str | None:
        """The plan that a person can still decide on."""
        before = talked.before
        if before.plan is None or before.request is None or before.failure is not None:
            return None
        if before.request.intent is not Intent.TRAIN:
            return None
        plan_id = str(before.plan["plan_id"])
        return plan_id if self._ports.plans.approval(plan_id) is None else None

    def _supersede(self, state: State, planned: Mapping[str, Any] | None) -> None:
        """New terms close the plan with the old ones: only a plan that is asked for anew can run."""
        if planned is None or self._ports.plans.approval(planned["plan_id"]) is not None:
            return
        plan = self._ports.plans.get(planned["plan_id"])
        try:
            self._ports.plans.decline(plan, state["person"], self._ports.clock())
        except RefusedError:
            return  # It was approved in this moment, and runs as it was approved.
        data = {**approval_data(plan, "superseded"), "by": state["person"]}
        key = f"superseded#{plan.plan_id}"
        self._ports.journal.note(state, EventKind.APPROVAL, data, key)

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
        listed = results[0]["data"] if results[0]["ok"] else {"datasets": []}
        said = [*said, *asked["messages"], talk.results_message(results)]
        error = RequestError(
            "missing_dataset",
            answers.which_dataset(listed, talked.language),
            tuple(
                Alternative(kind="dataset", message=way.message, changes=way.changes)
                for way in datasets_offered(listed["datasets"][:10])
            ),
        )
        return endings.end_with_error(said, error)


def _ask_for_report(state: State) -> Update:
    """No person spoke: code asks for the report, so that it is put into words."""
    before = condensed(state["messages"])
    note = talk.noted(f"The run of {state['report']} has ended. Tell the person how, in short.")
    said = [*talk.closed(before), note]
    if before is not state["messages"]:
        said = anew([*before, *said])
    nothing_said = Parsed(intent=Intent.OTHER, constraints=Constraints(), evidence={})
    call = Call(tool="get_training_report", arguments={"plan_id": state["report"]})
    asked = endings.ask_for(said, state, call)
    return {"parsed": nothing_said.model_dump(mode="json"), **asked}


def _launch(plan_id: str) -> Call:
    return Call(tool="launch_sagemaker_training", arguments={"plan_id": plan_id})
