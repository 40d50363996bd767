"""A finished turn's messages in, two lines of facts out: what was asked, planned, run, measured and answered.

By code alone: every word and number comes from the messages.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mlops.dialogue.conversation import ToolOutcome, read

Message = Mapping[str, Any]

_SAID_CHARS = 240
_ANSWER_CHARS = 200
_MOST_CLAUSES = 12
_UNINTERESTING = ("budget_comparator", "time_comparator", "target_comparator")


def digest(messages: Sequence[Message]) -> str:
    """Two lines: what was asked, and what came of it. Texts of others stand in quotes."""
    turn = read(messages)
    facts = [fact for outcome in turn.outcomes for fact in _facts(outcome)]
    answer = _last_words(messages)
    lines = [f"- asked: {_quoted(turn.text, _SAID_CHARS)}"] if turn.text else ["- told:"]
    return "\n".join([*lines, f"  {'; '.join(dict.fromkeys([*facts, answer]))}"])


def _facts(outcome: ToolOutcome) -> Iterator[str]:
    if not outcome.ok:
        yield f"{outcome.tool} refused: {outcome.data.get('code', 'unknown')}"
        return
    facts = _FACTS.get(outcome.tool)
    if facts is None:
        yield f"{outcome.tool} answered"
        return
    try:
        yield from facts(outcome.data)
    except (KeyError, TypeError, AttributeError):  # a result that was cut
        yield f"{outcome.tool} answered"


def _plan(data: Mapping[str, Any]) -> Iterator[str]:
    plan = data["plan"]
    said = {
        name: value
        for name, value in plan["constraints"].items()
        if value is not None and name not in _UNINTERESTING
    }
    yield "constraints " + json.dumps(dict(list(said.items())[:_MOST_CLAUSES]), ensure_ascii=False)
    yield f"plan {plan['plan_id']}, ceiling ${plan['ceiling_usd']}"


def _launch(data: Mapping[str, Any]) -> Iterator[str]:
    job = data["job"]
    if job is None:
        yield f"queued: {data['message']}"
        return
    yield f"launched {job['job_name']} on {job['instance_type']}"


def _jobs(data: Mapping[str, Any]) -> Iterator[str]:
    for job in data["jobs"][:3]:
        yield f"{job['job_name']} {job['state']}{_score(job['metrics'].get('test_f1'))}"


def _report(data: Mapping[str, Any]) -> Iterator[str]:
    report = data["report"]
    if report is None:
        yield f"{data['plan_id']} ended: {data['failure']['code']}"
        return
    verdicts = ", ".join(f"{v['clause']} {v['verdict']}" for v in report["verdicts"])
    yield f"{data['plan_id']} ended: {verdicts}, cost ${report['total_cost_usd']}"
    for stage in report["stages"]:
        score = _score(stage["metrics"].get("f1"))
        yield f"stage {stage['stage']} {stage['job_name']}{score}"


def _score(f1: float | None) -> str:
    return "" if f1 is None else f", test F1 {f1:.4f}"


def _stop(data: Mapping[str, Any]) -> Iterator[str]:
    """A plan that waited had no job yet."""
    yield f"stopped {data['job']['job_name']}" if data.get("job") else "taken out of the queue"


_FACTS = {
    "plan_training": _plan,
    "launch_sagemaker_training": _launch,
    "stop_training_job": _stop,
    "describe_training_job": _jobs,
    "get_training_report": _report,
}


def _last_words(messages: Sequence[Message]) -> str:
    for message in reversed(messages):
        text = " ".join(b["text"] for b in message["content"] if "text" in b)
        if message["role"] == "assistant" and text:
            return f"answered: {_quoted(text, _ANSWER_CHARS)}"
    return "not answered"


def _quoted(text: str, limit: int) -> str:
    one_line = " ".join(text.split())
    cut = one_line if len(one_line) <= limit else f"{one_line[:limit]}…"
    return json.dumps(cut, ensure_ascii=False)
