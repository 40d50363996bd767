"""The training jobs, running and past: state, cost against what was reserved, curves, log and a stop button."""

import streamlit as st

from app import job_card, session
from app.plain import escape
from app.theme import table
from mlops.job import Job
from workbench import frames, lines

EVERY_SECONDS = 1.0
LOG_LINES = 200


def main() -> None:
    st.title("Jobs", anchor=False)
    session.show_notice(session.take_notice())
    found = session.read(lambda: session.workbench().jobs())
    if not found:
        st.info(
            "No training job yet. Say in the chat what to train.", icon=":material/model_training:"
        )
        return
    table(frames.jobs_frame(found), "jobs", "Training jobs")
    st.caption(
        escape(lines.of_estimates(session.read(lambda: session.workbench().estimate_error())))
    )
    chosen = _choose(found)
    every = None if chosen.state.is_final else EVERY_SECONDS
    st.fragment(_detail, run_every=every)(chosen.job_name, chosen.state.is_final)


def _choose(found: list[Job]) -> Job:
    names = [job.job_name for job in found]
    wanted = st.query_params.get("job")
    start = names.index(wanted) if wanted in names else 0
    st.subheader("One job", anchor=False)
    name = st.selectbox("Job", names, index=start, key="job_name")
    st.query_params["job"] = name
    return found[names.index(name)]


def _detail(name: str, was_final: bool) -> None:
    """Looks again while the job runs; when it ends, the whole page runs once more."""
    job = session.read(lambda: job_card.seen_now(name))
    if job.state.is_final != was_final:
        session.rerun()
    session.rerun_for_notice()
    job_card.draw(job)
    printed = session.read(lambda: session.workbench().logs(name, LOG_LINES))
    st.markdown("**Log**")
    if not printed:
        st.caption("Nothing was printed yet.")
        return
    text = "\n".join(f"{line.at:%H:%M:%S}  {line.text}" for line in printed)
    with st.container(height=320, autoscroll=True, border=False):
        st.code(text, language=None, wrap_lines=True)


main()
