"""Draws a refusal: what is wrong, and the ways out under their letters; a click asks for one as the next turn."""

import streamlit as st

from app import session
from app.blocks import Trouble
from app.plain import escape, prose
from workbench import lines


def draw(block: Trouble, turn: str, can_answer: bool) -> None:
    """A way that is a step of the person's own has a letter and no button.

    The words of the model are left out where they only repeat the message and its ways out.
    """
    with st.container(border=True):
        st.error(prose(block.message), icon=":material/error:")
        if block.alternatives:
            st.markdown("**What you can do**")
        for number, request in enumerate(block.requests):
            label = escape(f"{lines.letter(number)} {lines.of_way(block.alternatives[number])}")
            if can_answer and request is not None:
                key = f"way-{turn}-{number}"
                st.button(label, key=key, on_click=_ask, args=(request,), wrap=True)
            elif can_answer and block.alternatives[number].quota:
                key, wanted = f"quota-{turn}-{number}", block.alternatives[number].quota
                st.button(label, key=key, on_click=_raise_quota, args=(wanted,), wrap=True)
            else:
                st.markdown(label)
    said = block.text.strip()
    if said and not said.startswith(block.message.strip()):
        st.markdown(prose(said))


def _ask(request: str) -> None:
    session.attempt(lambda: session.workbench().ask(request, session.conversation()))


def _raise_quota(wanted: str) -> None:
    """A person's click sends the request to AWS; `wanted` is such as "ml.g5.xlarge spot"."""
    name, _, spot = wanted.partition(" ")
    session.attempt(
        lambda: session.workbench().request_quota(name, bool(spot), None, True),
        lambda made: f"{made.quota}: {made.wanted} wanted. Status: {made.status}.",
    )
