"""The sidebar of the chat: my conversations, newest first, and a new one."""

import streamlit as st

from app import session
from app.plain import escape

MOST = 15
MAX_TITLE_CHARACTERS = 40


def draw(current: str) -> None:
    with st.sidebar:
        if st.button("New conversation", icon=":material/add:", width="stretch"):
            session.open_conversation(session.workbench().new_session())
            st.rerun()
        for known in session.read(session.workbench().sessions)[:MOST]:
            st.button(
                escape(_short(known.title)) or "Untitled",
                key=f"open-{known.session_id}",
                on_click=session.open_conversation,
                args=(known.session_id,),
                type="secondary" if known.session_id == current else "tertiary",
                width="stretch",
            )


def _short(title: str) -> str:
    return title if len(title) <= MAX_TITLE_CHARACTERS else f"{title[:MAX_TITLE_CHARACTERS]}…"
