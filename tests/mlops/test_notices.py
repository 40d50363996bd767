"""What is worth a notice, and that the words of others stay words in it."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops.events import Event, EventKind, Head, chain
from mlops.ledger import Totals
from mlops.notices import NoticeKind, of_budget, of_event, plain_message, reached, slack_message
from tests.factories import NOW

EVIL = "<!channel> <http://evil.test|click> & *bold*\x1b[2J\u202e"


def event(kind: EventKind, **data: Any) -> Event:
    return Event(session="s1", seq=7, turn="t", kind=kind, at=NOW, data=data)


def report(**changes: Any) -> Event:
    verdict = {"verdict": "FAIL", "clause": "target", "wanted": "f1 > 0.9", "measured": "f1 0.8"}
    facts = {"plan_id": "p", "dataset": "cier", "verdicts": [verdict], "total_cost_usd": "0.10"}
    return event(EventKind.REPORT, **(facts | changes))


@pytest.mark.parametrize(
    ("seen", "kind"),
    [
        (event(EventKind.APPROVAL, plan_id="p", status="waiting", ceiling_usd="1"), "approval"),
        (event(EventKind.APPROVAL, plan_id="p", status="approved", ceiling_usd="1"), None),
        (report(), "finished"),
        (event(EventKind.ERROR, plan_id="p", message="It failed."), "failed"),
        (event(EventKind.ERROR, message="Which dataset?"), None),
        (event(EventKind.ANSWER, text="Hello"), None),
    ],
)
def test_what_is_worth_a_notice(seen: Event, kind: str | None):
    notice = of_event(seen, "ada")
    assert (notice and str(notice.kind)) == kind
    if notice:
        assert notice.inbox == "inbox#person#ada"
        assert notice.notice_id.endswith("#s1#7")


def test_a_report_says_its_verdicts_and_labels():
    notice = of_event(report(sandbox=True, synthetic=True), "ada")
    assert notice is not None
    assert "FAIL: target wanted f1 > 0.9, measured f1 0.8" in notice.text
    assert "Sandbox" in notice.text and "synthetic" in notice.text


@pytest.mark.parametrize("kind", [EventKind.REPORT, EventKind.ERROR])
def test_the_end_of_a_run_carries_the_seal_of_the_log(kind: EventKind):
    ended = report() if kind is EventKind.REPORT else event(kind, plan_id="p", message="x" * 2000)
    sealed = chain(Head(), ended)
    notice = of_event(sealed, "ada")
    assert notice is not None and len(notice.text) <= 1_500
    assert notice.text.endswith(f"up to event 1: {sealed.hash}")


def test_words_of_others_are_escaped_and_cut():
    seen = event(EventKind.ERROR, plan_id="p", message=EVIL * 500)
    notice = of_event(seen, "ada")
    assert notice is not None
    assert len(notice.text) <= 1_500
    assert "\x1b" not in notice.text and "\u202e" not in notice.text
    body = slack_message(notice)
    assert "<" not in str(body) and "&lt;!channel&gt;" in body["text"]
    texts = [block.get("text") or block["elements"][0] for block in body["blocks"]]
    assert all(text["type"] == "plain_text" and len(text["text"]) <= 3_000 for text in texts)


@given(st.text(), st.text())
def test_any_words_fit_every_channel(dataset: str, message: str):
    for seen in (
        report(dataset=dataset or "x"),
        event(EventKind.ERROR, plan_id="p", message=message),
    ):
        notice = of_event(seen, "ada")
        assert notice is not None
        subject, _ = plain_message(notice)
        assert 0 < len(subject) <= 100 and subject.isascii() and subject.isprintable()
        assert len(slack_message(notice)["blocks"][0]["text"]["text"]) <= 150


@pytest.mark.parametrize(
    ("spent", "share"), [(0, None), (79, None), (80, 80), (99, 80), (100, 100), (130, 100)]
)
def test_thresholds(spent: int, share: int | None):
    assert reached(Totals(scope="s", limit_micro=100, spent_micro=spent)) == share
    assert reached(Totals(scope="s", limit_micro=100, reserved_micro=100)) is None
    assert reached(Totals(scope="s", limit_micro=0, spent_micro=5)) is None


@pytest.mark.parametrize(
    ("scope", "inbox", "words"),
    [
        ("person#ada#2026-11", "inbox#person#ada", "Your limit for 2026-11"),
        ("team#ml#ops#2026-11", "inbox#team#ml#ops", "The limit of team ml#ops for 2026-11"),
    ],
)
def test_whose_budget_it_is(scope: str, inbox: str, words: str):
    totals = Totals(scope=scope, limit_micro=50_000_000, spent_micro=40_000_000)
    notice = of_budget(totals, 80, NOW)
    assert notice.inbox == inbox
    assert notice.kind is NoticeKind.BUDGET
    assert notice.title == f"{words} is 80 % spent"
    assert "$40.00 of $50.00" in notice.text and "$10.00 are left" in notice.text
