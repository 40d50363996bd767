"""Somebody else's conversation, read along by a link that they shared: live, and without anything to press."""

import streamlit as st

from app import cards, session
from app.plain import escape
from app.pulse import streaming
from app.transcript import fold

EVERY_SECONDS = 1.0


def draw(conversation: str, token: str) -> None:
    """The whole page; the link may be ended by its owner at any time."""
    st.title("Shared conversation", anchor=False)
    st.button("My own conversations", icon=":material/forum:", on_click=_leave)
    shared = session.read(lambda: session.workbench().shared(conversation, token))
    st.badge(
        f"Shared by {escape(shared.person)}, read-only", icon=":material/visibility:", color="blue"
    )
    st.subheader(escape(shared.title) or "Untitled", anchor=False)
    st.fragment(_transcript, run_every=EVERY_SECONDS)(conversation, token)


def _transcript(conversation: str, token: str) -> None:
    log = session.read(lambda: session.tail(conversation, token))
    messages = fold(log.events)
    if not messages:
        st.caption("Nothing has been said here yet; it appears as soon as it is.")
    for number, message in enumerate(messages, 1):
        cards.message(message, is_last=number == len(messages), read_only=True)
    running = session.read(lambda: session.workbench().running_turn(conversation, token))
    if running is not None:
        tokens = session.read(lambda: session.tail_tokens(log))
        cards.streaming(streaming(tokens, log.events, running.turn))


def _leave() -> None:
    own = st.session_state.get("conversation")
    session.open_conversation(own or session.workbench().new_session())
