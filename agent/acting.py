"""Allowed calls in, their results out: independent calls run side by side, and the log hears of each."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from agent.messages import shorten
from agent.ports import Ports
from agent.state import State
from mlops.errors import OpsError
from mlops.events import EventKind

_SIDE_BY_SIDE = 4

Call = dict[str, Any]
Result = dict[str, Any]


def carry_out(ports: Ports, state: State, calls: list[Call]) -> list[Result]:
    """The calls' results, in their order; a tool's failure is a result too."""
    for call in calls:
        data = {"call_id": call["id"], "tool": call["tool"], "arguments": call["arguments"]}
        ports.journal.note(state, EventKind.TOOL_CALL, data, f"call#{state['leg']}#{call['id']}")
    if len(calls) <= 1:
        answers = [_invoke(ports, call) for call in calls]
    else:
        with ThreadPoolExecutor(_SIDE_BY_SIDE) as pool:
            answers = list(pool.map(lambda call: _invoke(ports, call), calls))
    return [_tell(ports, state, *pair) for pair in zip(calls, answers, strict=True)]


def plan_data(answer: Result) -> dict[str, Any]:
    """Of a PLAN event, from the answer of plan_training."""
    return {"plan": answer["plan"], "inputs_sha256": answer.get("inputs_sha256", "")}


def _invoke(ports: Ports, call: Call) -> dict[str, Any] | OpsError:
    try:
        return ports.gateway.invoke_tool(call["tool"], call["arguments"])
    except OpsError as error:
        return error


def _tell(ports: Ports, state: State, call: Call, answer: dict[str, Any] | OpsError) -> Result:
    """Logs an answer; what the model is shown of a large one is cut, with a note."""
    about = {"call_id": call["id"], "tool": call["tool"]}
    key = f"result#{state['leg']}#{call['id']}"
    if isinstance(answer, OpsError):
        failed = {**about, "ok": False, "error": answer.as_data()}
        ports.journal.note(state, EventKind.TOOL_RESULT, failed, key)
        return {"id": call["id"], "tool": call["tool"], "ok": False, "data": answer.as_data()}
    ports.journal.note(state, EventKind.TOOL_RESULT, {**about, "ok": True, "result": answer}, key)
    if call["tool"] == "plan_training":
        plan_id = answer["plan"]["plan_id"]
        ports.journal.note(state, EventKind.PLAN, plan_data(answer), f"plan#{plan_id}")
    shown, note = shorten(answer)
    return {"id": call["id"], "tool": call["tool"], "ok": True, "data": shown, "note": note}
