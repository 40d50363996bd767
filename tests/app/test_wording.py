"""What cards say of constraints, prices and states."""

import pytest

from app.wording import CLAUSES, clause_rows, comparison, job_state, price, progress, what_runs
from mlops.constraints import Constraints, parse
from mlops.job import EndReason, JobState
from mlops.workflow import STEPS, WorkflowStep
from tests.factories import a_job, a_plan


def test_each_clause_stands_beside_the_words_it_came_from() -> None:
    text = "Train NER on cier on spot. Budget: $10, under 1 hour, F1 > 85%"
    rows = {label: (value, words) for label, value, words in clause_rows(parse(text))}
    assert rows["Budget"] == ("≤ $10.00", "Budget: $10")
    assert rows["Time"][0] == "< 60 min"
    assert rows["Target"][0] == "f1 > 0.85"
    assert rows["Spot"][0] == "yes"
    assert "Metric" not in rows
    assert all(words in text for _, words in rows.values())


def test_every_constraint_has_a_label_or_is_a_comparator() -> None:
    comparators = {name for name in Constraints.model_fields if name.endswith("_comparator")}
    assert set(CLAUSES) == set(Constraints.model_fields) - comparators - {"timezone"}


def test_what_was_not_said_is_not_listed() -> None:
    assert clause_rows(parse("hello")) == []


def test_comparisons_are_written_as_people_write_them() -> None:
    assert comparison("f1 >= 0.85") == "f1 ≥ 0.85"


def test_a_price_names_its_date_or_says_that_it_has_none() -> None:
    stage = a_plan().stages[0]
    assert f"as of {stage.price_as_of}" in price(stage)
    assert "date unknown" in price(stage.model_copy(update={"price_as_of": "None"}))


@pytest.mark.parametrize("step", WorkflowStep)
def test_every_step_has_a_share_and_words(step: WorkflowStep) -> None:
    share, words = progress(step)
    assert 0 <= share <= 1
    assert words


def test_progress_grows_with_the_steps() -> None:
    shares = [progress(step)[0] for step in STEPS]
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == (0, 1)


def test_a_stopped_job_says_why() -> None:
    job = a_job(state=JobState.STOPPED, end_reason=EndReason.TIME_LIMIT)
    assert job_state(job) == ("Stopped: reached its time limit", "orange")
    assert job_state(a_job(state=JobState.COMPLETED)) == ("Completed", "green")


def test_the_engine_is_named_where_the_model_does_not() -> None:
    job = a_job()
    assert what_runs(job) == f"crf on {job.instance_type}"
    lora = job.model_copy(update={"model": "roberta-large", "engine": "lora"})
    assert what_runs(lora).startswith("roberta-large (lora) on ")
