"""Draws one dataset: where it comes from, its labels, its first sentences, and what is wrong with it."""

import pandas as pd
import streamlit as st

from app import session
from app.plain import escape
from mlops.datasets import Dataset, DatasetStatus, PreviewRow

PREVIEW_SENTENCES = 10
_COLOURS = ("blue", "green", "orange", "violet", "red", "yellow")


def draw(dataset: Dataset) -> None:
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"**{escape(dataset.title)}**", width="content")
            _badges(dataset)
        _origin(dataset)
        if dataset.status is not DatasetStatus.PREPARED:
            _prepare_button(dataset)
        _problems(dataset)
        if dataset.labels:
            _labels(dataset)
        if dataset.status is DatasetStatus.PREPARED:
            _preview(dataset)


def _badges(dataset: Dataset) -> None:
    if dataset.synthetic:
        st.badge("Synthetic data", icon=":material/science:", color="violet")
    prepared = dataset.status is DatasetStatus.PREPARED
    st.badge(dataset.status.capitalize(), color="green" if prepared else "orange")


def _origin(dataset: Dataset) -> None:
    facts = (
        ("Source", dataset.source),
        ("License", dataset.license),
        ("Language", dataset.language),
        ("Note", dataset.note),
        ("Raw files", dataset.raw_uri),
        ("Fingerprint", dataset.fingerprint[:16]),
    )
    lines = (f"{label}: {escape(text or 'not stated')}" for label, text in facts)
    st.caption("  \n".join(lines))


def _prepare_button(dataset: Dataset) -> None:
    if dataset.status is DatasetStatus.PREPARING:
        st.info("It is being prepared; look again in a moment.", icon=":material/sync:")
    if st.button("Prepare", key=f"prepare-{dataset.name}", icon=":material/play_arrow:"):
        with st.spinner("Validating and normalising …"):
            session.attempt(lambda: session.workbench().prepare(dataset.name), "Prepared.")
        st.rerun()


def _problems(dataset: Dataset) -> None:
    if not dataset.problems:
        return
    shown = len(dataset.problems)
    st.markdown(f"**Findings** ({shown} of {dataset.problem_count} shown)")
    rows = [
        (p.severity, f"{p.file}:{p.line}" if p.line else p.file, p.message)
        for p in dataset.problems
    ]
    frame = pd.DataFrame(rows, columns=["Severity", "Where", "What"])
    st.dataframe(frame, hide_index=True, alt="Findings of the validation", key="findings")


def _labels(dataset: Dataset) -> None:
    st.markdown("**Entities by type and split**")
    counts = {split: stats.entities for split, stats in dataset.splits.items()}
    frame = pd.DataFrame(counts, index=list(dataset.labels)).fillna(0).astype(int)
    frame.index.name = "Type"
    st.dataframe(frame, alt="Number of entities by type and split", key="labels")


def _preview(dataset: Dataset) -> None:
    rows = session.read(lambda: session.workbench().preview(dataset.name, PREVIEW_SENTENCES))
    st.markdown("**First sentences**")
    for row in rows:
        st.markdown(highlighted(row, dataset.labels))


def highlighted(row: PreviewRow, labels: tuple[str, ...]) -> str:
    """A sentence whose entities are coloured and named; every token is escaped."""
    starts = {span.start: span for span in row.spans}
    parts: list[str] = []
    position = 0
    while position < len(row.tokens):
        span = starts.get(position)
        if span is None:
            parts.append(escape(row.tokens[position]))
            position += 1
            continue
        colour = _COLOURS[labels.index(span.label) % len(_COLOURS) if span.label in labels else 0]
        words = escape(" ".join(row.tokens[span.start : span.end]))
        parts.append(f":{colour}-background[{words} **{escape(span.label)}**]")
        position = span.end
    return " ".join(parts)
