"""The chat: one sentence in; what was understood, thoughts, plan, job and report out, as the log grows."""

from dataclasses import dataclass

import streamlit as st

from app import cards, conversations, reading, session
from app.blocks import Message
from app.plain import escape
from app.pulse import is_followed, is_unfinished, is_untold, streaming
from app.transcript import fold
from mlops.constraints import MAX_SENTENCE_CHARS

EVERY_SECONDS = 0.5
IDLE_SECONDS = 4.0
SUGGESTIONS = (
    "Train a Named Entity Recognition model on the ciER dataset. "
    "Budget: $10, Time: 1 hour, F1 score > 85%",
    "What datasets do we have?",
    "What's the cheapest GPU option?",
)


@dataclass(frozen=True)
class Pulse:
    """Whether a turn runs (the input waits), and whether anything may still move."""

    turn: str | None
    moves: bool


def main() -> None:
    invited = session.invitation()
    if invited is not None:
        return reading.draw(*invited)
    current = session.read(session.conversation)
    notice, draft = session.take_notice(), session.take_draft()
    if draft:
        st.session_state["prompt"] = draft
    conversations.draw(current)
    log, messages, pulse = session.read(lambda: _look(current))
    with st.container(horizontal=True, vertical_alignment="center"):
        st.title("Chat", anchor=False)
        if messages:
            conversations.menu(current)
    st.caption(_model())
    if note := session.workbench().model_note():
        st.caption(f":material/warning: {escape(note)}")
    seen, every = len(log.events), EVERY_SECONDS if pulse.moves else None
    st.fragment(_conversation, run_every=every)(current, pulse)
    if not pulse.moves:
        st.fragment(_listen, run_every=IDLE_SECONDS)(current, seen)
    session.show_notice(notice)
    if not messages:
        _suggestions(current)
    prompt = st.chat_input(
        "Ask, or say what to train",
        key="prompt",
        max_chars=MAX_SENTENCE_CHARS,
        disabled=pulse.turn is not None,
    )
    if prompt:
        session.attempt(lambda: session.workbench().ask(prompt, current))
        st.rerun()


def _look(current: str) -> tuple[session.Log, list[Message], Pulse]:
    log = session.tail(current)
    messages = fold(log.events)
    running = session.workbench().running_turn(current)
    turn = running.turn if running else None
    if turn is None and is_untold(log.events):
        turn = session.workbench().tell(current)
    moves = turn is not None or is_unfinished(log.events) or is_followed(messages)
    return log, messages, Pulse(turn, moves)


def _conversation(current: str, before: Pulse) -> None:
    """Everything said so far; a change of the pulse runs the whole page again."""
    log, messages, pulse = session.read(lambda: _look(current))
    if pulse != before:
        session.rerun()
    session.rerun_for_notice()
    for number, message in enumerate(messages, 1):
        cards.message(message, is_last=number == len(messages))
    if pulse.turn is None:
        if is_unfinished(log.events):
            st.caption(":material/sync: The process of this turn ended; it is being taken up.")
        return
    cards.streaming(streaming(session.tail_tokens(log), log.events, pulse.turn))


def _listen(current: str, seen: int) -> None:
    """While nothing moves here: whether another tab, a command or a job's end wrote to the log."""
    log = session.read(lambda: session.tail(current))
    if len(log.events) > seen:
        session.rerun()


def _suggestions(current: str) -> None:
    st.markdown("Say what to train, on what, and what it may cost. For example:")
    for number, text in enumerate(SUGGESTIONS):
        label = escape(text)
        st.button(label, key=f"suggest-{number}", on_click=_ask, args=(text, current))


def _ask(text: str, current: str) -> None:
    session.attempt(lambda: session.workbench().ask(text, current))


def _model() -> str:
    model_id = session.workbench().settings.bedrock_model_id
    if model_id.startswith("local."):
        return f"Offline planner ({model_id}) — not a language model"
    return f"Model: {escape(model_id)}"


main()
