"""Events fold into the same cards on every screen, however they interleave."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.blocks import Clauses, JobCard, Message, PlanCard, ReportCard, Thinking, Trouble, Words
from app.transcript import fold, is_followed, is_unfinished, is_untold, streaming
from mlops.constraints import parse
from mlops.events import Event, EventKind
from mlops.job import JobState
from mlops.workflow import WorkflowStep
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


def test_a_declined_plan_is_not_followed(bench: FakeWorkbench) -> None:
    bench.ask(SENTENCE, "s")
    bench.decline(next(iter(bench.plans)))
    messages = fold(bench.events("s"))
    assert plan_card(messages).status == "declined"
    assert not is_followed(messages)


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
    trouble = fold(_log(said))[-1].blocks[-1]
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
    trouble = fold(_log(said))[-1].blocks[-1]
    assert isinstance(trouble, Trouble)
    named, again = trouble.requests
    assert named is not None and parse(named).constraints.dataset == "cier"
    assert parse(named).constraints.budget_usd == "10.00"
    assert again == "Train a model, at most $10"


def test_an_end_is_untold_until_an_answer_is_about_it() -> None:
    end = (EventKind.REPORT, {"plan_id": "plan-1"})
    failed = (EventKind.ERROR, {"plan_id": "plan-2", "message": "It failed."})
    told = (EventKind.ANSWER, {"plan_id": "plan-1", "text": "It passed."})
    other = (EventKind.ANSWER, {"text": "Hello."})
    refusal = (EventKind.ERROR, {"code": "budget", "message": "No."})
    assert is_untold(_log([end]))
    assert is_untold(_log([end, other]))
    assert is_untold(_log([end, told, failed]))
    assert not is_untold(_log([end, told, refusal]))


def _log(said: list[tuple[EventKind, dict[str, Any]]]) -> list[Event]:
    return [
        Event(session="s", seq=n, turn="t", kind=kind, at=datetime.now(UTC), data=data)
        for n, (kind, data) in enumerate(said, 1)
    ]


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


def test_a_turn_is_unfinished_until_it_says_done(bench: FakeWorkbench) -> None:
    bench.add("s", "t", EventKind.USER, {"text": "hello"})
    assert is_unfinished(bench.events("s"))
    bench.add("s", "t", EventKind.DONE, {})
    assert not is_unfinished(bench.events("s"))


def test_streamed_text_stops_showing_when_its_thought_is_logged() -> None:
    start = datetime(2026, 11, 22, tzinfo=UTC)

    def event(seq: int, kind: EventKind, text: str, turn: str = "t") -> Event:
        at = start + timedelta(seconds=seq)
        return Event(session="s", seq=seq, turn=turn, kind=kind, at=at, data={"text": text})

    tokens = [event(n, EventKind.TOKEN, f"{n} ") for n in (1, 2, 4)]
    tokens.append(event(5, EventKind.TOKEN, "other", "u"))
    assert streaming(tokens, [], "t") == "1 2 4 "
    assert streaming(tokens, [event(3, EventKind.THINKING, "1 2")], "t") == "4 "
