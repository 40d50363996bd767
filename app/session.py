"""What a browser tab knows: the workbench, its conversation, the tail of the log. All of it is only a cache."""

import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import NoReturn, TypeVar

import streamlit as st

from app import trouble
from app.plain import escape
from mlops.errors import OpsError
from mlops.events import Event
from workbench import Workbench, connect

_ID = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_T = TypeVar("_T")


@dataclass
class Log:
    """Events and streamed text of one conversation, as far as this tab has read them."""

    conversation: str
    token: str | None = None
    events: list[Event] = field(default_factory=list[Event])
    tokens: list[Event] = field(default_factory=list[Event])


@st.cache_resource(show_spinner=False)
def workbench() -> Workbench:
    """One per process; the first call may have to start the back end."""
    return connect()


def forget_workbench() -> None:
    """The next one who needs a workbench connects anew."""
    with suppress(OpsError):
        workbench().close()
    workbench.clear()


def read(call: Callable[[], _T]) -> _T:
    """What a call gives; when it fails, its error is drawn and the page ends there."""
    try:
        return call()
    except OpsError as error:
        trouble.draw(error.message, error.alternatives)
        st.stop()


def attempt(call: Callable[[], _T], done: str | Callable[[_T], str] = "") -> bool:
    """An action of a person; how it went waits for `show_notice` on the next run."""
    try:
        given = call()
    except OpsError as error:
        st.session_state["notice"] = error
        return False
    if done:
        st.session_state["notice"] = done if isinstance(done, str) else done(given)
    return True


def take_notice() -> OpsError | str | None:
    """What the last action said, once; `rerun` repeats it."""
    st.session_state["taken"] = st.session_state.pop("notice", None)
    return st.session_state["taken"]


def show_notice(notice: OpsError | str | None) -> None:
    if isinstance(notice, OpsError):
        trouble.draw(notice.message, notice.alternatives)
    elif notice:
        st.toast(escape(notice), icon=":material/check:", duration="long")
        st.session_state["taken"] = None  # it outlives this run by itself


def rerun() -> NoReturn:
    """A run of the whole page that no person asked for: what was refused to them stays written."""
    taken = st.session_state.get("taken")
    if taken is not None:
        st.session_state.setdefault("notice", taken)
    st.rerun()


def set_draft(text: str) -> None:
    """Words for the input of the chat, to be corrected and sent by the person."""
    st.session_state["draft"] = text


def take_draft() -> str | None:
    return st.session_state.pop("draft", None)


def rerun_for_notice() -> None:
    """From a part of a page: notices and drafts are taken before it, and drawn by the whole page."""
    if "notice" in st.session_state or "draft" in st.session_state:
        st.rerun()


def conversation() -> str:
    """The id from the address or this tab, else a new one; kept in both, as navigation drops it."""
    wanted = str(st.query_params.get("c") or st.session_state.get("conversation") or "")
    if not _ID.fullmatch(wanted):
        wanted = workbench().new_session()
    open_conversation(wanted)
    return wanted


def open_conversation(session_id: str) -> None:
    """One of the person's own."""
    st.session_state["conversation"] = session_id
    st.query_params["c"] = session_id
    st.query_params.pop("share", None)


def invitation() -> tuple[str, str] | None:
    """Conversation and token of an address that lets its reader read along."""
    token = str(st.query_params.get("share") or "")
    return (str(st.query_params.get("c") or ""), token) if token else None


def tail(session_id: str, token: str | None = None) -> Log:
    """The log so far: only what is new is read."""
    log = st.session_state.get("log")
    if not isinstance(log, Log) or (log.conversation, log.token) != (session_id, token):
        log = st.session_state["log"] = Log(session_id, token)
    log.events += workbench().events(session_id, _last(log.events), token)
    return log


def tail_tokens(log: Log) -> list[Event]:
    """Text that streamed in since the last look, added to the log."""
    log.tokens += workbench().tokens(log.conversation, _last(log.tokens), log.token)
    return log.tokens


def _last(events: list[Event]) -> int:
    return events[-1].seq if events else 0
