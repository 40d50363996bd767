"""What every page shows in the sidebar: money left this month, and what is running now."""

from datetime import UTC, datetime
from typing import Any

import streamlit as st

from app import session
from app.plain import at_least, escape, seconds
from mlops.errors import OpsError
from mlops.excerpts import excerpt
from mlops.job import Job
from mlops.money import parse_usd, show_usd

EVERY_SECONDS = 4.0


def draw(chat: Any) -> None:
    """A part of its own, that looks again every few seconds: other tabs and commands start things too."""
    with st.sidebar:
        st.fragment(_badge, run_every=EVERY_SECONDS)(chat)


def _badge(chat: Any) -> None:
    try:
        costs = session.workbench().costs()
        jobs = [job for job in session.workbench().jobs(20) if not job.state.is_final]
        turns = [s for s in session.workbench().sessions() if s.turn is not None]
    except OpsError as error:
        st.caption(f":material/error: {escape(error.message)}")
        return
    with st.container(border=True, key="badge"):
        limit = parse_usd(costs.limit_usd)
        left = escape(f"{at_least(costs.left_usd)} left")
        st.markdown(f"**{left}** of {escape(f'{show_usd(limit)} in {costs.month}')}")
        used = parse_usd(costs.spent_usd) + parse_usd(costs.reserved_usd)
        share = min(1.0, used / limit) if limit else 1.0
        st.progress(share, text=f"{share:.0%} of the month's limit is taken")
        if costs.sandbox:
            st.caption("Sandbox: metered, not billed")
        for waiting in turns[:3]:
            _link(chat, f"Working: {waiting.title}", waiting.session_id, "forum")
        for job in jobs[:3]:
            _link(chat, _training(job), job.session_id, "model_training")


def _link(chat: Any, label: str, session_id: str, icon: str) -> None:
    shown, query = escape(excerpt(label, 60)), {"c": session_id}
    st.page_link(chat, label=shown, icon=f":material/{icon}:", query_params=query)


def _training(job: Job) -> str:
    now = datetime.now(UTC)
    elapsed = seconds((now - job.created_at).total_seconds())
    return f"Training · {elapsed} · {show_usd(job.cost_so_far_micro(now))} · {job.dataset}"
