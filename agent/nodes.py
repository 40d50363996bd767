"""The graph's nodes: state in, what changes of it out. What may be done is judged in gate.py."""

import hashlib
from functools import partial
from typing import Any

from langgraph.types import interrupt

from agent import messages as talk
from agent.acting import carry_out
from agent.asking import HaltError
from agent.asking import ask as ask_model
from agent.confirming import confirmed, known_in
from agent.context import window, without_reasoning
from agent.endings import (
    answer,
    ask_for,
    end_of_launch,
    end_with_error,
    failure_of,
    last_words,
    stuck,
    words,
)
from agent.gate import MAX_CALLS, Gate
from agent.hearing import Hearing
from agent.journal import LeaseLostError
from agent.metering import ModelCall
from agent.ports import Ports
from agent.replies import MAX_ARGUMENT_CHARS, UNREADABLE, too_long
from agent.speaking import Speaking
from agent.state import State, Update, after
from mlops.approvals import ApprovalStatus
from mlops.constraints import Parsed
from mlops.dialogue import answers
from mlops.dialogue.claims import Known
from mlops.dialogue.conversation import Call, assistant_message, read
from mlops.errors import OpsError, RefusedError
from mlops.events import EventKind
from mlops.money import parse_usd
from mlops.workflow import next_step

MAX_ITERATIONS = 12
MAX_REFUSALS = 3


class Nodes:
    """All nodes share the ports; none keeps anything of a turn."""

    def __init__(self, ports: Ports):
        self._ports = ports
        self._gate = Gate(ports)
        self._hearing = Hearing(ports)

    def route(self, state: State) -> Update:
        return self._hearing.hear(state)

    def greeting(self, state: State) -> Update:
        said = read(state["messages"])
        return answer([], answers.greeting(said.language, said.text))

    def dataset_question(self, state: State) -> Update:
        """Which tool answers it is plain; only the words are left to think about."""
        return ask_for([], state, Call(tool="list_s3_datasets", arguments={}))

    def think(self, state: State) -> Update:
        """The next calls, or the last words of the turn."""
        if state["iterations"] >= MAX_ITERATIONS:
            return end_with_error([], stuck(f"no answer after {MAX_ITERATIONS} steps"))
        kept = _readable(state, self._ports.settings.bedrock_model_id)
        message, wrong = self._confirmed({**state, "messages": kept})
        calls = talk.calls_of(message)
        text = talk.text_of(message)
        thought = [talk.reasoning_of(message), text if calls else ""]
        self._note_thought(state, "\n".join(part for part in thought if part))
        update: Update = {
            "messages": after(state["messages"], kept, [message]),
            "reasoner": self._ports.settings.bedrock_model_id,
            "calls": calls,
            "iterations": state["iterations"] + 1,
        }
        if calls:
            return update
        return {**update, "ending": last_words(state, text, wrong)}

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
        return {
            "asking": "",
            **answer([talk.results_message(results)], words(state, "declined")),
        }

    def act(self, state: State) -> Update:
        results = carry_out(self._ports, state, state["calls"])
        return {"calls": [], "results": [*state["results"], *results]}

    def observe(self, state: State) -> Update:
        """Hands the results back, and ends a turn that cannot get anywhere."""
        heard = [talk.results_message(state["results"])]
        failed = failure_of(state)
        update: Update = {"messages": heard, "results": [], "failed": failed}
        if state["launch"]:
            return {**update, **end_of_launch(heard, state)}
        if failed and state["refusals"] >= MAX_REFUSALS:
            why = f"{state['refusals']} calls could not be made; the last: "
            return {**update, **end_with_error(heard, stuck(why + failed["data"]["message"]))}
        return update

    def _message(self, state: State, said: Known) -> dict[str, Any]:
        """From the model, or from the policy where there is none or its tokens are used up."""
        if not self._ports.settings.react:
            return _by_policy(state)
        try:
            return self._from_model(state, said)
        except (HaltError, LeaseLostError):
            raise
        except OpsError:
            # A plan was made and its price agreed: it is carried through without more words. An
            # end is told in any case.
            if not state["report"] and read(state["messages"]).result("plan_training") is None:
                raise
            return _by_policy(state)

    def _from_model(self, state: State, said: Known) -> dict[str, Any]:
        conversation = window(state["messages"])
        stream = self._ports.journal.stream(state)
        speaking = Speaking(said, stream)
        tools = self._ports.gateway.list_tools()
        reply = ask_model(
            self._ports, state, conversation, tools, speaking, partial(self._note_cost, state)
        )
        speaking.end()
        stream.flush()
        return reply.message

    def _confirmed(self, state: State) -> tuple[dict[str, Any], list[str]]:
        """The next message, and the numbers in it that nothing confirms."""

        said = known_in(state)
        # With one call more than a turn may have, the gate says so; the rest need no words.
        most_calls = max(MAX_CALLS - state["calls_made"], 0) + 1

        def ask(messages: list[dict[str, Any]]) -> dict[str, Any]:
            return _bounded(self._message({**state, "messages": messages}, said), most_calls)

        note = partial(self._note_thought, state)
        return confirmed(state, ask(state["messages"]), said, ask, note)

    def _note_cost(self, state: State, call: ModelCall) -> None:
        """What a call of the model was booked at; a free one is not booked."""
        if parse_usd(call.cost_usd):
            self._ports.journal.note(state, EventKind.COST, call.model_dump(mode="json"))

    def _note_thought(self, state: State, text: str) -> None:
        if text:
            mark = hashlib.sha256(text.encode()).hexdigest()[:12]
            key = f"thought#{state['leg']}#{state['iterations']}#{mark}"
            self._ports.journal.note(state, EventKind.THINKING, {"text": text}, key)


def _by_policy(state: State) -> dict[str, Any]:
    parsed = Parsed.model_validate(state["parsed"])
    action = next_step(read(state["messages"]), parsed)
    return assistant_message(action, f"{state['leg']}-{state['iterations'] + 1}")


def _readable(state: State, model_id: str) -> list[dict[str, Any]]:
    """The messages as this model may read them: without the thoughts of another one."""
    messages = state["messages"]
    foreign = state.get("reasoner", model_id) != model_id
    return without_reasoning(messages) if foreign else messages


def _bounded(message: dict[str, Any], most_calls: int) -> dict[str, Any]:
    """Oversized tool input is refused by the gate; nothing should carry it until then."""
    blocks: list[dict[str, Any]] = []
    calls = 0
    for block in message["content"]:
        if "toolUse" in block:
            calls += 1
            if calls > most_calls:
                continue
            block = {"toolUse": _small(block["toolUse"])}
        blocks.append(block)
    return {**message, "content": blocks}


def _small(use: dict[str, Any]) -> dict[str, Any]:
    length = talk.size(use["input"])
    return (
        use if length <= MAX_ARGUMENT_CHARS else {**use, "input": {UNREADABLE: too_long(length)}}
    )
