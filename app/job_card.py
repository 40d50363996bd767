"""Draws one job: state, time and cost against what was reserved, its curves, and the stop button."""

from datetime import UTC, datetime

import streamlit as st

from app import session
from app.plain import escape, seconds, usd
from app.plan_card import labels
from app.theme import chart, mode
from app.wording import job_state, what_runs
from mlops.job import Job
from mlops.metrics import MetricPoint
from mlops.money import parse_usd, show_usd
from workbench import figures

FEWEST_POINTS = 2
Curves = dict[str, list[MetricPoint]]


def draw(recorded: Job) -> None:
    """The log records ends alone: a job that may still run is looked at now."""
    job = recorded
    if not recorded.state.is_final:
        job = session.read(lambda: seen_now(recorded.job_name))
    with st.container(border=True):
        _head(job)
        now = datetime.now(UTC)
        curves = session.read(lambda: _points(job.job_name, job.state.is_final))
        _figures(job, now)
        _bars(job, curves, now)
        _charts(job, curves)
        if job.failure_reason:
            st.error(escape(job.failure_reason), icon=":material/error:")
        if not job.state.is_final:
            stop_button(job)


def recorded(job: Job) -> None:
    """As the log has it: somebody else's job is not looked at, and not stopped."""
    with st.container(border=True):
        _head(job)
        if job.state.is_final:
            _figures(job, datetime.now(UTC))
        else:
            st.caption("It runs; its end and its figures appear here.")
        if job.failure_reason:
            st.error(escape(job.failure_reason), icon=":material/error:")


def stop_button(job: Job) -> None:
    """Asks once more before it stops."""
    with st.popover("Stop …", icon=":material/stop_circle:"):
        st.markdown("Stop this job? What it used until now is charged; there may be no model.")
        st.button(
            "Stop the job",
            key=f"stop-{job.job_name}",
            type="primary",
            on_click=_stop,
            args=(job.job_name,),
        )


@st.cache_data(ttl=0.9, max_entries=200, show_spinner=False)
def seen_now(job_name: str) -> Job:
    """As SageMaker sees it, asked at most about once a second."""
    return session.workbench().job(job_name)


def _head(job: Job) -> None:
    words, colour = job_state(job)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.subheader("Training job", anchor=False, width="content")
        st.badge(words, color=colour)
        labels(job.synthetic, job.sandbox)
    st.markdown(f"`{job.job_name}`")
    st.caption(escape(f"Stage {job.stage}, {what_runs(job)}"))


def _stop(job_name: str) -> None:
    session.attempt(lambda: session.workbench().stop(job_name), "The job is being stopped.")


def _figures(job: Job, now: datetime) -> None:
    end = job.ended_at or now
    final = job.state.is_final
    with st.container(horizontal=True):
        st.metric("Elapsed", seconds((end - job.created_at).total_seconds()), width="content")
        cost = show_usd(job.cost_so_far_micro(now))
        st.metric("Cost" if final else "Cost so far", cost, width="content")
        st.metric("At most", usd(job.ceiling_usd), width="content")
        for name, label in (("test_f1", "Test F1"), ("eval_f1", "Validation F1")):
            if name in job.metrics:
                st.metric(label, f"{job.metrics[name]:.4f}", width="content")


def _bars(job: Job, curves: Curves, now: datetime) -> None:
    """Work done, and money used of what was reserved."""
    done = curves.get("progress")
    if done and not job.state.is_final:
        share = min(1.0, max(0.0, done[-1].value))
        st.progress(share, text=f"Stage {job.stage}: {share:.0%} of the training")
    spent, ceiling = job.cost_so_far_micro(now), parse_usd(job.ceiling_usd)
    share = min(1.0, spent / ceiling) if ceiling else 0.0
    st.progress(share, text=f"Stage {job.stage}: {share:.0%} of the reserved sum")


def _charts(job: Job, curves: Curves) -> None:
    if max((len(found) for found in curves.values()), default=0) < FEWEST_POINTS:
        if not job.state.is_final:
            st.caption("The curves appear with the first lines that the job prints.")
        return
    loss, scores = st.columns(2)
    with loss:
        chart(figures.loss_curve(curves, mode()), f"loss-{job.job_name}")
    with scores:
        lines = {name: found for name, found in curves.items() if len(found) >= FEWEST_POINTS}
        chart(figures.score_curve(lines, mode()), f"scores-{job.job_name}")


@st.cache_data(ttl=1.5, max_entries=200, show_spinner=False)
def _points(job_name: str, is_final: bool) -> Curves:
    """Read at most once in 1.5 s, however many tabs look; once more when the job has ended."""
    return session.workbench().curves(job_name)
