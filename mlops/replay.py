"""A session's record in, what its rules decide today out: every difference from what was decided then.

No model and no AWS: words are read, plans computed, calls judged and runs followed again from what was stored.
"""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from pydantic import BaseModel, ConfigDict, ValidationError

from mlops.differences import Difference, Findings
from mlops.errors import OpsError
from mlops.events import Event, EventKind
from mlops.plan import Plan
from mlops.replay_calls import recheck_calls
from mlops.replay_runs import PlanRecord, recheck_run
from mlops.replay_words import recheck_words
from mlops.snapshot import unpack
from mlops.version import rules_version


class Replay(BaseModel):
    """`checked` counts what was decided again, `skipped` says what could not be, and why.

    Rules are named by version and digest: where then and now differ, a difference may come from it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    session: str
    rules_then: tuple[str, ...]
    rules_now: str
    checked: dict[str, int]
    skipped: tuple[str, ...]
    differences: tuple[Difference, ...]


def plan_ids(events: Sequence[Event]) -> list[str]:
    """The plans that a log speaks of, in order."""
    named: list[str] = []
    for event in events:
        for about in (event.data.get("plan"), event.data.get("job"), event.data):
            plan_id = cast(Any, about).get("plan_id") if isinstance(about, dict) else None
            named += [plan_id] if isinstance(plan_id, str) else []
    return list(dict.fromkeys(named))


def replay(session: str, events: Sequence[Event], records: Mapping[str, PlanRecord]) -> Replay:
    """`records` are those of `plan_ids(events)`; a plan without one is a difference."""
    found = Findings()
    rules = [str(e.data["rules"]) for e in events if e.data.get("rules")]
    recheck_words(events, found)
    recheck_calls(events, found)
    for plan_id in plan_ids(events):
        made = next((e for e in events if _makes(e, plan_id)), None)
        record = records[plan_id]
        rules += _recheck_plan(plan_id, made, record, found)
        plan = _read(made.data["plan"] if made else record.plan)
        if plan is None:
            found.skip(f"run of {plan_id}", "its plan cannot be read")
        else:
            recheck_run(plan, record, events, found)
    return Replay(
        session=session,
        rules_then=tuple(dict.fromkeys(rules)),
        rules_now=rules_version(),
        checked=found.checked,
        skipped=tuple(found.skipped),
        differences=tuple(found.differences),
    )


def _makes(event: Event, plan_id: str) -> bool:
    return event.kind is EventKind.PLAN and event.data["plan"]["plan_id"] == plan_id


def _recheck_plan(
    plan_id: str, made: Event | None, record: PlanRecord, found: Findings
) -> list[str]:
    """The plan as logged, as stored, and as computed again from its inputs; the rules it was made by."""
    seq = made.seq if made else 0
    logged = made.data["plan"] if made else record.plan
    found.compare("plans", seq, f"stored {plan_id}", logged, record.plan)
    if record.inputs is None:
        found.skip(f"plan {plan_id}", "what it was computed from was not stored")
        return []
    try:
        snapshot, digest = unpack(record.inputs)
    except OpsError as error:
        found.compare("plans", seq, f"inputs of {plan_id}", "readable", error.message)
        return []
    if made and made.data.get("inputs_sha256"):
        sealed = made.data["inputs_sha256"]
        found.compare("plans", seq, f"digest of the inputs of {plan_id}", sealed, digest)
    try:
        again: Any = snapshot.plan().model_dump(mode="json")
    except OpsError as error:
        again = {"refused": error.as_data()}
    found.compare("plans", seq, plan_id, logged, again)
    return [snapshot.rules]


def _read(plan: Any) -> Plan | None:
    try:
        return Plan.model_validate(plan)
    except ValidationError:
        return None
