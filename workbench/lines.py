"""Events of the log as plain lines for a terminal; every figure in them comes from the event."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from mlops.dialogue.choices import LETTERS
from mlops.errors import Alternative, OpsError
from mlops.estimate import EstimateError
from mlops.events import Event, EventKind
from mlops.expectations import UNKNOWN
from mlops.job import Job, JobState
from mlops.money import show_usd
from mlops.options import Option
from mlops.plan import Plan
from mlops.reading.clock import shown
from mlops.report import Report, StageResult, clause_name, f1_in_words, labels
from mlops.stages import Elsewhere, Stage
from mlops.tools import TOOLS
from workbench.tables import usd

_ARGUMENT_CHARACTERS = 60


def of_event(event: Event) -> list[str]:
    """Nothing for what a person just typed, for streamed text and for the end of a turn."""
    return _SHOWN[event.kind](event.data) if event.kind in _SHOWN else []


def of_plan(plan: Plan) -> list[str]:
    """What would run, the most it can cost, and what is left out."""
    budget = f"; your budget is {usd(plan.budget_usd)}" if plan.budget_usd else ""
    return [
        f"Plan {plan.plan_id} for {plan.dataset.name}",
        *(_stage(stage) for stage in plan.stages),
        f"  The most it can cost: {usd(plan.ceiling_usd)}{budget}.{_binding(plan)}",
        *(f"  Waits for {name} that were seen: {seen}." for name, seen in plan.waits.items()),
        *(f"  Published: {p.model}, {p.in_words()}." for p in plan.published),
        *(f"  {wish}" for wish in of_wishes(plan)),
        *(_option(option) for option in plan.alternatives),
        *(f"  {of_elsewhere(found)}" for found in plan.elsewhere),
        *(f"  Not in it: {s.title}, {s.price_in_words()}. {s.why}" for s in plan.next_steps),
        *_labels(plan.sandbox, plan.dataset.synthetic),
    ]


def of_wishes(plan: Plan) -> list[str]:
    """When it starts, and whether it waits."""
    said, found = plan.constraints, list[str]()
    if said.start_at:
        found.append(f"Starts at {shown(datetime.fromisoformat(said.start_at), said.timezone)}.")
    if said.queue:
        longest = (
            f" for at most {said.max_wait_minutes:g} minutes" if said.max_wait_minutes else ""
        )
        found.append(f"Waits{longest} when no quota is free; waiting is no training time.")
    return found


def of_elsewhere(found: Elsewhere) -> str:
    """Where a stage would cost less."""
    return (
        f"Cheaper in {found.region}: stage {found.stage} on {found.instance_type} at "
        f"${found.usd_per_hour}/h, at most {usd(found.ceiling_usd)}. {found.why}"
    )


def of_estimates(error: EstimateError) -> str:
    """How wrong the estimates were, over the jobs that can be compared."""
    if error.mape is None:
        return "Estimated against billed time: no completed job yet."
    jobs = f"{error.jobs} job{'s' if error.jobs > 1 else ''}"
    return f"Estimated against billed time: {error.mape:.0%} mean absolute error over {jobs}."


def of_job(job: Job, now: datetime) -> str:
    """Where it is and what it has cost until now."""
    billed = f", {job.billed_seconds} s billed" if job.billed_seconds is not None else ""
    failed = f": {job.failure_reason}" if job.failure_reason else ""
    return f"Job {job.job_name}: {job.state}{billed}, {of_cost(job, now)}{failed}"


def of_cost(job: Job, now: datetime) -> str:
    """Its bill, or what the seconds until now cost, beside what was reserved."""
    return f"{show_usd(job.cost_so_far_micro(now))} of at most {usd(job.ceiling_usd)}"


def of_report(report: Report) -> list[str]:
    """Verdicts with what was wanted and measured, then what ran, and where the model lies."""
    rows = [(v.verdict, clause_name(v.clause), v) for v in report.verdicts]
    return [
        f"Report on {report.dataset}",
        *(f"  {o:<7} {c:<6} wanted {v.wanted}, measured {v.measured}" for o, c, v in rows),
        *(_stage_result(stage) for stage in report.stages),
        f"  Cost in all: {usd(report.total_cost_usd)} (approved: up to {usd(report.ceiling_usd)})",
        *([f"  Model: {report.model_uri}"] if report.model_uri else []),
        *(f"  Next step: {s.title}, {s.price_in_words()}. {s.why}" for s in report.next_steps),
        *_labels(report.sandbox, report.synthetic),
    ]


def of_refusal(data: Mapping[str, Any]) -> list[str]:
    """An error event: what is wrong, then the ways out, lettered as a person may answer them."""
    ways = map(Alternative.model_validate, data.get("alternatives", ()))
    lettered = (f"  {letter(number)} {of_way(way)}" for number, way in enumerate(ways))
    return [str(data["message"]), *lettered]


def of_failure(error: OpsError) -> list[str]:
    """An error that no conversation holds: nobody can answer it with a letter."""
    return [error.message, *(f"  - {of_way(way)}" for way in error.alternatives)]


def of_way(way: Alternative) -> str:
    """What it is, with its price and time where they are known."""
    price = usd(way.cost_usd) if way.cost_usd and "$" not in way.message else ""
    minutes = f"about {way.minutes} min" if way.minutes is not None else ""
    known = ", ".join(filter(None, (price, minutes)))
    message = " ".join(way.message.split())
    return f"{message} ({known})" if known else message


def letter(number: int) -> str:
    """ "A." for the first of them; a dash beyond those that a person may answer with."""
    return f"{LETTERS[number]}." if number < len(LETTERS) else "-"


def _stage(stage: Stage) -> str:
    guess = stage.estimate
    return (
        f"  {stage.number}. {stage.model} ({stage.engine}) on {stage.instance_type} at "
        f"${stage.usd_per_hour}/h{_volume(stage)} (list price as of {stage.price_as_of}): about "
        f"{guess.p50_seconds}–{guess.p90_seconds} s, {usd(guess.p50_usd)}–{usd(guess.p90_usd)} "
        f"({guess.basis}); stopped after {stage.max_runtime_seconds} s; expected score "
        f"{stage.expected.in_words() if stage.expected else UNKNOWN}"
    )


def _volume(stage: Stage) -> str:
    if not stage.storage_source:
        return ""
    bound = ", an upper bound," if stage.storage_source.startswith("upper bound") else ""
    return f" + ${stage.storage_usd_per_hour}/h{bound} for its volume"


def _binding(plan: Plan) -> str:
    return f" What binds: {clause_name(plan.binds)}." if plan.binds else ""


def _option(option: Option) -> str:
    spot = " (spot)" if option.spot else ""
    guess = option.estimate
    return (
        f"  Or: {option.model} on {option.instance_type}{spot}, {option.epochs} epochs: about "
        f"{guess.p50_seconds}–{guess.p90_seconds} s, {usd(guess.p50_usd)}–{usd(guess.p90_usd)}, "
        f"at least {usd(option.ceiling_usd)} reserved. {option.why}"
    )


def _stage_result(stage: StageResult) -> str:
    failed = f": {stage.failure_reason}" if stage.failure_reason else ""
    return (
        f"  Stage {stage.stage}: {stage.model} ({stage.engine}) on {stage.instance_type}, "
        f"{stage.state}{_f1(stage)}, {stage.billed_seconds} s billed, "
        f"{usd(stage.cost_usd)}{failed}"
    )


def _f1(stage: StageResult) -> str:
    f1 = f1_in_words(stage)
    if f1 is None:
        return ", test F1 not measured" if stage.state is JobState.COMPLETED else ""
    return f", test F1 {f1}"


def _labels(sandbox: bool, synthetic: bool) -> list[str]:
    said = labels(sandbox, synthetic)
    return [f"  {' '.join(said)}"] if said else []


def _step(data: Mapping[str, Any]) -> list[str]:
    parsed = data.get("parsed")
    if not parsed:
        return [f"· {data['step'].replace('_', ' ').lower()}"]
    said = parsed["evidence"]
    values = {name: value for name, value in parsed["constraints"].items() if name in said}
    return [f"· understood: {', '.join(f'{n} {v}' for n, v in values.items())}"] if values else []


def _tool_call(data: Mapping[str, Any]) -> list[str]:
    hidden = TOOLS[data["tool"]].injected if data["tool"] in TOOLS else frozenset()
    shown = (
        f"{name}={str(value)[:_ARGUMENT_CHARACTERS]}"
        for name, value in data["arguments"].items()
        if name not in hidden and isinstance(value, str | int | float)
    )
    return [" ".join(("→", data["tool"], *shown))]


def _tool_result(data: Mapping[str, Any]) -> list[str]:
    return [] if data["ok"] else [f"  {data['tool']}: {data['error']['message']}"]


def _approval(data: Mapping[str, Any]) -> list[str]:
    most = usd(data["ceiling_usd"])
    if data["status"] == "waiting":
        return [f"Waiting for approval of up to {most}: llmops approve {data['plan_id']}"]
    if data["status"] == "queued":
        return [f"Queued: up to {most}. {data.get('words', '')}"]
    if data["status"] == "cancelled":
        return ["Taken out of the queue: nothing was started, and its money was given back."]
    by = f" by {data['by']}" if data.get("by") else ""
    return [f"{data['status'].capitalize()}{by}: up to {most}"]


def _job(data: Mapping[str, Any]) -> list[str]:
    job = Job.model_validate(data["job"])
    return [of_job(job, job.ended_at or job.started_at or job.created_at)]


def _cost(data: Mapping[str, Any]) -> list[str]:
    if "plan_id" not in data:
        return []  # one model call; its sum is in the report
    return [f"Spent {usd(data['spent_usd'])}, reserved {usd(data['reserved_usd'])}"]


_SHOWN: Mapping[EventKind, Callable[[Mapping[str, Any]], list[str]]] = {
    EventKind.THINKING: lambda data: [data["text"]] if data["text"].strip() else [],
    EventKind.STEP: _step,
    EventKind.TOOL_CALL: _tool_call,
    EventKind.TOOL_RESULT: _tool_result,
    EventKind.PLAN: lambda data: of_plan(Plan.model_validate(data["plan"])),
    EventKind.APPROVAL: _approval,
    EventKind.JOB: _job,
    EventKind.COST: _cost,
    EventKind.ANSWER: lambda data: [data["text"]],
    EventKind.REPORT: lambda data: of_report(Report.model_validate(data)),
}
