"""The rules between thinking and acting: which asked-for calls may be made, with what arguments, and who is asked first.

A model's output is judged here as anybody's: nothing in it can raise a budget or skip an approval.
"""

import json
from collections.abc import Mapping
from typing import Any

from agent.messages import size
from agent.ports import Ports
from agent.replies import MAX_ARGUMENT_CHARS, UNREADABLE, too_long
from agent.state import State, Update
from mlops.approvals import Approval, require
from mlops.constraints import Intent
from mlops.dialogue.conversation import read
from mlops.errors import Alternative, OpsError, RefusedError, RequestError
from mlops.events import EventKind
from mlops.money import to_cents
from mlops.plan import Plan
from mlops.tool_spec import ToolSpec

MAX_CALLS = 30
MAX_SAME_CALLS = 2
STANDING_RULE = "standing rule"
_LAUNCH = "launch_sagemaker_training"

Call = dict[str, Any]


class Gate:
    """Judges the calls of one step."""

    def __init__(self, ports: Ports):
        self._ports = ports

    def judge(self, state: State) -> Update:
        """Allowed calls, refusals as results, and the plan that waits for approval."""
        # Asked for anew: a tool that joins the Gateway is there without a restart.
        tools = {spec.name: spec for spec in self._ports.gateway.list_tools()}
        seen = dict(state["seen"])
        calls: list[Call] = []
        refused: list[dict[str, Any]] = []
        asked: Plan | None = None
        for number, call in enumerate(state["calls"], state["calls_made"] + 1):
            try:
                spec = _known(tools, call["tool"], number)
                spending = any(tools[other["tool"]].spends for other in calls)
                allowed, plan = self._check(state, spec, call, seen, spending)
            except OpsError as error:
                refused.append(self._refuse(state, call, error))
                continue
            calls.append(allowed)
            asked = plan or asked
        if asked is not None:
            self._ask(state, asked)
        return {
            "calls": calls,
            "results": refused,
            "asking": asked.plan_id if asked else "",
            "calls_made": state["calls_made"] + len(state["calls"]),
            "refusals": state["refusals"] + len(refused),
            "seen": seen,
        }

    def _check(
        self, state: State, spec: ToolSpec, call: Call, seen: dict[str, int], spending: bool
    ) -> tuple[Call, Plan | None]:
        """The call as it may be made, and the plan that a person must approve before."""
        own = _own_arguments(spec, call["arguments"])
        _check_repeats(spec, own, seen)
        _require_unlaunched(state, spec, own)
        if not spec.spends:
            return self._complete(state, spec, call, own, max_cost_cents=0), None
        if spending:
            raise RefusedError("one_launch", "Only one plan can be launched at a time.")
        spec.read(own)
        plan = self._plan(state, own["plan_id"])
        cents = to_cents(plan.ceiling_micro)
        allowed = self._complete(state, spec, call, own, max_cost_cents=cents)
        return allowed, None if self._is_approved(state, plan) else plan

    def _complete(
        self, state: State, spec: ToolSpec, call: Call, own: Mapping[str, Any], max_cost_cents: int
    ) -> Call:
        """The call with what only code may say; RequestError when the whole does not fit."""
        known = {
            "constraints": state["parsed"].get("constraints", {}),
            "session_id": state["session_id"],
            "turn": state["turn"],
            "person": state["person"],
            "max_cost_cents": max_cost_cents,
            "retry_of": "",
            "approved_by": "",
        }
        arguments = {**own, **{name: known[name] for name in sorted(spec.injected)}}
        spec.read(arguments)
        return {"id": call["id"], "tool": spec.name, "arguments": arguments}

    def _plan(self, state: State, plan_id: str) -> Plan:
        """Only what was planned in this session, for this person, and was asked for."""
        plan = self._ports.plans.get(plan_id)
        if plan.session_id != state["session_id"] or plan.person != state["person"]:
            raise RefusedError("other_session", "This plan was not made in this conversation.")
        if not state["launch"] and state["parsed"].get("intent") == Intent.ESTIMATE:
            raise RefusedError(
                "not_asked", "Only an estimate was asked for.", (_approve(plan.plan_id),)
            )
        return plan

    def _is_approved(self, state: State, plan: Plan) -> bool:
        """True when a person approved it; RefusedError when they declined or it was run."""
        approval = self._ports.plans.approval(plan.plan_id)
        if approval is not None:
            require(approval, plan.plan_id, plan.ceiling_micro)
            return True
        if not self._rule_applies(state, plan):
            return False
        approval = self._ports.plans.approve(plan, STANDING_RULE, self._ports.clock())
        data = approval_data(plan, "approved", approval)
        key = f"approved#{plan.plan_id}"
        self._ports.journal.note(state, EventKind.APPROVAL, data, key)
        return True

    def _rule_applies(self, state: State, plan: Plan) -> bool:
        """The person's standing rule: launch without asking what fits the budget they stated. It
        covers one plan of a turn: the budget was stated once."""
        return (
            self._ports.settings.launch_within_stated_budget
            and state["parsed"].get("intent") == Intent.TRAIN
            and plan.turn == state["turn"]
            and plan.budget_usd is not None
            and plan.ceiling_micro <= plan.budget_micro
            and self._ports.plans.claim_turn(plan)
        )

    def _ask(self, state: State, plan: Plan) -> None:
        if earlier := read(state["messages"]).before.plans:
            self._ports.plans.replaced(earlier[-1]["plan_id"], plan.plan_id)
        key = f"waiting#{state['leg']}#{plan.plan_id}"
        self._ports.journal.note(state, EventKind.APPROVAL, approval_data(plan, "waiting"), key)

    def _refuse(self, state: State, call: Call, error: OpsError) -> dict[str, Any]:
        """The refusal as a result that the model sees and the log keeps."""
        journal = self._ports.journal
        about = {"call_id": call["id"], "tool": str(call["tool"])[:80]}
        shown = {**about, "arguments": _showable(call["arguments"])}
        journal.note(state, EventKind.TOOL_CALL, shown, f"call#{state['leg']}#{call['id']}")
        result = {**about, "ok": False, "error": error.as_data()}
        journal.note(state, EventKind.TOOL_RESULT, result, f"result#{state['leg']}#{call['id']}")
        return {"id": call["id"], "tool": about["tool"], "ok": False, "data": error.as_data()}


def approval_data(plan: Plan, status: str, approval: Approval | None = None) -> dict[str, Any]:
    """Of an APPROVAL event; with what was stored, so that a replay can compare it."""
    data = {
        "plan_id": plan.plan_id,
        "status": status,
        "ceiling_usd": plan.ceiling_usd,
        "budget_usd": plan.budget_usd,
    }
    return data if approval is None else {**data, **approval.sealed()}


def _known(tools: Mapping[str, ToolSpec], name: str, number: int) -> ToolSpec:
    if number > MAX_CALLS:
        raise RequestError("too_many_calls", f"A turn has at most {MAX_CALLS} tool calls.")
    if name not in tools:
        known = ", ".join(sorted(tools))
        raise RequestError("unknown_tool", f"There is no such tool. There are: {known}.")
    return tools[name]


def _own_arguments(spec: ToolSpec, arguments: Any) -> dict[str, Any]:
    """What a model may say; what it says of fields that code sets is dropped."""
    if not isinstance(arguments, dict):
        raise RequestError("bad_arguments", f"{spec.name}: the arguments must be an object.")
    if UNREADABLE in arguments:
        raise RequestError("bad_arguments", f"{spec.name}: {arguments[UNREADABLE]}.")
    if size(arguments) > MAX_ARGUMENT_CHARS:
        raise RequestError("bad_arguments", f"{spec.name}: {too_long(size(arguments))}.")
    return {name: value for name, value in arguments.items() if name not in spec.injected}


def _check_repeats(spec: ToolSpec, own: Mapping[str, Any], seen: dict[str, int]) -> None:
    mark = json.dumps([spec.name, own], sort_keys=True, default=str)
    seen[mark] = seen.get(mark, 0) + 1
    if seen[mark] > MAX_SAME_CALLS:
        raise RequestError(
            "repeated_call", f"{spec.name} was called with the same arguments twice already."
        )


def _require_unlaunched(state: State, spec: ToolSpec, own: Mapping[str, Any]) -> None:
    """What a person asked for in a turn is launched once; repeating that very launch is harmless."""
    if not spec.spends and spec.name != "plan_training":
        return
    for done in read(state["messages"]).outcomes:
        launched = done.arguments.get("plan_id") if done.tool == _LAUNCH and done.ok else None
        if launched is not None and launched != own.get("plan_id"):
            raise RefusedError(
                "already_launched",
                f"{launched} was launched for this request. Say what came of it; another run needs"
                " another request of the person.",
            )


def _showable(arguments: Any) -> Any:
    length = size(arguments)
    return arguments if length <= MAX_ARGUMENT_CHARS else {UNREADABLE: too_long(length)}


def _approve(plan_id: str) -> Alternative:
    return Alternative(kind="approve", message=f"Approve it: llmops approve {plan_id}")
