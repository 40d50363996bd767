"""My conversations: the list in the sidebar with its search, and what can be done with the open one."""

import streamlit as st

from app import session
from app.plain import escape
from mlops.excerpts import excerpt

MOST = 15
SHOWN_CHARACTERS = 60
_SEARCH = "search-titles"


def draw(current: str) -> None:
    """The list; searching shows itself as soon as there is something to search."""
    with st.sidebar:
        if st.button("New conversation", icon=":material/add:", width="stretch"):
            session.open_conversation(session.workbench().new_session())
            st.rerun()
        _list(current, str(st.session_state.get(_SEARCH) or ""))


def menu(current: str) -> None:
    """Rename, share and keep the open conversation; it has to have begun."""
    known = session.read(lambda: session.workbench().session(current))
    with st.popover("Conversation", icon=":material/more_horiz:"):
        with st.form(f"rename-{current}", border=False):
            title = st.text_input("Title", known.title, max_chars=80, key=f"title-{current}")
            if st.form_submit_button("Rename"):
                session.attempt(
                    lambda: session.workbench().rename(current, title), "It has another title."
                )
                st.rerun()
        _sharing(current, known.is_shared)
        st.markdown("**Keep a copy**")
        with st.container(horizontal=True):
            _download(current, "md", "Markdown", "text/markdown")
            _download(current, "jsonl", "JSON with hash chain", "application/x-ndjson")


def _list(current: str, search: str) -> None:
    found = session.read(lambda: session.workbench().sessions(search))
    if found or search:
        st.text_input("Search by title", key=_SEARCH, icon=":material/search:")
    if search and not found:
        st.caption("No title has these words.")
        st.button("Show all", on_click=_clear_search, width="stretch")
    elif not found:
        st.caption("Your conversations will be listed here. Ask something to begin the first.")
    for known in found[:MOST]:
        st.button(
            escape(excerpt(known.title, SHOWN_CHARACTERS)) or "Untitled",
            key=f"open-{known.session_id}",
            on_click=session.open_conversation,
            args=(known.session_id,),
            type="secondary" if known.session_id == current else "tertiary",
            icon=":material/group:" if known.is_shared else None,
            width="stretch",
        )
    if len(found) > MOST:
        st.caption(f"The latest {MOST}; the search looks at all.")


def _clear_search() -> None:
    st.session_state[_SEARCH] = ""


def _sharing(current: str, is_shared: bool) -> None:
    """A link is shown when it is made and not again, as only its hash is stored."""
    st.markdown("**Share, read-only**")
    link = st.session_state.get(f"link-{current}") if is_shared else None
    if link:
        st.caption("Whoever has this link reads along. Copy it now: it is not shown again.")
        st.code(link, language=None, wrap_lines=True)
    elif is_shared:
        st.caption("Whoever has the link reads along. A new link ends the old one.")
    with st.container(horizontal=True):
        label = "New link" if is_shared else "Make a link"
        st.button(label, key=f"share-{current}", on_click=_share, args=(current,))
        if is_shared:
            st.button(
                "Stop sharing", key=f"unshare-{current}", on_click=_stop_sharing, args=(current,)
            )


def _share(current: str) -> None:
    def make() -> None:
        token = session.workbench().share(current)
        address = str(st.context.url or "").partition("?")[0]
        st.session_state[f"link-{current}"] = f"{address}?c={current}&share={token}"

    session.attempt(make)


def _stop_sharing(current: str) -> None:
    session.attempt(
        lambda: session.workbench().stop_sharing(current), "The link shows nothing any more."
    )


def _download(current: str, ending: str, label: str, mime: str) -> None:
    """Made when it is asked for: a long conversation is not read at each run of the page."""

    def content() -> str:
        bench = session.workbench()
        if ending == "md":
            return bench.transcript(current).as_markdown()
        return bench.decision_log.export(current)

    st.download_button(
        label,
        content,
        file_name=f"{current}.{ending}",
        mime=mime,
        key=f"export-{ending}-{current}",
        on_click="ignore",
        icon=":material/download:",
    )
