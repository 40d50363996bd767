"""The chat: from an empty page to a report, and what it does when things go wrong."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from streamlit.testing.v1 import AppTest

from mlops.aws.sessions import Turn
from mlops.errors import Alternative, FaultError, RefusedError
from mlops.events import EventKind
from mlops.plan import NextStep
from tests.fake_workbench import FakeWorkbench

SENTENCE = "Train NER on cier, at most $10, 1 hour, F1 > 85%"
Draw = Callable[..., AppTest]
Meanwhile = Callable[[str, Callable[[], object]], None]


def words(at: AppTest) -> str:
    """Everything that is written on the page."""
    shown = [*at.markdown, *at.caption, *at.text, *at.error, *at.metric, *at.warning]
    return "\n".join(f"{getattr(e, 'label', '')} {e.value}" for e in shown).replace("\\", "")


def button(at: AppTest, start: str) -> str:
    return next(b.key for b in at.button if b.key and b.key.startswith(start))


def test_an_empty_chat_offers_three_beginnings_and_names_its_model(draw: Draw) -> None:
    at = draw("chat")
    assert sum((b.key or "").startswith("suggest") for b in at.button) == 3
    assert "Offline planner (local.planner-v1) — not a language model" in words(at)
    assert not at.chat_input[0].disabled
    assert at.query_params["c"] == "session-1"


def test_what_is_wrong_with_the_model_is_said(draw: Draw, bench: FakeWorkbench) -> None:
    bench.note = "m is an old model: AWS ends it on 2026-12-31."
    assert "an old model" in words(draw("chat"))


def test_a_suggestion_becomes_a_plan_that_waits(draw: Draw, bench: FakeWorkbench) -> None:
    at = draw("chat")
    at.button(key="suggest-0").click().run()
    assert not at.exception
    assert bench.calls[0][0] == "ask"
    assert "What I understood" in words(at)
    plan = next(iter(bench.plans.values()))
    assert at.button(key=f"approve-{plan.plan_id}").label.startswith("Approve up to")
    assert "list price as of" in words(at)
    assert "Sandbox: metered at list price, not billed" in words(at)
    assert not [b for b in at.button if (b.key or "").startswith("suggest")]


def test_typed_words_are_asked_in_this_conversation(draw: Draw, bench: FakeWorkbench) -> None:
    at = draw("chat", c="mine-1")
    at.chat_input[0].set_value("What datasets do we have?").run()
    assert list(bench.log) == ["mine-1"]
    assert "There are **2** datasets" in words(at)


def test_approval_takes_the_buttons_away_and_shows_the_job(
    draw: Draw, bench: FakeWorkbench
) -> None:
    bench.ask(SENTENCE, "s")
    at = draw("chat", c="s")
    at.button(key=button(at, "approve")).click().run()
    assert not at.exception
    assert not [b for b in at.button if (b.key or "").startswith(("approve", "decline"))]
    assert "Approved by ada" in words(at)
    assert "Cost so far" in words(at)
    assert [b for b in at.button if (b.key or "").startswith("stop-")]
    assert [name for name, _ in bench.calls] == ["ask", "approve"]


def test_declining_starts_nothing(draw: Draw, bench: FakeWorkbench) -> None:
    bench.ask(SENTENCE, "s")
    at = draw("chat", c="s")
    at.button(key=button(at, "decline")).click().run()
    assert "nothing was started" in words(at)
    assert not bench.known_jobs


def test_a_report_shows_verdicts_interval_and_model(draw: Draw, bench: FakeWorkbench) -> None:
    bench.ask(SENTENCE, "s")
    plan_id = next(iter(bench.plans))
    bench.approve(plan_id)
    bench.finish(plan_id, f1=0.79)
    at = draw("chat", c="s")
    verdicts = at.table[-1].value["Verdict"].tolist()
    assert ["PASS" in v for v in verdicts] == [True, True, False]
    assert "Test F1 (95 %: 0.7750–0.8040) 0.7900" in words(at)
    assert "s3://llmops-models/final/" in at.code[-1].value
    assert "Synthetic data" in words(at)
    assert any("What could reach the target" in e.label for e in at.expander)


def test_a_refusal_is_shown_with_its_priced_ways_out(draw: Draw, bench: FakeWorkbench) -> None:
    bench.ask("train", "s")
    at = draw("chat", c="s")
    assert "Which dataset shall I train on?" in words(at)
    assert "A. Use the dataset cier ($0.02)" in words(at)


def test_a_failed_action_says_why_and_stays(draw: Draw, bench: FakeWorkbench) -> None:
    bench.ask(SENTENCE, "s")
    at = draw("chat", c="s")

    def refuse(plan_id: str) -> str:
        way = Alternative(kind="wait", message="Wait for it")
        raise RefusedError("turn_running", "A turn is running.", (way,))

    bench.approve = refuse
    at.button(key=button(at, "approve")).click().run()
    assert "A turn is running." in words(at)
    assert "Wait for it" in words(at)


def test_a_refused_decline_stays_written_while_the_page_moves_on(
    draw: Draw, bench: FakeWorkbench, meanwhile: Meanwhile
) -> None:
    bench.ask(SENTENCE, "s")
    at = draw("chat", c="s")
    plan_id = next(iter(bench.plans))

    def refuse(plan_id: str) -> None:
        raise RefusedError("already_approved", "It was approved already.")

    bench.decline = refuse
    meanwhile("_conversation", lambda: bench.approve(plan_id))
    at.button(key=button(at, "decline")).click().run()
    assert "It was approved already." in words(at)
    assert "Approved by ada" in words(at)


def test_an_unknown_approval_is_named_and_has_no_buttons(draw: Draw, bench: FakeWorkbench) -> None:
    bench.ask(SENTENCE, "s")
    plan = next(iter(bench.plans.values()))
    data = {"plan_id": plan.plan_id, "status": "with[drawn]"}
    bench.add("s", plan.turn, EventKind.APPROVAL, data)
    at = draw("chat", c="s")
    assert "With[drawn]" in words(at)
    assert not [b for b in at.button if (b.key or "").startswith(("approve", "decline"))]


def test_an_idle_tab_hears_of_a_plan_and_of_its_approval(
    draw: Draw, bench: FakeWorkbench, meanwhile: Meanwhile
) -> None:
    meanwhile("_listen", lambda: bench.ask(SENTENCE, "s"))
    at = draw("chat", c="s")
    assert button(at, "approve")
    meanwhile("_listen", lambda: bench.approve(next(iter(bench.plans))))
    at.run()
    assert not [b for b in at.button if (b.key or "").startswith(("approve", "decline"))]
    assert "Approved by ada" in words(at)


def test_an_error_is_said_once_and_its_commands_stay_commands(
    draw: Draw, bench: FakeWorkbench
) -> None:
    way = {"kind": "approve", "message": "Approve it: `llmops approve --yes`"}
    error = {"code": "x", "message": "Not `now`.", "alternatives": [way]}
    repeated = {**error, "text": "Not `now`.\n- Approve it: `llmops approve --yes`"}
    for turn, data in (("t1", repeated), ("t2", {**error, "text": "My own view."})):
        bench.add("s", turn, EventKind.ERROR, data)
        bench.add("s", turn, EventKind.DONE, {})
    at = draw("chat", c="s")
    said = words(at)
    assert said.count("Not `now`.") == 2
    assert said.count("`llmops approve --yes`") == 2
    assert said.count("My own view.") == 1


def test_a_tool_name_is_no_markup(draw: Draw, bench: FakeWorkbench) -> None:
    call = {"call_id": "c", "tool": "x`![i](http://evil.example)`", "arguments": {}}
    bench.add("s", "t", EventKind.TOOL_CALL, call)
    bench.add("s", "t", EventKind.DONE, {})
    at = draw("chat", c="s")
    assert all("![" not in e.label and "`!" not in e.label for e in at.expander)


def test_the_price_of_a_next_step_is_the_least_it_takes(draw: Draw, bench: FakeWorkbench) -> None:
    bench.ask(SENTENCE, "s")
    plan_id, plan = next(iter(bench.plans.items()))
    step = NextStep(
        model="x",
        title="Large",
        engine="lora",
        instance_type=None,
        estimate=None,
        ceiling_usd="1.25",
        why="No.",
    )
    bench.plans[plan_id] = plan.model_copy(update={"next_steps": (step,)})
    bench.approve(plan_id)
    bench.finish(plan_id, 0.5)
    shown = words(draw("chat", c="s")).replace("\\", "")
    assert "**Large**: from $1.25. No." in shown


def test_plan_job_and_report_have_headings(draw: Draw, bench: FakeWorkbench) -> None:
    bench.ask(SENTENCE, "s")
    plan_id = next(iter(bench.plans))
    bench.approve(plan_id)
    bench.finish(plan_id)
    headings = [heading.value for heading in draw("chat", c="s").subheader]
    assert headings == ["Plan for cier", "Training job", "Report on cier"]


def test_the_input_waits_while_a_turn_runs(draw: Draw, bench: FakeWorkbench) -> None:
    bench.add("s", "t", EventKind.USER, {"text": "hello"})
    later = datetime.now(UTC) + timedelta(minutes=1)
    bench.running = Turn(session_id="s", turn="t", text="hello", owner="o", lease_until=later)
    at = draw("chat", c="s")
    assert at.chat_input[0].disabled
    assert "Working" in words(at)


def test_a_turn_whose_process_died_says_so(draw: Draw, bench: FakeWorkbench) -> None:
    bench.add("s", "t", EventKind.USER, {"text": "hello"})
    assert "it is being taken up" in words(draw("chat", c="s"))


def test_change_puts_the_sentence_back_into_the_input(draw: Draw, bench: FakeWorkbench) -> None:
    bench.ask(SENTENCE, "s")
    at = draw("chat", c="s")
    at.button(key=button(at, "change")).click().run()
    assert not at.exception
    assert at.chat_input[0].proto.value == SENTENCE


def test_an_answer_cannot_bring_an_image_in(draw: Draw, bench: FakeWorkbench) -> None:
    bench.add("s", "t", EventKind.USER, {"text": "![x](http://evil.example)"})
    bench.add("s", "t", EventKind.ANSWER, {"text": "See ![x](http://evil.example/a.png)"})
    bench.add("s", "t", EventKind.DONE, {})
    at = draw("chat", c="s")
    assert at.text[0].value == "![x](http://evil.example)"
    assert all("![" not in element.value for element in at.markdown)


def test_a_bad_address_opens_a_new_conversation(draw: Draw) -> None:
    assert draw("chat", c="../etc#tokens").query_params["c"] == "session-1"


def test_other_conversations_are_one_click_away(draw: Draw, bench: FakeWorkbench) -> None:
    bench.ask("What datasets do we have?", "older")
    at = draw("chat")
    at.button(key="open-older").click().run()
    assert at.query_params["c"] == "older"
    assert "There are **2** datasets" in words(at)


def test_a_back_end_that_is_away_is_an_error_and_not_a_trace(
    draw: Draw, bench: FakeWorkbench
) -> None:
    bench.failure = FaultError("unreachable", "The back end does not answer.")
    assert "The back end does not answer." in words(draw("chat"))
