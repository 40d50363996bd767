"""The list of conversations, what can be done with the open one, and reading along by a link."""

from collections.abc import Callable

from streamlit.testing.v1 import AppTest

from mlops.errors import Alternative, RefusedError
from mlops.events import EventKind
from tests.fake_workbench import FakeWorkbench
from tests.pages.test_chat import SENTENCE, words

Draw = Callable[..., AppTest]


def keys(at: AppTest) -> list[str]:
    return [str(b.key) for b in at.button]


def test_without_conversations_the_sidebar_says_how_to_begin(draw: Draw) -> None:
    at = draw("chat")
    assert "Ask something to begin the first" in words(at)
    assert not at.text_input
    assert not at.main.get("popover")


def test_titles_are_searched_and_a_miss_has_a_way_back(draw: Draw, bench: FakeWorkbench) -> None:
    bench.ask("What datasets do we have?", "a")
    bench.ask("What does a GPU cost?", "b")
    at = draw("chat")
    assert {"open-a", "open-b"} <= set(keys(at))
    at.text_input(key="search-titles").set_value("gpu").run()
    assert "open-b" in keys(at) and "open-a" not in keys(at)
    at.text_input(key="search-titles").set_value("nothing").run()
    assert "No title has these words." in words(at)
    next(b for b in at.button if b.label == "Show all").click().run()
    assert {"open-a", "open-b"} <= set(keys(at))


def test_a_click_goes_on_in_a_conversation(draw: Draw, bench: FakeWorkbench) -> None:
    bench.ask("What datasets do we have?", "a")
    at = draw("chat")
    at.button(key="open-a").click().run()
    assert "There are **2** datasets" in words(at)
    assert at.query_params["c"] == "a"


def test_many_conversations_show_the_latest(draw: Draw, bench: FakeWorkbench) -> None:
    for number in range(20):
        bench.ask(f"What is the cost of job {number}?", f"s{number}")
    at = draw("chat")
    assert sum(key.startswith("open-") for key in keys(at)) == 15
    assert "The latest 15; the search looks at all." in words(at)


def test_a_conversation_gets_another_title(draw: Draw, bench: FakeWorkbench) -> None:
    bench.ask("What datasets do we have?", "a")
    at = draw("chat", c="a")
    at.text_input(key="title-a").set_value("My *data*")
    next(b for b in at.button if b.label == "Rename").click().run()
    assert ("rename", ("a", "My *data*")) in bench.calls
    assert at.button(key="open-a").label == r"My \*data\*"


def test_a_link_is_made_shown_once_and_ended(draw: Draw, bench: FakeWorkbench) -> None:
    bench.ask("What datasets do we have?", "a")
    at = draw("chat", c="a")
    at.button(key="share-a").click().run()
    assert f"?c=a&share={bench.links['a']}" in at.code[0].value
    later = draw("chat", c="a")
    assert not later.code and "A new link ends the old one" in words(later)
    later.button(key="unshare-a").click().run()
    assert bench.links == {}


def test_copies_are_offered_in_both_forms(draw: Draw, bench: FakeWorkbench) -> None:
    bench.ask("What datasets do we have?", "a")
    at = draw("chat", c="a")
    labels = [b.proto.label for b in at.get("download_button")]  # type: ignore[attr-defined]
    assert labels == ["Markdown", "JSON with hash chain"]


def test_who_has_the_link_reads_and_can_press_nothing(draw: Draw, bench: FakeWorkbench) -> None:
    bench.ask(SENTENCE, "a")
    bench.approve(next(iter(bench.plans)))
    token = bench.share("a")
    bench.calls.clear()
    at = draw("chat", c="a", share=token)
    assert "Shared by local, read-only" in words(at)
    assert SENTENCE in words(at) and "Plan for cier" in " ".join(s.value for s in at.subheader)
    assert [b.label for b in at.button] == ["My own conversations"]
    assert not at.chat_input and not at.text_input and not at.main.get("popover")
    assert bench.calls == []


def test_a_refusal_read_along_has_no_buttons(draw: Draw, bench: FakeWorkbench) -> None:
    bench.ask("train", "a")
    at = draw("chat", c="a", share=bench.share("a"))
    assert "A. Use the dataset cier ($0.02)" in words(at)
    assert [b.label for b in at.button] == ["My own conversations"]


def test_an_ended_link_shows_nothing_and_leads_home(draw: Draw, bench: FakeWorkbench) -> None:
    bench.ask("What datasets do we have?", "a")
    token = bench.share("a")
    bench.stop_sharing("a")
    at = draw("chat", c="a", share=token)
    assert "does not share anything, or no longer" in words(at)
    assert "There are" not in words(at)
    at.button[0].click().run()
    assert "share" not in at.query_params and at.chat_input


def test_the_end_of_a_run_is_told_by_who_looks(draw: Draw, bench: FakeWorkbench) -> None:
    bench.ask(SENTENCE, "a")
    plan_id = next(iter(bench.plans))
    bench.approve(plan_id)
    draw("chat", c="a")
    assert ("tell", "a") not in bench.calls
    bench.finish(plan_id)
    draw("chat", c="a")
    assert ("tell", "a") in bench.calls
    turn = bench.plans[plan_id].turn
    bench.add("a", turn, EventKind.ANSWER, {"text": "It passed.", "plan_id": plan_id})
    bench.calls.clear()
    draw("chat", c="a")
    assert bench.calls == []


def test_ways_out_are_lettered_buttons_in_their_order(draw: Draw, bench: FakeWorkbench) -> None:
    bench.ask(SENTENCE, "a")
    ways = (
        Alternative(
            kind="raise_budget",
            message="Raise the budget",
            cost_usd="12.00",
            minutes=7,
            changes={"budget_usd": "12.00"},
        ),
        Alternative(kind="wait", message="Wait until *tomorrow*"),
        Alternative(kind="retry", message="Ask again"),
    )
    error = RefusedError("budget_too_small", "Too small.", ways)
    turn = bench.plans[next(iter(bench.plans))].turn
    bench.add("a", turn, EventKind.ERROR, error.as_data())
    bench.add("a", turn, EventKind.DONE, {})
    at = draw("chat", c="a")
    labels = [b.label.replace("\\", "") for b in at.button if str(b.key).startswith("way-")]
    assert labels == ["A. Raise the budget ($12.00, about 7 min)", "C. Ask again"]
    assert "B. Wait until *tomorrow*" in words(at)
    at.button(key=f"way-{turn}-0").click().run()
    assert "$12" in bench.calls[-1][1] and bench.calls[-1][0] == "ask"
    assert not [key for key in keys(at) if key.startswith(f"way-{turn}-")]
