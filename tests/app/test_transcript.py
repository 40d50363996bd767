"""Events fold into the same cards on every screen, however they interleave."""

import pytest

from app.blocks import Clauses, JobCard, Message, PlanCard, ReportCard, Thinking, Trouble, Words
from app.pulse import is_followed, is_unfinished
from app.transcript import fold
from app.wording import progress
from mlops.constraints import parse
from mlops.errors import RefusedError
from mlops.events import EventKind
from mlops.job import JobState
from mlops.report import Report
from mlops.report_words import ended
from mlops.tools import ReportOutput
from mlops.workflow import WorkflowStep
from tests.app.test_pulse import logged
from tests.fake_workbench import FakeWorkbench

SENTENCE = "Train NER on cier, at most $10, 1 hour, F1 > 85%"


@pytest.fixture
def bench() -> FakeWorkbench:
    return FakeWorkbench()


def blocks(bench: FakeWorkbench) -> list[str]:
    """Names of all blocks after the person's, in order."""
    messages = fold(bench.events("s"))
    return [type(b).__name__ for m in messages if m.role == "assistant" for b in m.blocks]


def plan_card(messages: list[Message]) -> PlanCard:
    return next(b for m in messages for b in m.blocks if isinstance(b, PlanCard))


def test_nothing_folds_into_nothing() -> None:
    assert fold([]) == []
    assert not is_unfinished([])
    assert not is_followed([])


def test_a_request_becomes_words_clauses_thoughts_and_a_waiting_plan(bench: FakeWorkbench) -> None:
    bench.ask(SENTENCE, "s")
    person, answer = fold(bench.events("s"))
    assert person.blocks == (Words(text=SENTENCE),)
    clauses, thinking, plan = answer.blocks
    assert isinstance(clauses, Clauses)
    assert clauses.said == SENTENCE
    assert isinstance(thinking, Thinking)
    assert [step.tool for step in thinking.steps] == [None, "list_s3_datasets"]
    assert thinking.steps[1].outcome == {"n": 2}
    assert isinstance(plan, PlanCard)
    assert plan.status == "waiting"
    assert answer.step is WorkflowStep.AWAITING_APPROVAL


def test_approval_job_and_report_follow_in_order(bench: FakeWorkbench) -> None:
    bench.ask(SENTENCE, "s")
    plan_id = next(iter(bench.plans))
    bench.approve(plan_id)
    messages = fold(bench.events("s"))
    assert plan_card(messages).status == "approved"
    assert is_followed(messages)
    bench.finish(plan_id)
    messages = fold(bench.events("s"))
    assert blocks(bench) == ["Clauses", "Thinking", "PlanCard", "JobCard", "Words", "ReportCard"]
    assert not is_followed(messages)
    assert plan_card(messages).ended
    assert messages[1].step is WorkflowStep.COMPLETE


def test_a_job_changes_in_place_and_a_second_stage_is_a_second_card(bench: FakeWorkbench) -> None:
    bench.ask(SENTENCE, "s")
    bench.approve(next(iter(bench.plans)))
    job = next(iter(bench.known_jobs.values()))
    bench.record(job.model_copy(update={"state": JobState.UPLOADING}))
    bench.record(job.model_copy(update={"job_name": f"{job.job_name}-2", "stage": 2}))
    cards = [b for m in fold(bench.events("s")) for b in m.blocks if isinstance(b, JobCard)]
    assert [card.job.state for card in cards] == [JobState.UPLOADING, JobState.TRAINING]


def test_a_late_report_stands_after_what_was_asked_meanwhile(bench: FakeWorkbench) -> None:
    bench.ask(SENTENCE, "s")
    plan_id = next(iter(bench.plans))
    bench.approve(plan_id)
    bench.ask("What datasets do we have?", "s")
    bench.finish(plan_id)
    messages = fold(bench.events("s"))
    assert [m.role for m in messages] == ["user", "assistant", "user", "assistant", "assistant"]
    assert isinstance(messages[-1].blocks[0], ReportCard)
    assert [m.step for m in messages if m.step] == [WorkflowStep.COMPLETE]
    assert isinstance(messages[1].blocks[3], JobCard)
    assert messages[1].blocks[3].job.state is JobState.COMPLETED


def test_a_refused_launch_ends_the_plan(bench: FakeWorkbench) -> None:
    bench.ask(SENTENCE, "s")
    plan_id = next(iter(bench.plans))
    approved = {"plan_id": plan_id, "status": "approved", "by": "ada"}
    bench.add("s", "turn-9", EventKind.APPROVAL, approved)
    assert is_followed(fold(bench.events("s")))
    error = {"code": "budget", "message": "No.", "alternatives": []}
    bench.add("s", "turn-9", EventKind.ERROR, error)
    messages = fold(bench.events("s"))
    assert not is_followed(messages)
    assert isinstance(messages[-1].blocks[0], Trouble)


def test_a_failed_job_ends_the_plan_by_its_id(bench: FakeWorkbench) -> None:
    bench.ask(SENTENCE, "s")
    plan_id = next(iter(bench.plans))
    turn = bench.approve(plan_id)
    error = {"code": "job_failed", "message": "It failed.", "alternatives": [], "plan_id": plan_id}
    bench.add("s", turn, EventKind.ERROR, error)
    assert not is_followed(fold(bench.events("s")))


def test_a_launch_that_was_undone_ends_the_plan(bench: FakeWorkbench) -> None:
    bench.ask(SENTENCE, "s")
    plan = next(iter(bench.plans.values()))
    approved = {"plan_id": plan.plan_id, "status": "approved", "by": "ada"}
    bench.add("s", plan.turn, EventKind.APPROVAL, approved)
    error = {"code": "launch_undone", "message": "It died.", "alternatives": []}
    bench.add("s", plan.turn, EventKind.ERROR, {**error, "plan_id": plan.plan_id})
    assert not is_followed(fold(bench.events("s")))


@pytest.mark.parametrize("status", ["declined", "superseded", "cancelled"])
def test_a_closed_plan_is_not_followed_and_awaits_nothing(
    bench: FakeWorkbench, status: str
) -> None:
    bench.ask(SENTENCE, "s")
    plan_id = next(iter(bench.plans))
    bench.ask("What datasets do we have?", "s")
    later = bench.events("s")[-1].turn
    bench.add("s", later, EventKind.APPROVAL, {"plan_id": plan_id, "status": status})
    messages = fold(bench.events("s"))
    assert plan_card(messages).status == status
    assert not is_followed(messages)
    assert messages[1].step is WorkflowStep.ERROR


def test_an_error_keeps_its_alternatives_and_words(bench: FakeWorkbench) -> None:
    bench.ask("train", "s")
    trouble = fold(bench.events("s"))[-1].blocks[-1]
    assert isinstance(trouble, Trouble)
    assert trouble.alternatives[0].cost_usd == "0.02"


def test_a_way_out_with_a_change_is_a_request_of_its_own() -> None:
    parsed = parse("Train NER on cier with a budget of $0.0001").model_dump(mode="json")
    error = {
        "code": "budget_too_small",
        "message": "Too small.",
        "alternatives": [
            {"kind": "raise_budget", "message": "More", "changes": {"budget_usd": "0.01"}},
            {"kind": "wait", "message": "Wait", "changes": {}},
            {"kind": "raise_budget", "message": "Month", "changes": {"monthly_limit_usd": "60"}},
        ],
    }
    said = [(EventKind.STEP, {"step": "PARSING", "parsed": parsed}), (EventKind.ERROR, error)]
    trouble = fold(logged(said))[-1].blocks[-1]
    assert isinstance(trouble, Trouble)
    request, *others = trouble.requests
    assert request is not None and parse(request).constraints.budget_usd == "0.01"
    assert others == [None, None]


def test_asking_again_repeats_the_words_and_a_dataset_completes_them() -> None:
    parsed = parse("Train a model, at most $10").model_dump(mode="json")
    ways = [
        {"kind": "dataset", "message": "Train on cier", "changes": {"dataset": "cier"}},
        {"kind": "retry", "message": "Ask again", "changes": {}},
    ]
    error = {"code": "missing_dataset", "message": "Which?", "alternatives": ways}
    said = [
        (EventKind.USER, {"text": "Train a model, at most $10"}),
        (EventKind.STEP, {"step": "PARSING", "parsed": parsed}),
        (EventKind.ERROR, error),
    ]
    trouble = fold(logged(said))[-1].blocks[-1]
    assert isinstance(trouble, Trouble)
    named, again = trouble.requests
    assert named is not None and parse(named).constraints.dataset == "cier"
    assert parse(named).constraints.budget_usd == "10.00"
    assert again == "Train a model, at most $10"


def told(bench: FakeWorkbench, plan_id: str, text: str) -> None:
    """As the turn that puts the end of a run into words logs it."""
    turn = bench.plans[plan_id].turn
    call = {"call_id": "r1", "tool": "get_training_report"}
    bench.add("s", turn, EventKind.TOOL_CALL, {**call, "arguments": {"plan_id": plan_id}})
    bench.add("s", turn, EventKind.TOOL_RESULT, {**call, "ok": True, "result": {"n": 1}})
    bench.add("s", turn, EventKind.ANSWER, {"text": text, "plan_id": plan_id})


def test_words_of_code_do_not_repeat_the_card_of_the_report(bench: FakeWorkbench) -> None:
    bench.ask(SENTENCE, "s")
    plan_id = next(iter(bench.plans))
    bench.approve(plan_id)
    bench.finish(plan_id)
    before = blocks(bench)
    report = Report.model_validate(bench.events("s")[-1].data)
    told(bench, plan_id, ended(ReportOutput(plan_id=plan_id, report=report)))
    assert blocks(bench) == before and before[-1] == "ReportCard"
    told(bench, plan_id, "F1 is well above what you wanted.")
    assert blocks(bench) == [*before, "Thinking", "Words"]


def test_a_queued_plan_waits_in_the_queue_until_it_trains(bench: FakeWorkbench) -> None:
    bench.ask(SENTENCE, "s")
    plan_id = next(iter(bench.plans))
    turn = bench.plans[plan_id].turn
    queued = {"plan_id": plan_id, "status": "queued", "by": "ada", "words": "It waits."}
    bench.add("s", turn, EventKind.APPROVAL, queued)
    bench.add("s", turn, EventKind.ANSWER, {"text": "It waits."})
    answer = fold(bench.events("s"))[1]
    assert answer.step is WorkflowStep.QUEUED
    assert progress(answer.step)[1] == "Waiting in the queue"
    bench.approve(plan_id)
    assert fold(bench.events("s"))[1].step is WorkflowStep.MONITORING


def test_words_of_code_do_not_repeat_why_a_run_failed(bench: FakeWorkbench) -> None:
    bench.ask(SENTENCE, "s")
    plan_id = next(iter(bench.plans))
    error = {**RefusedError("quota", "None is free.").as_data(), "plan_id": plan_id}
    bench.add("s", bench.plans[plan_id].turn, EventKind.ERROR, error)
    before = blocks(bench)
    told(bench, plan_id, "None is free.")
    assert blocks(bench) == before and before[-1] == "Trouble"


def test_a_question_has_neither_clauses_nor_a_progress_line(bench: FakeWorkbench) -> None:
    bench.ask("What datasets do we have?", "s")
    assert blocks(bench) == ["Words"]
    assert all(message.step is None for message in fold(bench.events("s")))


def test_folding_is_the_same_for_every_prefix_read_at_once_or_later(bench: FakeWorkbench) -> None:
    bench.ask(SENTENCE, "s")
    bench.approve(next(iter(bench.plans)))
    events = bench.events("s")
    for count in range(len(events) + 1):
        assert fold(events[:count]) == fold(list(events[:count]))
