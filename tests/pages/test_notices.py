"""The inbox in the sidebar: unread first seen, a toast only for what is new, words that stay words."""

from collections.abc import Callable

from streamlit.testing.v1 import AppTest

from mlops.errors import FaultError
from mlops.notices import NoticeKind
from tests.fake_workbench import FakeWorkbench

Draw = Callable[..., AppTest]
EVIL = "[x](http://evil.test) **bold** <b>"


def words(at: AppTest) -> str:
    return " ".join(e.value for e in [*at.sidebar.markdown, *at.sidebar.caption])


def test_an_empty_inbox_says_what_will_be_there(draw: Draw) -> None:
    assert "Nothing yet" in words(draw("costs"))


def test_notices_are_shown_and_marked_as_read(draw: Draw, bench: FakeWorkbench) -> None:
    bench.inbox.add(NoticeKind.FINISHED, "Training on cier has finished", "PASS: target", "s1")
    at = draw("costs")
    assert "**Training on cier has finished**" in words(at)
    assert not at.toast
    next(b for b in at.sidebar.button if b.label == "Mark all as read").click().run()
    assert all(stored.read_at for stored in bench.inbox.stored)
    assert "**Training" not in words(at)
    assert all(b.label != "Mark all as read" for b in at.sidebar.button)


def test_a_new_one_pops_up_once(draw: Draw, bench: FakeWorkbench) -> None:
    at = draw("costs")
    bench.inbox.add(NoticeKind.BUDGET, "Your limit is 80 % spent", "$40.00 of $50.00")
    assert [t.value for t in at.run().toast] == ["Your limit is 80 % spent"]
    assert not at.run().toast


def test_words_of_others_stay_words(draw: Draw, bench: FakeWorkbench) -> None:
    bench.inbox.add(NoticeKind.FAILED, f"Failed {EVIL}", f"because {EVIL}\n{EVIL}")
    shown = words(draw("costs"))
    assert "](http" not in shown and "**bold**" not in shown and "<b>" not in shown


def test_a_fault_hides_the_inbox_and_nothing_else(draw: Draw, bench: FakeWorkbench) -> None:
    bench.inbox.failure = FaultError("unreachable", "No.")
    assert draw("costs").title[0].value


def test_opening_a_notice_reads_it_alone_and_goes_there(draw: Draw, bench: FakeWorkbench) -> None:
    bench.inbox.add(NoticeKind.APPROVAL, "A plan waits for your approval", "plan-1", "s1")
    bench.inbox.add(NoticeKind.FINISHED, "Training on cier has finished", "PASS: target", "s2")
    at = draw("costs")
    next(b for b in at.sidebar.button if b.label == "Open").click().run()
    assert [stored.read_at is None for stored in bench.inbox.stored] == [False, True]
