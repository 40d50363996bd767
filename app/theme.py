"""The one place that knows how figures and tables are put on a page: the viewer's theme, a key, words."""

from collections.abc import Sequence

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from workbench import figures

MOST_ROWS = 60


def mode() -> figures.Theme:
    """What the viewer sees now; light before the browser has said."""
    return "dark" if st.context.theme.type == "dark" else "light"


def chart(figure: go.Figure, key: str) -> None:
    """The figure in its own colours, with its words for those who do not see it."""
    words = figures.alt_text(figure)
    st.plotly_chart(figure, key=key, theme=None, config=figures.CONFIG, alt=words)


def table(
    frame: pd.DataFrame,
    key: str,
    words: str,
    order: Sequence[str] = (),
    wide: Sequence[str] = (),
    absent: str = "–",
) -> None:
    """A frame as people read it: short dates, exact dollars, `absent` where there is nothing."""
    formats = {
        name: st.column_config.DatetimeColumn(format="YYYY-MM-DD HH:mm", timezone="UTC")
        for name in frame.select_dtypes("datetimetz").columns
    } | {
        str(name): st.column_config.NumberColumn(format="%.6f")
        for name in frame.select_dtypes("Float64").columns
        if str(name).endswith("USD")
    }
    formats |= {name: st.column_config.Column(width=120) for name in wide}
    st.dataframe(
        frame,
        key=key,
        alt=words,
        hide_index=True,
        column_order=order or None,
        column_config=formats,
        placeholder=absent,
        height="content" if len(frame) <= MOST_ROWS else 800,
    )
