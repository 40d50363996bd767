"""Draws an error: what is wrong, and the ways out with their prices."""

from collections.abc import Sequence

import streamlit as st

from app.plain import prose
from mlops.errors import Alternative
from workbench import lines


def draw(text: str, alternatives: Sequence[Alternative] = ()) -> None:
    with st.container(border=True):
        st.error(prose(text), icon=":material/error:")
        if alternatives:
            st.markdown("**What you can do**")
            st.markdown(prose("\n".join(f"- {lines.of_way(way)}" for way in alternatives)))
