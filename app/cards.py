"""Draws the blocks of a message, one function each; what others wrote is escaped or plain text."""

import json

import pandas as pd
import streamlit as st

from app import job_card, plan_card, report_card, session, trouble
from app.blocks import (
    Block,
    Clauses,
    JobCard,
    Message,
    PlanCard,
    ReportCard,
    Step,
    Thinking,
    Trouble,
    Words,
)
from app.plain import escape, prose
from app.wording import clause_rows, progress

MAX_SHOWN_CHARACTERS = 4000
_THOUGHT = ":material/psychology:"
_ICONS = {None: ":material/pending:", True: ":material/check_circle:", False: ":material/error:"}
_FAILED = " (failed)"


def message(drawn: Message, is_last: bool) -> None:
    """One bubble; the last one keeps its thoughts open while nothing follows them."""
    with st.chat_message(drawn.role):
        if drawn.step is not None:
            share, words = progress(drawn.step)
            st.progress(share, text=words)
        for number, block in enumerate(drawn.blocks):
            newest = is_last and number == len(drawn.blocks) - 1
            _block(block, drawn, newest)


def _block(block: Block, drawn: Message, newest: bool) -> None:
    match block:
        case Words():
            _words(block, drawn.role)
        case Clauses():
            _clauses(block, drawn.turn)
        case Thinking():
            _thinking(block, newest)
        case PlanCard():
            plan_card.draw(block)
        case JobCard():
            job_card.draw(block.job)
        case ReportCard():
            report_card.draw(block.report)
        case Trouble():
            _trouble(block, drawn.turn, newest)


def _words(block: Words, role: str) -> None:
    if role == "user":
        st.text(block.text)
    else:
        st.markdown(prose(block.text))


def _trouble(block: Trouble, turn: str, newest: bool) -> None:
    """The words of the model are left out where they only repeat the message and its ways out.

    A way that changes the request is one click away, as long as nothing else was said.
    """
    trouble.draw(block.message, block.alternatives)
    for number, (way, request) in enumerate(zip(block.alternatives, block.requests, strict=False)):
        if newest and request is not None:
            key = f"way-{turn}-{number}"
            label = f"Ask again: {escape(way.message)}"
            st.button(label, key=key, on_click=_ask, args=(request,), icon=":material/redo:")
    said = block.text.strip()
    if said and not said.startswith(block.message.strip()):
        st.markdown(prose(said))


def _clauses(block: Clauses, turn: str) -> None:
    rows = clause_rows(block.parsed)
    with st.container(border=True):
        st.markdown("**What I understood**")
        if rows:
            cells = [[escape(cell) for cell in row] for row in rows]
            frame = pd.DataFrame(cells, columns=["Clause", "Understood", "Your words"])
            st.table(frame, border="horizontal", hide_index=True, alt="Clauses of the request")
        for problem in block.parsed.problems:
            st.warning(escape(problem.message), icon=":material/help:")
        if block.said:
            said, key = block.said, f"change-{turn}"
            st.button("Change …", key=key, on_click=_edit, args=(said,), icon=":material/edit:")


def _ask(request: str) -> None:
    session.attempt(lambda: session.workbench().ask(request, session.conversation()))


def _edit(said: str) -> None:
    """The sentence goes back into the input, to be corrected and sent again."""
    session.set_draft(said)


def _thinking(block: Thinking, newest: bool) -> None:
    calls = sum(step.tool is not None for step in block.steps)
    tools = f", {calls} tool call{'s' if calls != 1 else ''}" if calls else ""
    count = len(block.steps)
    label = f"Thought in {count} step{'s' if count != 1 else ''}{tools}"
    with st.expander(label, expanded=newest, type="compact"):
        for step in block.steps:
            _step(step)


def _step(step: Step) -> None:
    """Expanders, as `st.status` sleeps 50 ms for each one that is drawn complete."""
    if step.tool is None:
        first, _, _ = step.text.partition("\n")
        shown = first if len(first) <= 90 else f"{first[:90]}…"
        st.expander(escape(shown) or "Thought", type="compact", icon=_THOUGHT).text(step.text)
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
