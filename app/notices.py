"""The inbox in the sidebar of every page: what waits, finished, failed or is nearly spent, and a toast for what is new."""

from typing import Any

import streamlit as st

from app import session
from app.plain import escape
from mlops.errors import OpsError
from mlops.notices import Notice, NoticeKind
from workbench.notices import Stored

EVERY_SECONDS = 4.0
MOST = 15
MOST_TOASTS = 3
_ICONS = {
    NoticeKind.APPROVAL: "approval",
    NoticeKind.FINISHED: "task_alt",
    NoticeKind.FAILED: "error",
    NoticeKind.BUDGET: "payments",
    NoticeKind.TEST: "notifications",
}
_HEARD = "notices-heard"
_OPENED = "notices-opened"


def draw(chat: Any) -> None:
    """Draws the inbox as a fragment, which runs again every few seconds without the page."""
    with st.sidebar:
        st.fragment(_inbox, run_every=EVERY_SECONDS)(chat)


def _inbox(chat: Any) -> None:
    try:
        found = session.workbench().inbox.latest()
    except OpsError:
        return  # the badge above says what is wrong
    unread = [stored.notice for stored in found if stored.read_at is None]
    _toast_new(unread)
    label = f"Inbox · {len(unread)} new" if unread else "Inbox"
    icon = ":material/notifications_unread:" if unread else ":material/notifications:"
    # Under a new key it is drawn anew, and closed: what was opened from it must not stay covered.
    key = f"inbox-{st.session_state.get(_OPENED, 0)}"
    with st.popover(label, icon=icon, width="stretch", key=key):
        if not found:
            st.caption("Nothing yet: plans that wait for you, reports and warnings come here.")
            return
        if unread:
            st.button("Mark all as read", icon=":material/done_all:", on_click=_read_all)
        for number, stored in enumerate(found[:MOST]):
            _draw(chat, stored, number)


def _draw(chat: Any, stored: Stored, number: int) -> None:
    notice = stored.notice
    with st.container(border=True, key=f"notice-{number}", gap="xsmall"):
        title = escape(notice.title)
        mark = title if stored.read_at else f"**{title}**"
        st.markdown(f":material/{_ICONS[notice.kind]}: {mark}")
        st.caption("  \n".join(escape(line) for line in notice.text.split("\n")))
        sent = ", ".join(f"{channel} {how}" for channel, how in stored.deliveries.items())
        st.caption(escape(f"{notice.at:%Y-%m-%d %H:%M} UTC{' · ' + sent if sent else ''}"))
        if notice.session_id and st.button(
            "Open", key=f"open-{number}", icon=":material/arrow_forward:", type="tertiary"
        ):
            session.attempt(lambda: session.workbench().inbox.mark_read(notice))
            st.session_state[_OPENED] = st.session_state.get(_OPENED, 0) + 1
            st.switch_page(chat, query_params={"c": notice.session_id})


def _toast_new(unread: list[Notice]) -> None:
    """What came while this tab was open; what waited before it is in the inbox only."""
    ids = {notice.notice_id for notice in unread}
    heard: set[str] | None = st.session_state.get(_HEARD)
    st.session_state[_HEARD] = ids | (heard or set())
    if heard is None:
        return
    new = [notice for notice in unread if notice.notice_id not in heard]
    for notice in new[:MOST_TOASTS]:
        st.toast(escape(notice.title), icon=f":material/{_ICONS[notice.kind]}:")


def _read_all() -> None:
    session.attempt(lambda: session.workbench().inbox.mark_all_read())
