"""A session's record in, what its rules decide today out: every difference from what was decided then.

No model and no AWS: words are read, plans computed, calls judged and runs followed again from what was stored.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from mlops.errors import OpsError
from mlops.events import CUT, Event, EventKind
from mlops.plan import Plan
from mlops.replay.approvals import recheck_approval
from mlops.replay.bookings import recheck_bookings
from mlops.replay.calls import recheck_calls
from mlops.replay.differences import Difference, Findings
from mlops.replay.records import PlanRecord, Run, plans_named
from mlops.replay.runs import recheck_run
from mlops.replay.words import recheck_words
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
    return list(dict.fromkeys(plan_id for event in events for plan_id in plans_named(event)))


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
            _recheck_followed(Run(plan, record, events), found)
    return Replay(
        session=session,
        rules_then=tuple(dict.fromkeys(rules)),
        rules_now=rules_version(),
        checked=found.checked,
        skipped=tuple(found.skipped),
        differences=tuple(found.differences),
    )


def _recheck_followed(run: Run, found: Findings) -> None:
    """What a person allowed, what was launched for it, and what was booked."""
    for part in run.record.unreadable:
        found.compare("records", run.seq, f"{part} of {run.plan.plan_id}", "readable", "broken")
    recheck_approval(run, found)
    recheck_run(run, found)
    recheck_bookings(run, found)


def _makes(event: Event, plan_id: str) -> bool:
    return event.kind is EventKind.PLAN and event.data["plan"]["plan_id"] == plan_id


def _recheck_plan(
    plan_id: str, made: Event | None, record: PlanRecord, found: Findings
) -> list[str]:
    """The plan as logged, as stored, and as computed again from its inputs; the rules it was made by."""
    seq = made.seq if made else 0
    is_cut = made is not None and CUT in made.data
    if is_cut:
        found.skip(f"event {seq} of {plan_id}", "it was cut to fit the log")
    logged = made.data["plan"] if made and not is_cut else record.plan
    found.compare("plans", seq, f"stored {plan_id}", logged, record.plan)
    sealed = made.data.get("inputs_sha256") if made else None
    what = f"digest of the inputs of {plan_id}"
    if record.inputs is None:
        if sealed:
            found.compare("plans", seq, what, sealed, None)
        else:
            found.skip(f"plan {plan_id}", "what it was computed from was not stored")
        return []
    try:
        snapshot, digest = unpack(record.inputs)
    except OpsError as error:
        found.compare("plans", seq, f"inputs of {plan_id}", "readable", error.message)
        return []
    if sealed:
        found.compare("plans", seq, what, sealed, digest)
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
