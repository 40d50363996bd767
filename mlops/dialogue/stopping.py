"""Which job a person wants stopped: the one that was named or that "it" is, else the one that runs.

A job of another conversation, and one of several, is named first.
"""

import re
from collections.abc import Mapping
from typing import Any

from mlops.constraints import Parsed
from mlops.dialogue import answers, open_plan
from mlops.dialogue.conversation import Action, Call, Conversation
from mlops.dialogue.memory import running
from mlops.dialogue.phrases import say
from mlops.dialogue.recall import JOB_NAME

_PLAN_ID = re.compile(r"\bplan-[0-9a-f]{16}\b")


def stop(conversation: Conversation, parsed: Parsed) -> Action:
    language = conversation.language
    stopped = conversation.result("stop_training_job")
    if stopped is not None:
        return Action(text=answers.stopped(stopped, language))
    if named := JOB_NAME.search(conversation.text):
        return _stop(job_name=named[0])
    if queued := _PLAN_ID.search(conversation.text):
        return _stop(plan_id=queued[0])
    described = conversation.result("describe_training_job")
    if described is None:
        return Action(calls=(Call(tool="describe_training_job", arguments={}),))
    names = running(described["jobs"])
    if parsed.job_name in names:
        return _stop(job_name=str(parsed.job_name))
    if len(names) > 1:
        return Action(text=answers.which_job(names, language))
    if not names:
        return _nothing_runs(conversation, parsed, described)
    job = next(job for job in described["jobs"] if job["job_name"] == names[0])
    if _is_ours(conversation, job["plan_id"]):
        return _stop(job_name=names[0])
    return Action(text=answers.shall_stop(job, language))


def _nothing_runs(
    conversation: Conversation, parsed: Parsed, described: Mapping[str, Any]
) -> Action:
    """Then a plan that waits in the queue may be meant, or one that waits for a decision."""
    language = conversation.language
    queued = [str(plan["plan_id"]) for plan in described.get("waiting", ())]
    ours = [plan_id for plan_id in queued if _is_ours(conversation, plan_id)]
    if len(queued) == 1 and ours:
        return _stop(plan_id=queued[0])
    if queued:
        return Action(text=say("which_queued", language, plans=", ".join(queued)))
    if conversation.open_plan is not None or parsed.approve is not None:
        return Action(text=f"{say('none_runs', language)} {open_plan.which(conversation)}")
    return Action(text=say("none_runs", language))


def _is_ours(conversation: Conversation, plan_id: str) -> bool:
    """Planned in this conversation."""
    before = conversation.before
    plans = [*before.plans, *(plan for plan in (before.plan, before.shown_plan) if plan)]
    return any(plan["plan_id"] == plan_id for plan in plans)


def _stop(**which: str) -> Action:
    return Action(calls=(Call(tool="stop_training_job", arguments=dict(which)),))
