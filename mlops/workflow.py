"""Where a request stands, and what follows: labels derived from events, and the policy without a model."""

import re
from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from typing import Any

from mlops import report_words
from mlops.constraints import Intent, Parsed
from mlops.dialogue import answers, open_plan
from mlops.dialogue.conversation import Action, Call, Conversation
from mlops.dialogue.language import Language
from mlops.dialogue.phrases import say
from mlops.dialogue.stopping import stop
from mlops.events import Event, EventKind
from mlops.reading.intents import READS, is_stop_held, questions
from mlops.reading.quantities import read
from mlops.tools import ReportOutput

_ABOUT_END = re.compile(
    r"\b(?:fail|stopp|died|crash|end|broke|scheiter|fehlgeschlag|abgebroch)", re.I
)
_ABOUT_REPORT = re.compile(r"\bFAIL\b|(?i:\b(?:reports?|verdicts?|clauses?|bericht\w*)\b)")
_WHY = re.compile(r"\b(?:why|warum|wieso|weshalb|how come|reason|explain|erkl)", re.I)


class WorkflowStep(StrEnum):
    """The steps that people see, in order; QUEUED is for who waits, ERROR can follow any of them."""

    INIT = "INIT"
    PARSING = "PARSING"
    SEARCHING = "SEARCHING"
    ESTIMATING = "ESTIMATING"
    SELECTING = "SELECTING"
    AWAITING_APPROVAL = "AWAITING_APPROVAL"
    TRAINING = "TRAINING"
    MONITORING = "MONITORING"
    EVALUATING = "EVALUATING"
    PRESENTING = "PRESENTING"
    COMPLETE = "COMPLETE"
    QUEUED = "QUEUED"
    ERROR = "ERROR"


_ASIDE = (WorkflowStep.QUEUED, WorkflowStep.ERROR)
STEPS = tuple(step for step in WorkflowStep if step not in _ASIDE)

_TOOL_STEPS = {
    "list_s3_datasets": WorkflowStep.SEARCHING,
    "prepare_dataset": WorkflowStep.SEARCHING,
    "check_sagemaker_quotas": WorkflowStep.ESTIMATING,
    "plan_training": WorkflowStep.SELECTING,
    "launch_sagemaker_training": WorkflowStep.TRAINING,
}
_JOB_STEPS = {
    "starting": WorkflowStep.TRAINING,
    "training": WorkflowStep.MONITORING,
    "uploading": WorkflowStep.MONITORING,
    "stopping": WorkflowStep.MONITORING,
}
_APPROVAL_STEPS = {
    "waiting": WorkflowStep.AWAITING_APPROVAL,
    "queued": WorkflowStep.QUEUED,
}
_KIND_STEPS = {
    EventKind.USER: WorkflowStep.INIT,
    EventKind.COST: WorkflowStep.PRESENTING,
    EventKind.ANSWER: WorkflowStep.COMPLETE,
    EventKind.REPORT: WorkflowStep.COMPLETE,
    EventKind.ERROR: WorkflowStep.ERROR,
}
# An answer that says "it is running" does not complete a request that waits or trains, nor does
# one that puts its failure into words.
_GOES_ON = (
    WorkflowStep.ERROR,
    WorkflowStep.AWAITING_APPROVAL,
    WorkflowStep.QUEUED,
    WorkflowStep.TRAINING,
    WorkflowStep.MONITORING,
    WorkflowStep.EVALUATING,
)


def step_of(kind: EventKind, data: Mapping[str, Any]) -> WorkflowStep | None:
    """The step that an event of this kind and data marks, if any."""
    if kind is EventKind.STEP:
        return WorkflowStep(data["step"])
    if kind is EventKind.TOOL_CALL:
        return _TOOL_STEPS.get(data["tool"])
    if kind is EventKind.APPROVAL:
        return _APPROVAL_STEPS.get(data["status"])
    if kind is EventKind.COST and ("model_id" in data or data.get("entry", "close") != "close"):
        return None  # Model calls and bookings, which any step may need.
    if kind is EventKind.JOB:
        return _JOB_STEPS.get(data["job"]["state"], WorkflowStep.EVALUATING)
    return _KIND_STEPS.get(kind)


def current_step(events: Iterable[Event]) -> WorkflowStep:
    """Where the request that these events belong to stands now."""
    current = WorkflowStep.INIT
    for event in events:
        step = step_of(event.kind, event.data)
        if step is None or (event.kind is EventKind.ANSWER and current in _GOES_ON):
            continue
        current = step
    return current


def next_step(conversation: Conversation, parsed: Parsed) -> Action:
    """The deterministic policy: which tools to call now, or what to answer."""
    last = conversation.outcomes[-1] if conversation.outcomes else None
    if last is not None and last.ok and last.tool == "get_training_report":
        return Action(text=report_words.ended(ReportOutput.model_validate(last.data)))
    if last is not None and not last.ok:
        if last.data.get("code") == "not_prepared" and parsed.constraints.dataset:
            return _call("prepare_dataset", {"dataset": parsed.constraints.dataset})
        return Action(text=answers.failure(last.data, conversation.language))
    if parsed.problems:
        return Action(text="\n".join(p.message for p in parsed.problems))
    if parsed.intent in READS and len(asked := questions(read(conversation.text))) > 1:
        return _together(conversation, parsed, asked)
    return _POLICIES.get(parsed.intent, _other)(conversation, parsed)


def _together(conversation: Conversation, parsed: Parsed, asked: Iterable[Intent]) -> Action:
    """Several questions in one sentence: what is missing is called for at once, then all is told."""
    actions = [_POLICIES[intent](conversation, parsed) for intent in asked]
    calls = tuple(call for action in actions for call in action.calls)
    return Action(calls=calls, text="" if calls else "\n\n".join(a.text for a in actions))


def _train(conversation: Conversation, parsed: Parsed) -> Action:
    """Search, look at the market, prepare, plan; a request to train goes on to launch."""
    language = conversation.language
    listed = conversation.result("list_s3_datasets")
    if listed is None:
        calls = (
            Call(tool="list_s3_datasets", arguments={}),
            Call(tool="check_sagemaker_quotas", arguments={}),
        )
        return Action(calls=calls, text=say("first_look", language))
    if parsed.constraints.dataset is None:
        return Action(text=answers.which_dataset(listed, language))
    prepared = conversation.result("prepare_dataset")
    if prepared is None:
        arguments = {"dataset": parsed.constraints.dataset}
        return _call("prepare_dataset", arguments, say("validate", language))
    planned = conversation.result("plan_training")
    if planned is None:
        arguments = {"dataset": prepared["dataset"]["name"]}
        if parsed.constraints.instance_type:
            arguments["instance_type"] = parsed.constraints.instance_type
        return _call("plan_training", arguments, say("look_for_plan", language))
    return _after_plan(conversation, parsed, planned["plan"])


def _after_plan(conversation: Conversation, parsed: Parsed, plan: Mapping[str, Any]) -> Action:
    shown = answers.plan(plan, conversation.language)
    if parsed.intent is not Intent.TRAIN:
        return Action(text=shown)
    launched = conversation.result("launch_sagemaker_training")
    if launched is not None:
        return Action(text=answers.launched(launched, conversation.language))
    return _call("launch_sagemaker_training", {"plan_id": plan["plan_id"]}, shown)


def _gpus(conversation: Conversation, parsed: Parsed) -> Action:
    result = conversation.result("check_sagemaker_quotas")
    named = parsed.constraints.instance_type
    if result is None:
        return _call("check_sagemaker_quotas", {"instance_type": named} if named else {})
    say_it = answers.instance if named else answers.gpus
    return Action(text=say_it(result, conversation.language))


def _jobs(conversation: Conversation, parsed: Parsed) -> Action:
    action = _described(conversation, parsed, answers.jobs)
    if action.calls or not is_stop_held(read(conversation.text)):
        return action
    return Action(text=f"{say('not_stopped', conversation.language)}\n{action.text}")


def _costs(conversation: Conversation, parsed: Parsed) -> Action:
    """Of a job or a plan when one is meant, else of the month."""
    if "job" in parsed.refers_to_previous:
        return _described(conversation, parsed, answers.job_cost)
    result = conversation.result("get_costs")
    if result is None and (told := open_plan.answer(conversation, parsed)):
        return Action(text=told)
    if result is None:
        return _call("get_costs", {})
    return Action(text=answers.costs(result, conversation.language))


def _explain(conversation: Conversation, parsed: Parsed) -> Action:
    """Why a job ended, why a request was refused, why the plan is as it is: what was spoken of last."""
    before = conversation.before
    if (wanted := _wanted_report(conversation, parsed)) is not None:
        return _call("get_training_report", wanted)
    if _ABOUT_END.search(conversation.text) or before.topic in (Intent.JOBS, Intent.STOP):
        return _described(conversation, parsed, answers.job_end)
    if not _WHY.search(conversation.text):
        return _help(conversation, parsed)
    if before.failure is not None:
        return Action(text=answers.failure(before.failure, conversation.language))
    if before.shown_plan is not None:
        return Action(text=answers.why_plan(before.shown_plan, conversation.language))
    return _help(conversation, parsed)


def _wanted_report(conversation: Conversation, parsed: Parsed) -> dict[str, Any] | None:
    """Arguments of the call: its verdicts are meant, or why something failed when no job did."""
    described = conversation.result("describe_training_job")
    if described is None:
        is_meant = parsed.job_name is None and _ABOUT_REPORT.search(conversation.text)
        return {} if is_meant else None
    states = [job["state"] for job in described["jobs"]]
    if "failed" in states or states[:1] != ["completed"] or not _WHY.search(conversation.text):
        return None
    return {"plan_id": described["jobs"][0]["plan_id"]}


def _described(
    conversation: Conversation, parsed: Parsed, tell: Callable[[Mapping[str, Any], Language], str]
) -> Action:
    result = conversation.result("describe_training_job")
    if result is None:
        named = parsed.job_name
        return _call("describe_training_job", {"job_name": named} if named else {})
    return Action(text=tell(result, conversation.language))


def _datasets(conversation: Conversation, parsed: Parsed) -> Action:
    result = conversation.result("list_s3_datasets")
    if result is None:
        return _call("list_s3_datasets", {})
    return Action(text=answers.datasets(result, conversation.language))


def _greet(conversation: Conversation, parsed: Parsed) -> Action:
    return Action(text=answers.greeting(conversation.language, conversation.text))


def _other(conversation: Conversation, parsed: Parsed) -> Action:
    """Words that ask for nothing that a tool does: perhaps for something of the plan that waits."""
    if parsed.approve is not None:
        return Action(text=say("none_waits", conversation.language))
    told = open_plan.answer(conversation, parsed) or open_plan.not_a_change(conversation)
    return Action(text=told) if told else _help(conversation, parsed)


def _help(conversation: Conversation, parsed: Parsed) -> Action:
    return Action(text=answers.help_text(conversation.language))


def _call(tool: str, arguments: dict[str, Any], text: str = "") -> Action:
    return Action(calls=(Call(tool=tool, arguments=arguments),), text=text)


_POLICIES: dict[Intent, Callable[[Conversation, Parsed], Action]] = {
    Intent.TRAIN: _train,
    Intent.ESTIMATE: _train,
    Intent.GPUS: _gpus,
    Intent.STOP: stop,
    Intent.DATASETS: _datasets,
    Intent.JOBS: _jobs,
    Intent.COSTS: _costs,
    Intent.EXPLAIN: _explain,
    Intent.GREETING: _greet,
}
