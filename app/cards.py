"""Draws the blocks of a message, one function each; what others wrote is escaped or plain text."""

import json

import pandas as pd
import streamlit as st

from app import blocks, job_card, plan_card, report_card, session, ways
from app.plain import escape, prose
from app.wording import clause_rows, progress
from mlops.excerpts import excerpt

MAX_SHOWN_CHARACTERS = 4000
_THOUGHT = ":material/psychology:"
_ICONS = {None: ":material/pending:", True: ":material/check_circle:", False: ":material/error:"}
_FAILED = " (failed)"


def message(drawn: blocks.Message, is_last: bool, read_only: bool = False) -> None:
    """One bubble; the last one keeps its thoughts open while nothing follows them.

    Whoever only reads along gets no buttons, and jobs as the log records them.
    """
    with st.chat_message(drawn.role):
        if drawn.step is not None:
            share, words = progress(drawn.step)
            st.progress(share, text=words)
        for number, block in enumerate(drawn.blocks):
            newest = is_last and number == len(drawn.blocks) - 1
            _block(block, drawn, newest, read_only)


def streaming(said: str) -> None:
    """What a running turn has said so far."""
    with st.chat_message("assistant"):
        st.text(said) if said else st.markdown(":shimmer[Working …]")


def _block(block: blocks.Block, drawn: blocks.Message, newest: bool, read_only: bool) -> None:
    match block:
        case blocks.Words():
            _words(block, drawn.role)
        case blocks.Clauses():
            _clauses(block, drawn.turn, read_only)
        case blocks.Thinking():
            _thinking(block, newest)
        case blocks.PlanCard():
            plan_card.draw(block, read_only)
        case blocks.JobCard():
            job_card.recorded(block.job) if read_only else job_card.draw(block.job)
        case blocks.ReportCard():
            report_card.draw(block.report)
        case blocks.Trouble():
            ways.draw(block, drawn.turn, newest and not read_only)


def _words(block: blocks.Words, role: str) -> None:
    if role == "user":
        st.text(block.text)
    else:
        st.markdown(prose(block.text))


def _clauses(block: blocks.Clauses, turn: str, read_only: bool) -> None:
    rows = clause_rows(block.parsed)
    with st.container(border=True):
        st.markdown("**What I understood**")
        if rows:
            cells = [[escape(cell) for cell in row] for row in rows]
            frame = pd.DataFrame(cells, columns=["Clause", "Understood", "Your words"])
            st.table(frame, border="horizontal", hide_index=True, alt="Clauses of the request")
        for problem in block.parsed.problems:
            st.warning(escape(problem.message), icon=":material/help:")
        if block.said and not read_only:
            said, key = block.said, f"change-{turn}"
            st.button("Change …", key=key, on_click=_edit, args=(said,), icon=":material/edit:")


def _edit(said: str) -> None:
    """The sentence goes back into the input, to be corrected and sent again."""
    session.set_draft(said)


def _thinking(block: blocks.Thinking, newest: bool) -> None:
    calls = sum(step.tool is not None for step in block.steps)
    tools = f", {calls} tool call{'s' if calls != 1 else ''}" if calls else ""
    count = len(block.steps)
    label = f"Thought in {count} step{'s' if count != 1 else ''}{tools}"
    with st.expander(label, expanded=newest, type="compact"):
        for step in block.steps:
            _step(step)


def _step(step: blocks.Step) -> None:
    """Expanders, as `st.status` sleeps 50 ms for each one that is drawn complete."""
    if step.tool is None:
        first, _, _ = step.text.partition("\n")
        st.expander(escape(excerpt(first, 90)) or "Thought", type="compact", icon=_THOUGHT).text(
            step.text
        )
        return
    label = f"{escape(step.tool)}{_FAILED if step.ok is False else ''}"
    with st.expander(label, type="compact", icon=_ICONS[step.ok]):
        st.caption("Arguments")
        st.code(_json(step.arguments), language="json", wrap_lines=True)
        if step.outcome is not None:
            st.caption("Result" if step.ok else "Error")
            st.code(_json(step.outcome), language="json", wrap_lines=True, height=240)


def _json(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False, indent=1)
    if len(text) <= MAX_SHOWN_CHARACTERS:
        return text
    return f"{text[:MAX_SHOWN_CHARACTERS]}\n… {len(text) - MAX_SHOWN_CHARACTERS} more characters"
