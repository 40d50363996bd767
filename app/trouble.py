"""Draws an error: what is wrong, and the ways out with their prices."""

from collections.abc import Sequence

import streamlit as st

from app.plain import prose
from mlops.errors import Alternative


def draw(text: str, alternatives: Sequence[Alternative] = ()) -> None:
    with st.container(border=True):
        st.error(prose(text), icon=":material/error:")
        if alternatives:
            st.markdown("**What you can do**")
            st.markdown(prose("\n".join(f"- {_way_out(a)}" for a in alternatives)))


def _way_out(alternative: Alternative) -> str:
    cost = alternative.cost_usd
    price = f" · ${cost}" if cost is not None else ""
    return f"{' '.join(alternative.message.split())}{price}"
