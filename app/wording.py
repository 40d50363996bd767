"""What the cards say of constraints, prices and jobs, as plain text: no Streamlit here."""

from datetime import datetime
from typing import Literal

from mlops.constraints import Constraints, Parsed
from mlops.job import Job, JobState
from mlops.plan import Stage
from mlops.reading.clock import shown
from mlops.report import StageResult
from mlops.workflow import STEPS, WorkflowStep

CLAUSES = {
    "task": "Task",
    "dataset": "Dataset",
    "budget_usd": "Budget",
    "max_minutes": "Time",
    "target": "Target",
    "metric": "Metric",
    "model": "Model",
    "instance_type": "Instance",
    "spot": "Spot",
    "region": "Region",
    "epochs": "Epochs",
    "early_stop": "Early stop",
    "queue": "Queue",
    "max_wait_minutes": "Longest wait",
    "start_at": "Start",
}
BINDING = {"budget_usd": "budget", "max_minutes": "time", "monthly_limit_usd": "monthly limit"}
Colour = Literal["green", "red", "orange", "blue"]
_JOB_COLOURS: dict[JobState, Colour] = {
    JobState.COMPLETED: "green",
    JobState.FAILED: "red",
    JobState.STOPPED: "orange",
}
_SIGNS = {">=": "≥", "<=": "≤"}


def clause_rows(parsed: Parsed) -> list[tuple[str, str, str]]:
    """(clause, what was understood, the words it came from), in a fixed order."""
    return [
        (label, understood(parsed.constraints, clause), parsed.evidence.get(clause, ""))
        for clause, label in CLAUSES.items()
        if getattr(parsed.constraints, clause) is not None
        and not (clause == "metric" and parsed.constraints.target is not None)
    ]


def understood(constraints: Constraints, clause: str) -> str:
    """One clause in short: "≤ $10.00", "≤ 60 min", "f1 > 0.85"."""
    value = getattr(constraints, clause)
    if clause == "budget_usd":
        return f"{sign(constraints.budget_comparator)} ${value}"
    if clause == "max_minutes":
        return f"{sign(constraints.time_comparator)} {value:g} min"
    if clause == "target":
        return f"{constraints.scored_by} {sign(constraints.target_comparator)} {value:g}"
    if clause == "max_wait_minutes":
        return f"≤ {value:g} min"
    if clause == "start_at":
        return start(constraints)
    if clause in ("spot", "early_stop", "queue"):
        return "yes" if value else "no"
    return str(value)


def start(constraints: Constraints) -> str:
    """The moment in the person's zone, or the words as long as no clock was asked."""
    said = constraints.start_at or ""
    if not said.endswith("+00:00"):
        return said
    return shown(datetime.fromisoformat(said), constraints.timezone)


def sign(comparator: str | None) -> str:
    return _SIGNS.get(str(comparator), str(comparator)) if comparator else "≤"


def comparison(text: str) -> str:
    """ ">= 0.85" with the sign that people write."""
    for plain, drawn in _SIGNS.items():
        text = text.replace(plain, drawn)
    return text


def price(stage: Stage) -> str:
    """The hourly price with its date."""
    dated = stage.price_as_of not in ("", "None")
    as_of = f" as of {stage.price_as_of}" if dated else ", date unknown"
    volume = f" and ${stage.storage_usd_per_hour} for its volume" if stage.storage_source else ""
    return f"${stage.usd_per_hour} per hour{volume}, list price{as_of}"


def what_runs(stage: Stage | StageResult | Job) -> str:
    """ "distilbert (lora) on ml.g5.xlarge"; an engine is named where the model does not say it."""
    engine = f" ({stage.engine})" if stage.engine != stage.model else ""
    return f"{stage.model}{engine} on {stage.instance_type}"


def progress(step: WorkflowStep) -> tuple[float, str]:
    """How far a request is (0–1), and its step in words."""
    if step is WorkflowStep.ERROR:
        return 0.0, "Not done: see what was said"
    is_queued = step is WorkflowStep.QUEUED
    number = STEPS.index(WorkflowStep.AWAITING_APPROVAL if is_queued else step)
    share = number / (len(STEPS) - 1)
    if is_queued:
        return share, "Waiting in the queue"
    return share, f"{step.replace('_', ' ').capitalize()} · step {number + 1} of {len(STEPS)}"


def job_state(job: Job) -> tuple[str, Colour]:
    """(words, badge colour) of a job's state."""
    colour = _JOB_COLOURS.get(job.state, "blue")
    words = job.state.capitalize()
    if job.end_reason is not None and job.state is not JobState.COMPLETED:
        words = f"{words}: {job.end_reason}"
    return words, colour
