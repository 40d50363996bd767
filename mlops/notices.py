"""Which events a person is told of outside the conversation, in what words; and the same words for Slack.

Text of datasets, models and jobs in them is data: cut, on its own lines, and escaped where it is sent.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from html import escape
from typing import Any

from pydantic import BaseModel, ConfigDict

from mlops.events import Event, EventKind
from mlops.ledger import Totals
from mlops.money import show_usd
from mlops.report import clause_name, labels

THRESHOLDS = (100, 80)
"""Per cent of a month's limit that a person is told of, each once; the highest comes first."""

_MAX_TITLE_CHARACTERS = 100
_MAX_TEXT_CHARACTERS = 1_500
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


class NoticeKind(StrEnum):
    APPROVAL = "approval"
    FINISHED = "finished"
    FAILED = "failed"
    BUDGET = "budget"
    TEST = "test"


class Notice(BaseModel):
    """One thing to know. `inbox` is whose it is; ids sort by time, and one event has one id."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    inbox: str
    notice_id: str
    kind: NoticeKind
    at: datetime
    title: str
    text: str
    session_id: str | None = None
    plan_id: str | None = None


def person_inbox(person: str) -> str:
    return f"inbox#person#{person}"


def team_inbox(team: str) -> str:
    return f"inbox#team#{team}"


def of_event(event: Event, person: str) -> Notice | None:
    """A plan that waits, a report, or the end of a run without one; None for all else."""
    told = _told(event)
    if told is None:
        return None
    kind, title, text = told
    plan_id = event.data.get("plan_id")
    return Notice(
        inbox=person_inbox(person),
        notice_id=f"{event.at.isoformat()}#{event.session}#{event.seq}",
        kind=kind,
        at=event.at,
        title=_line(title, _MAX_TITLE_CHARACTERS),
        text=_sealed(text, kind, event),
        session_id=event.session,
        plan_id=str(plan_id) if plan_id else None,
    )


def reached(totals: Totals) -> int | None:
    """The highest threshold that what is spent has reached; reservations may still be given back."""
    if totals.limit_micro <= 0:
        return None
    share = totals.spent_micro * 100
    return next((t for t in THRESHOLDS if share >= t * totals.limit_micro), None)


def of_budget(totals: Totals, share: int, now: datetime) -> Notice:
    """A month's limit (scope "person#ada#2026-11") of which `share` per cent are spent."""
    whose, name, month = totals.scope.split("#", 2)[0], *_name_and_month(totals.scope)
    limit = "Your limit" if whose == "person" else f"The limit of team {name}"
    spent = f"{show_usd(totals.spent_micro)} of {show_usd(totals.limit_micro)}"
    more = (
        "Nothing more can start." if share >= 100 else f"{show_usd(totals.left_micro)} are left."
    )
    return Notice(
        inbox=person_inbox(name) if whose == "person" else team_inbox(name),
        notice_id=f"{now.isoformat()}#{totals.scope}#{share}",
        kind=NoticeKind.BUDGET,
        at=now,
        title=_line(f"{limit} for {month} is {share} % spent", _MAX_TITLE_CHARACTERS),
        text=_cut(f"{spent} are spent. {more}", _MAX_TEXT_CHARACTERS),
    )


def slack_message(notice: Notice) -> dict[str, Any]:
    """Plain-text blocks: no markup, mention or link of others is made of the words in them."""
    title, text = escape(notice.title, quote=False), escape(notice.text, quote=False)
    about = " · ".join(p for p in (notice.kind, notice.session_id, notice.plan_id) if p)
    return {
        "text": f"{title}\n{text}",
        "mrkdwn": False,
        "unfurl_links": False,
        "blocks": [
            {"type": "header", "text": _plain(title[:150])},
            {"type": "section", "text": _plain(text[:3_000])},
            {"type": "context", "elements": [_plain(escape(about, quote=False)[:300])]},
        ],
    }


def plain_message(notice: Notice) -> tuple[str, str]:
    """Subject (printable ASCII, as SNS wants it) and text."""
    subject = notice.title.encode("ascii", "replace").decode()
    about = [f"Conversation: {notice.session_id}"] if notice.session_id else []
    return subject[:_MAX_TITLE_CHARACTERS], "\n".join([notice.title, notice.text, *about])


def _told(event: Event) -> tuple[NoticeKind, str, str] | None:
    data = event.data
    if event.kind is EventKind.APPROVAL and data.get("status") == "waiting":
        text = (
            f"{data['plan_id']} can cost up to ${data['ceiling_usd']}. "
            f"Approve or decline it in the conversation, or: llmops approve {data['plan_id']}"
        )
        return NoticeKind.APPROVAL, "A plan waits for your approval", text
    if event.kind is EventKind.REPORT:
        return NoticeKind.FINISHED, f"Training on {data['dataset']} has finished", _report(data)
    if event.kind is EventKind.ERROR and data.get("plan_id"):
        return NoticeKind.FAILED, "A training run ended without a model", str(data["message"])
    return None


def _report(data: Mapping[str, Any]) -> str:
    verdicts = (
        f"{v['verdict']}: {clause_name(v['clause'])} wanted {v['wanted']}, "
        f"measured {v['measured']}"
        for v in data["verdicts"]
    )
    said = labels(bool(data.get("sandbox")), bool(data.get("synthetic")))
    return "\n".join([*verdicts, f"It cost ${data['total_cost_usd']}.", *said])


def _sealed(text: str, kind: NoticeKind, event: Event) -> str:
    """The end of a run carries the seal of the log up to it: a copy out of reach of whoever could
    rewrite the log."""
    if kind is NoticeKind.APPROVAL:
        return _cut(text, _MAX_TEXT_CHARACTERS)
    seal = f"\nSeal of the decision log up to event {event.seq}: {event.hash}"
    return _cut(text, _MAX_TEXT_CHARACTERS - len(seal)) + seal


def _name_and_month(scope: str) -> tuple[str, str]:
    """A name may hold a "#" itself."""
    name, _, month = scope.partition("#")[2].rpartition("#")
    return name, month


def _line(text: str, limit: int) -> str:
    return _cut(" ".join(text.split()), limit)


def _cut(text: str, limit: int) -> str:
    clean = _CONTROL.sub(" ", text.encode("utf-8", "replace").decode())
    return clean if len(clean) <= limit else f"{clean[: limit - 1]}…"


def _plain(text: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": text, "emoji": False}
