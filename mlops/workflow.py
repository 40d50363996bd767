"""Where a request stands, and what follows: labels derived from events, and the policy without a model."""

import re
from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from typing import Any

from mlops import answers
from mlops.constraints import Intent, Parsed
from mlops.conversation import Action, Call, Conversation
from mlops.events import Event, EventKind

_JOB_NAME = re.compile(r"\bllmops-[a-z0-9-]{8,54}\b")


class WorkflowStep(StrEnum):
    """The steps that people see, in order; ERROR can follow any of them."""

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
    ERROR = "ERROR"


STEPS = tuple(step for step in WorkflowStep if step is not WorkflowStep.ERROR)

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
_KIND_STEPS = {
    EventKind.USER: WorkflowStep.INIT,
    EventKind.COST: WorkflowStep.PRESENTING,
    EventKind.ANSWER: WorkflowStep.COMPLETE,
    EventKind.REPORT: WorkflowStep.COMPLETE,
    EventKind.ERROR: WorkflowStep.ERROR,
}
# An answer that says "it is running" does not complete a request that waits or trains.
_GOES_ON = (
    WorkflowStep.AWAITING_APPROVAL,
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
    if kind is EventKind.APPROVAL and data["status"] == "waiting":
        return WorkflowStep.AWAITING_APPROVAL
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
    if last is not None and not last.ok:
        if last.data.get("code") == "not_prepared" and parsed.constraints.dataset:
            return _call("prepare_dataset", {"dataset": parsed.constraints.dataset})
        return Action(text=answers.failure(last.data))
    if parsed.problems:
        return Action(text="\n".join(p.message for p in parsed.problems))
    return _POLICIES.get(parsed.intent, _help)(conversation, parsed)


def _train(conversation: Conversation, parsed: Parsed) -> Action:
    """Search, look at the market, prepare, plan; a request to train goes on to launch."""
    listed = conversation.result("list_s3_datasets")
    if listed is None:
        calls = (
            Call(tool="list_s3_datasets", arguments={}),
            Call(tool="check_sagemaker_quotas", arguments={}),
        )
        return Action(calls=calls, text="First I look for the dataset and at the market.")
    if parsed.constraints.dataset is None:
        return Action(text=answers.which_dataset(listed))
    prepared = conversation.result("prepare_dataset")
    if prepared is None:
        return _call(
            "prepare_dataset",
            {"dataset": parsed.constraints.dataset},
            "Before any money is spent I validate the data.",
        )
    planned = conversation.result("plan_training")
    if planned is None:
        arguments = {"dataset": prepared["dataset"]["name"]}
        if parsed.constraints.instance_type:
            arguments["instance_type"] = parsed.constraints.instance_type
        return _call("plan_training", arguments, "Now I look for the cheapest plan that fits.")
    return _after_plan(conversation, parsed, planned["plan"])


def _after_plan(conversation: Conversation, parsed: Parsed, plan: Mapping[str, Any]) -> Action:
    if parsed.intent is not Intent.TRAIN:
        return Action(text=answers.plan(plan))
    launched = conversation.result("launch_sagemaker_training")
    if launched is not None:
        return Action(text=answers.launched(launched))
    return _call("launch_sagemaker_training", {"plan_id": plan["plan_id"]}, answers.plan(plan))


def _gpus(conversation: Conversation, parsed: Parsed) -> Action:
    result = conversation.result("check_sagemaker_quotas")
    named = parsed.constraints.instance_type
    if result is None:
        return _call("check_sagemaker_quotas", {"instance_type": named} if named else {})
    return Action(text=answers.instance(result) if named else answers.gpus(result))


def _stop(conversation: Conversation, parsed: Parsed) -> Action:
    stopped = conversation.result("stop_training_job")
    if stopped is not None:
        return Action(text=answers.stopped(stopped))
    if named := _JOB_NAME.search(conversation.text):
        return _call("stop_training_job", {"job_name": named[0]})
    described = conversation.result("describe_training_job")
    if described is None:
        return _call("describe_training_job", {})
    final = ("completed", "failed", "stopped")
    running = [job["job_name"] for job in described["jobs"] if job["state"] not in final]
    if len(running) == 1:
        return _call("stop_training_job", {"job_name": running[0]})
    if not running:
        return Action(text="No training job is running.")
    return Action(text=f"Several jobs are running. Which one shall I stop? {', '.join(running)}")


def _lookup(tool: str, say: Callable[[Mapping[str, Any]], str]) -> Any:
    """A question that one tool answers."""

    def policy(conversation: Conversation, parsed: Parsed) -> Action:
        result = conversation.result(tool)
        return _call(tool, {}) if result is None else Action(text=say(result))

    return policy


def _greet(conversation: Conversation, parsed: Parsed) -> Action:
    return Action(text=answers.GREETING)


def _help(conversation: Conversation, parsed: Parsed) -> Action:
    return Action(text=answers.HELP)


def _call(tool: str, arguments: dict[str, Any], text: str = "") -> Action:
    return Action(calls=(Call(tool=tool, arguments=arguments),), text=text)


_POLICIES: dict[Intent, Callable[[Conversation, Parsed], Action]] = {
    Intent.TRAIN: _train,
    Intent.ESTIMATE: _train,
    Intent.GPUS: _gpus,
    Intent.STOP: _stop,
    Intent.DATASETS: _lookup("list_s3_datasets", answers.datasets),
    Intent.JOBS: _lookup("describe_training_job", answers.jobs),
    Intent.COSTS: _lookup("get_costs", answers.costs),
    Intent.GREETING: _greet,
}
