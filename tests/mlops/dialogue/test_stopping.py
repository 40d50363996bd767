"""Which job is stopped, and when it is asked first."""

from typing import Any

import pytest

from mlops.dialogue.conversation import Action, read, understand
from mlops.workflow import next_step

PLAN = {"plan_id": "plan-0123456789abcdef", "ceiling_usd": "2.00", "dataset": {"name": "cier"}}
JOB = {
    "job_name": "llmops-cier-89abcdef-s2-a1",
    "plan_id": "plan-0123456789abcdef",
    "instance_type": "ml.m5.large",
    "state": "training",
    "metrics": {},
    "cost_usd": None,
}
FOREIGN = JOB | {"job_name": "llmops-cier-00000000-s1-a1", "plan_id": "plan-0000000000000000"}


def told(tool: str, data: dict[str, Any]) -> list[dict[str, Any]]:
    use = {"toolUse": {"toolUseId": "1", "name": tool, "input": {}}}
    result = {"toolUseId": "1", "content": [{"json": data}], "status": "success"}
    return [
        {"role": "assistant", "content": [use]},
        {"role": "user", "content": [{"toolResult": result}]},
    ]


def done(text: str) -> dict[str, Any]:
    return {"role": "assistant", "content": [{"text": text}]}


def user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": [{"text": text}]}


TRAINED = [user("Train NER on cier"), *told("plan_training", {"plan": PLAN}), done("It runs.")]


def action(messages: list[dict[str, Any]]) -> Action:
    return next_step(read(messages), understand(messages))


def test_a_later_stage_of_this_conversation_is_stopped_at_once():
    heard = [*TRAINED, user("stop it"), *told("describe_training_job", {"jobs": [JOB]})]
    (call,) = action(heard).calls
    assert call.arguments == {"job_name": "llmops-cier-89abcdef-s2-a1"}


def test_a_job_of_another_conversation_is_named_and_then_stopped():
    described = told("describe_training_job", {"jobs": [FOREIGN]})
    heard = [*TRAINED, user("stop it"), *described]
    asked = action(heard)
    assert asked.calls == ()
    assert "A. llmops-cier-00000000-s1-a1" in asked.text
    for answer in ("yes", "A", "ok, stop it", "stop llmops-cier-00000000-s1-a1"):
        again = [*heard, done(asked.text), user(answer), *described]
        (call,) = action(again).calls
        assert call.arguments == {"job_name": "llmops-cier-00000000-s1-a1"}, answer
    refused = action([*heard, done(asked.text), user("no"), *described])
    assert refused.calls == ()


@pytest.mark.parametrize("text", ["Stoppe den Job nicht", "stop? no, keep going", "don't stop it"])
def test_a_no_stops_nothing(text: str):
    heard = [*TRAINED, user(text), *told("describe_training_job", {"jobs": [JOB]})]
    said = action(heard)
    assert said.calls == ()
    assert said.text.startswith(("Nothing was stopped.", "Nichts wurde gestoppt."))


def test_a_queued_plan_of_another_conversation_is_named():
    waiting = {"jobs": [], "waiting": [{"plan_id": "plan-0000000000000000"}]}
    said = action([*TRAINED, user("stop it"), *told("describe_training_job", waiting)])
    assert said.calls == ()
    assert "plan-0000000000000000" in said.text
