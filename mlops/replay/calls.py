"""Tool calls judged again by the rules that need nothing but the log: form, arguments, identity and approval."""

from collections.abc import Iterable
from typing import Any, cast

from mlops.errors import OpsError
from mlops.events import CUT, Event, EventKind
from mlops.money import parse_usd, to_cents
from mlops.replay.differences import Findings
from mlops.tools import TOOLS

_ALLOWED = "allowed"
# What the gate says of a call by its form alone; other refusals depended on the moment.
_OF_FORM = ("unknown_tool", "bad_arguments")
# What an approval event says of a plan that may run.
_ALLOWED_BY = ("approved", "queued", "used")
# The gate marks arguments so that were no JSON, or too much of it.
_UNREADABLE = "unreadable"


class _Seen:
    """What earlier events of the session have established."""

    def __init__(self) -> None:
        self.calls: dict[tuple[str, str], Event] = {}
        self.constraints: dict[str, Any] = {}
        self.ceilings: dict[str, str] = {}
        self.approved: dict[str, str] = {}

    def add(self, event: Event) -> None:
        data = event.data
        if event.kind is EventKind.TOOL_CALL:
            self.calls[event.turn, data["call_id"]] = event
        elif event.kind is EventKind.STEP and data.get("parsed"):
            self.constraints[event.turn] = data["parsed"]["constraints"]
        elif event.kind is EventKind.PLAN:
            self.ceilings[data["plan"]["plan_id"]] = data["plan"]["ceiling_usd"]
        elif event.kind is EventKind.APPROVAL and data.get("status") in _ALLOWED_BY:
            self.approved[data["plan_id"]] = data["ceiling_usd"]
            self.ceilings.setdefault(data["plan_id"], data["ceiling_usd"])
        elif event.kind is EventKind.APPROVAL and data.get("status") == "cancelled":
            self.approved.pop(data["plan_id"], None)


def recheck_calls(events: Iterable[Event], found: Findings) -> None:
    """Compares the verdict on each call with what was logged of it."""
    seen = _Seen()
    for event in events:
        if event.kind is EventKind.TOOL_RESULT:
            call = seen.calls.get((event.turn, event.data["call_id"]))
            if call is not None:
                _recheck(call, event, seen, found)
        seen.add(event)


def _recheck(call: Event, result: Event, seen: _Seen, found: Findings) -> None:
    tool = str(call.data["tool"])
    if CUT in call.data:
        return found.skip(f"call {call.seq} of {tool}", "it was cut to fit the log")
    arguments = call.data["arguments"]
    code = _ALLOWED if result.data["ok"] else str(result.data["error"].get("code"))
    if code not in (_ALLOWED, *_OF_FORM):
        return found.skip(f"call {call.seq} of {tool}", f"{code} depended on the moment")
    if code == _ALLOWED and tool not in TOOLS:
        return found.skip(f"call {call.seq} of {tool}", "it is not a tool of this project")
    verdict = _of_form(tool, arguments)
    found.compare("calls", call.seq, f"verdict on {tool}", code, verdict)
    if code == _ALLOWED and verdict == _ALLOWED:
        _recheck_completed(call, tool, arguments, seen, found)


def _of_form(tool: str, arguments: Any) -> str:
    if tool not in TOOLS:
        return "unknown_tool"
    if not isinstance(arguments, dict) or _UNREADABLE in arguments:
        return "bad_arguments"
    try:
        TOOLS[tool].read(cast(dict[str, Any], arguments))
    except OpsError as error:
        return error.code
    return _ALLOWED


def _recheck_completed(
    call: Event, tool: str, arguments: dict[str, Any], seen: _Seen, found: Findings
) -> None:
    """What only code may say of a call, and a person's word before one that spends."""
    spec = TOOLS[tool]
    known = {
        "constraints": seen.constraints.get(call.turn),
        "session_id": call.session,
        "turn": call.turn,
    }
    for name in sorted(spec.injected & known.keys()):
        if known[name] is not None:
            what = f"{name} of {tool}"
            found.compare("calls", call.seq, what, arguments.get(name), known[name])
    if not spec.spends or "plan_id" not in arguments:
        return
    plan_id = arguments["plan_id"]
    if plan_id in seen.ceilings:
        cents = to_cents(parse_usd(seen.ceilings[plan_id]))
        what = f"ceiling of {tool}"
        found.compare("calls", call.seq, what, arguments.get("max_cost_cents"), cents)
    approved = seen.approved.get(plan_id)
    enough = approved is not None and parse_usd(approved) >= parse_usd(seen.ceilings[plan_id])
    found.compare("calls", call.seq, f"approval before {tool}", True, enough)
