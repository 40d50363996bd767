"""The graph's nodes: state in, what changes of it out. What may be done is judged in gate.py."""

import hashlib
from typing import Any

from langgraph.types import interrupt

from agent import messages as talk
from agent.acting import carry_out
from agent.bedrock import MAX_ARGUMENT_CHARS, UNREADABLE, too_long
from agent.gate import Gate
from agent.ports import Ports
from agent.prompts import SYSTEM
from agent.state import State, Update, ending
from mlops import answers
from mlops.approvals import ApprovalStatus
from mlops.constraints import Intent, Parsed
from mlops.conversation import Action, Call, assistant_message, read, understand
from mlops.errors import Alternative, FaultError, OpsError, RefusedError, RequestError
from mlops.events import EventKind
from mlops.workflow import WorkflowStep, next_step

MAX_ITERATIONS = 12
MAX_REFUSALS = 3
# Success of these shows that an earlier failure on the way no longer matters.
_MILESTONES = ("plan_training", "launch_sagemaker_training")


class Nodes:
    """All nodes share the ports; none keeps anything of a turn."""

    def __init__(self, ports: Ports):
        self._ports = ports
        self._gate = Gate(ports)

    def route(self, state: State) -> Update:
        """Hears the person: the sentence becomes constraints, or the turn ends with what is missing."""
        said = [*talk.closed(state["messages"]), talk.user(state["text"])]
        parsed = understand([*state["messages"], *said])
        parsed_json = parsed.model_dump(mode="json")
        update: Update = {"messages": said, "parsed": parsed_json}
        if state["launch"]:
            return {**update, **_ask_for(said, state, _launch(state["launch"]))}
        self._ports.journal.step(state, WorkflowStep.PARSING, parsed=parsed_json)
        if parsed.approve is not None and (plan_id := _asked_for(state["messages"])):
            said_how = _HOW_TO_APPROVE.format(plan_id) if parsed.approve else _NOTHING_RUNS
            return {**update, **_answer(said, said_how)}
        error = self._missing(state, parsed)
        return {**update, **_end_with_error(said, error)} if error else update

    def greeting(self, state: State) -> Update:
        return _answer([], answers.GREETING)

    def dataset_question(self, state: State) -> Update:
        """Which tool answers it is plain; only the words are left to think about."""
        return _ask_for([], state, Call(tool="list_s3_datasets", arguments={}))

    def think(self, state: State) -> Update:
        """The next calls, or the last words of the turn."""
        if state["iterations"] >= MAX_ITERATIONS:
            return _end_with_error([], _stuck(f"no answer after {MAX_ITERATIONS} steps"))
        message = _bounded(self._message(state))
        calls = talk.calls_of(message)
        text = talk.text_of(message)
        thought = [talk.reasoning_of(message), text if calls else ""]
        self._note_thought(state, "\n".join(part for part in thought if part))
        update: Update = {
            "messages": [message],
            "calls": calls,
            "iterations": state["iterations"] + 1,
        }
        if calls:
            return update
        if not text:
            raise FaultError("empty_answer", "The model ended without an answer.", (_RETRY,))
        return {**update, "ending": _last_words(state, text)}

    def gate(self, state: State) -> Update:
        return self._gate.judge(state)

    def approval(self, state: State) -> Update:
        """Waits for a person. What counts is the stored decision, not what the graph is told."""
        interrupt({"plan_id": state["asking"]})
        approval = self._ports.plans.approval(state["asking"])
        if approval is not None and approval.status is ApprovalStatus.APPROVED:
            return {"asking": ""}
        error = RefusedError("not_approved", "The person declined this plan.").as_data()
        results = [
            *state["results"],
            *({"id": call["id"], "ok": False, "data": error} for call in state["calls"]),
        ]
        return {"asking": "", **_answer([talk.results_message(results)], _DECLINED)}

    def act(self, state: State) -> Update:
        results = carry_out(self._ports, state, state["calls"])
        return {"calls": [], "results": [*state["results"], *results]}

    def observe(self, state: State) -> Update:
        """Hands the results back, and ends a turn that cannot get anywhere."""
        heard = [talk.results_message(state["results"])]
        failed = _unmended(state)
        update: Update = {"messages": heard, "results": [], "failed": failed}
        if state["launch"]:
            return {**update, **_end_of_launch(heard, state)}
        if failed and state["refusals"] >= MAX_REFUSALS:
            why = f"{state['refusals']} calls could not be made; the last: "
            return {**update, **_end_with_error(heard, _stuck(why + failed["error"]["message"]))}
        return update

    def _message(self, state: State) -> dict[str, Any]:
        """From the model, or from the policy where there is none or its tokens are used up."""
        conversation = talk.window(state["messages"])
        if not self._ports.settings.react:
            return _by_policy(state)
        self._ports.journal.require_lease(state)
        try:
            return self._from_model(state, conversation)
        except OpsError:
            # A plan was made and its price agreed: it is carried through without more words.
            if read(conversation).result("plan_training") is None:
                raise
            return _by_policy(state)

    def _from_model(self, state: State, conversation: list[dict[str, Any]]) -> dict[str, Any]:
        stream = self._ports.journal.stream(state)
        tools = self._ports.gateway.list_tools()
        held = self._ports.meter.reserve(state, conversation)
        try:
            reply = self._ports.model.reply(conversation, SYSTEM, tools, stream)
        except Exception:
            self._ports.meter.release(held)
            raise
        self._ports.meter.settle(held, reply)
        stream.flush()
        return reply.message

    def _missing(self, state: State, parsed: Parsed) -> OpsError | None:
        """What code can see before any model is asked."""
        if parsed.problems:
            return RequestError("bad_clause", "\n".join(p.message for p in parsed.problems))
        if parsed.intent is not Intent.TRAIN or parsed.constraints.dataset is not None:
            return None
        call = {"id": f"{state['leg']}-0", "tool": "list_s3_datasets", "arguments": {}}
        result = carry_out(self._ports, state, [call])[0]
        names = [d["name"] for d in result["data"]["datasets"]] if result["ok"] else []
        return RequestError(
            "missing_dataset",
            answers.which_dataset({"datasets": [{"name": name} for name in names]}),
            tuple(Alternative(kind="dataset", message=f"Train on {name}") for name in names[:10]),
        )

    def _note_thought(self, state: State, text: str) -> None:
        if text:
            mark = hashlib.sha256(text.encode()).hexdigest()[:12]
            key = f"thought#{state['leg']}#{state['iterations']}#{mark}"
            self._ports.journal.note(state, EventKind.THINKING, {"text": text}, key)


_RETRY = Alternative(kind="retry", message="Ask again")
_HOW_TO_APPROVE = (
    "Only the Approve button or `llmops approve {0}` starts it; words in the chat do not."
)
_NOTHING_RUNS = "Nothing was launched. The plan can still be approved or declined."
_DECLINED = "The plan was declined. Nothing was launched and nothing was spent on training."


def _by_policy(state: State) -> dict[str, Any]:
    parsed = Parsed.model_validate(state["parsed"])
    action = next_step(read(state["messages"]), parsed)
    return assistant_message(action, f"{state['leg']}-{state['iterations'] + 1}")


def _asked_for(messages: list[dict[str, Any]]) -> str | None:
    """The plan that the conversation waits for, if it does."""
    calls = talk.calls_of(messages[-1]) if messages else []
    return next(
        (str(c["arguments"]["plan_id"]) for c in calls if "plan_id" in c["arguments"]), None
    )


def _launch(plan_id: str) -> Call:
    return Call(tool="launch_sagemaker_training", arguments={"plan_id": plan_id})


def _ask_for(before: list[dict[str, Any]], state: State, call: Call) -> Update:
    """A call that code asks for, as the message that a model would have sent."""
    message = assistant_message(Action(calls=(call,), text=""), f"{state['leg']}-0")
    return {"messages": [*before, message], "calls": talk.calls_of(message)}


def _bounded(message: dict[str, Any]) -> dict[str, Any]:
    """Oversized tool input is refused by the gate; nothing should carry it until then."""
    blocks: list[dict[str, Any]] = []
    for block in message["content"]:
        length = talk.size(block["toolUse"]["input"]) if "toolUse" in block else 0
        if length > MAX_ARGUMENT_CHARS:
            block = {"toolUse": {**block["toolUse"], "input": {UNREADABLE: too_long(length)}}}
        blocks.append(block)
    return {**message, "content": blocks}


def _answer(before: list[dict[str, Any]], text: str) -> Update:
    return {
        "messages": [*before, talk.assistant(text)],
        "calls": [],
        "ending": ending(EventKind.ANSWER, {"text": text}),
    }


def _end_with_error(before: list[dict[str, Any]], error: OpsError) -> Update:
    return {
        "messages": [*before, talk.assistant(error.message)],
        "calls": [],
        "ending": ending(EventKind.ERROR, error.as_data()),
    }


def _stuck(why: str) -> FaultError:
    return FaultError("agent_stuck", f"The turn was ended: {why}", (_RETRY,))


def _last_words(state: State, text: str) -> dict[str, Any]:
    """A refusal that nothing mended ends the turn as what it is, whatever the words say."""
    failed = state["failed"]
    if failed is None:
        return ending(EventKind.ANSWER, {"text": text})
    return ending(EventKind.ERROR, {**failed["error"], "text": text})


def _unmended(state: State) -> dict[str, Any] | None:
    """The latest failure that no later success of the same tool, or of a milestone, made good."""
    failed = state["failed"]
    for result in state["results"]:
        if not result["ok"]:
            failed = {"tool": result["tool"], "error": result["data"]}
        elif failed and (result["tool"] == failed["tool"] or result["tool"] in _MILESTONES):
            failed = None
    return failed


def _end_of_launch(before: list[dict[str, Any]], state: State) -> Update:
    """A plan approved after its turn had ended needs no thinking."""
    result = state["results"][0]
    if result["ok"]:
        return _answer(before, answers.launched(result["data"]))
    message = talk.assistant(result["data"]["message"])
    return {"messages": [*before, message], "ending": ending(EventKind.ERROR, result["data"])}
