"""The jobs page: none, running, past, one by its address, and stopping."""

from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from mlops.errors import FaultError
from mlops.job import JobState
from tests.factories import a_job, a_plan, an_asker
from tests.fake_workbench import FakeWorkbench
from tests.patience import PATIENCE_SECONDS

PAGES = Path(__file__).resolve().parents[2] / "pages"
Draw = Callable[..., AppTest]


@pytest.fixture
def running(bench: FakeWorkbench) -> str:
    job = a_job(state=JobState.TRAINING)
    bench.record(job)
    return job.job_name


def test_without_jobs_it_says_where_they_come_from(draw: Draw) -> None:
    assert "No training job yet." in draw("jobs").info[0].value


def test_a_running_job_shows_cost_against_its_ceiling_and_its_log(
    draw: Draw, running: str
) -> None:
    at = draw("jobs")
    labels = [metric.label for metric in at.metric]
    assert labels[:3] == ["Elapsed", "Cost so far", "At most"]
    assert "train_loss=12.5 <b>![x](http://evil.example)" in at.code[-1].value
    assert at.dataframe[0].value["State"].tolist() == ["training"]


def test_stopping_asks_the_workbench_once(draw: Draw, bench: FakeWorkbench, running: str) -> None:
    at = draw("jobs")
    at.button(key=f"stop-{running}").click().run()
    assert not at.exception
    assert bench.calls == [("stop", running)]


def test_a_final_job_cannot_be_stopped_and_says_why_it_failed(
    draw: Draw, bench: FakeWorkbench
) -> None:
    job = a_job(state=JobState.FAILED, failure_reason="<b>out of memory</b>")
    bench.record(job)
    at = draw("jobs")
    assert not [b for b in at.button if (b.key or "").startswith("stop")]
    assert "out of memory" in at.error[0].value


def test_the_address_chooses_the_job(bench: FakeWorkbench, running: str) -> None:
    other = a_job(a_plan(asker=an_asker(turn="t2")), state=JobState.STOPPED)
    bench.record(other)
    at = AppTest.from_file(str(PAGES / "jobs.py"), default_timeout=PATIENCE_SECONDS)
    at.query_params["job"] = other.job_name
    at.run()
    assert at.selectbox[0].value == other.job_name
    at.selectbox[0].set_value(running).run()
    assert at.query_params["job"] == running


def test_a_fault_is_shown_in_words(draw: Draw, bench: FakeWorkbench) -> None:
    bench.failure = FaultError("unreachable", "The back end does not answer.")
    assert any("does not answer" in e.value for e in draw("jobs").error)
