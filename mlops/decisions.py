"""The decision log is a view of the one event log: events in; who decided what, when and why out."""

import json
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, cast

from pydantic import BaseModel, ConfigDict

from mlops.events import Event, EventKind

OPERATIONS = "operations"
"""The log of what belongs to nobody's conversation, such as orphans that the watchdog stopped."""

Data = Mapping[str, Any]
Told = tuple[str, str, str]
"""Who, what, why. Whatever an older event lacks is left empty."""


class Decision(BaseModel):
    """One event as a person reads it; `who` is person, agent, planner, tool, rules, watchdog or ledger."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    seq: int
    at: datetime
    turn: str
    kind: EventKind
    who: str
    what: str
    why: str


def decisions(events: Iterable[Event], kind: EventKind | None = None) -> list[Decision]:
    """In the order of the log; the ends of turns decide nothing."""
    wanted = (e for e in events if e.kind is not EventKind.DONE and kind in (None, e.kind))
    return [_read(event) for event in wanted]


def _read(event: Event) -> Decision:
    who, what, why = _told(event.kind, event.data)
    return Decision(
        seq=event.seq,
        at=event.at,
        turn=event.turn,
        kind=event.kind,
        who=who,
        what=what,
        why=why,
    )


def _part(data: Data, name: str) -> Data:
    value = data.get(name)
    return cast(Data, value) if isinstance(value, dict) else {}


def _json(value: object) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def _told(kind: EventKind, data: Data) -> Told:
    tell = _TELLERS.get(kind)
    return tell(data) if tell else ("agent", str(kind), _text(data))


def _thinking(data: Data) -> Told:
    for key, who in (("repair", "watchdog"), ("rule", "rules")):
        if data.get(key):
            return who, str(data[key]).replace("_", " "), _text(data)
    return "agent", "thought", _text(data)


def _text(data: Data) -> str:
    return str(data.get("text", ""))


def _understood(data: Data) -> str:
    parsed = _part(data, "parsed")
    if not parsed:
        return ""
    constraints = _part(parsed, "constraints")
    said = {name: constraints.get(name) for name in _part(parsed, "evidence")}
    return f"{parsed.get('intent')}: {_json(said)}"


def _result(data: Data) -> Told:
    tool = f"tool {data.get('tool', '')}"
    if data.get("ok"):
        return tool, "answered", _json(_part(data, "result"))
    error = _part(data, "error")
    return tool, f"refused: {error.get('code', '')}", str(error.get("message", ""))


def _plan(data: Data) -> Told:
    plan, digest = _part(data, "plan"), str(data.get("inputs_sha256") or "")
    stages = ", ".join(f"{s['model']} on {s['instance_type']}" for s in plan.get("stages", ()))
    inputs = f"; inputs {digest[:12]}" if digest else "; its inputs were not stored"
    what = f"planned {plan.get('plan_id', '')}: {stages}, at most ${plan.get('ceiling_usd')}"
    return "planner", what, "; ".join(plan.get("reasons", ())) + inputs


def _approval(data: Data) -> Told:
    what = f"{data.get('status', '')} {data.get('plan_id', '')}"
    queued = "; queued for free quota" if data.get("queued") else ""
    why = f"up to ${data.get('ceiling_usd')} of a budget of ${data.get('budget_usd')}{queued}"
    return str(data.get("by") or "nobody yet"), what, why


def _job(data: Data) -> Told:
    job = _part(data, "job")
    parts = (
        job.get("end_reason"),
        job.get("failure_reason"),
        f"{job['billed_seconds']} s billed" if job.get("billed_seconds") is not None else None,
    )
    what = f"{job.get('job_name', '')} is {job.get('state', '')}"
    return "platform", what, ", ".join(str(part) for part in parts if part)


def _cost(data: Data) -> Told:
    about = data.get("job_name") or data.get("plan_id", "")
    if data.get("model_id"):
        return _model_call(data)
    amount = f" ${data['amount_usd']}" if data.get("amount_usd") else ""
    sums = f"of the plan, spent ${data.get('spent_usd')}, reserved ${data.get('reserved_usd')}"
    return "ledger", f"{data.get('entry', 'close')}{amount} for {about}", sums


def _model_call(data: Data) -> Told:
    usage = _part(data, "usage")
    tokens = ", ".join(f"{n} {name.removesuffix('_tokens')}" for name, n in usage.items() if n)
    what = f"booked ${data.get('cost_usd')} for a call of {data['model_id']}"
    rate = f"at rates of {data.get('rate_as_of')}; ended with {data.get('stop_reason')}"
    return "ledger", what, f"{tokens or 'no'} tokens, {rate}"


def _report(data: Data) -> Told:
    verdicts = (
        f"{v['clause']} {v['verdict']} (wanted {v['wanted']}, got {v['measured']})"
        for v in data.get("verdicts", ())
    )
    return "rules", f"reported on {data.get('plan_id', '')}", "; ".join(verdicts)


def _call(data: Data) -> Told:
    return "agent", f"called {data.get('tool', '')}", _json(_part(data, "arguments"))


_TELLERS: Mapping[EventKind, Callable[[Data], Told]] = {
    EventKind.USER: lambda data: ("person", "asked", _text(data)),
    EventKind.THINKING: _thinking,
    EventKind.STEP: lambda data: ("agent", f"step {data.get('step', '')}", _understood(data)),
    EventKind.TOOL_CALL: _call,
    EventKind.TOOL_RESULT: _result,
    EventKind.PLAN: _plan,
    EventKind.APPROVAL: _approval,
    EventKind.JOB: _job,
    EventKind.COST: _cost,
    EventKind.REPORT: _report,
    EventKind.ERROR: lambda data: (
        "rules",
        f"ended with {data.get('code', '')}",
        str(data.get("message", "")),
    ),
}
