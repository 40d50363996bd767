"""The end of a run in words: the worst first, and no number that the report does not hold."""

import re

from mlops.report import SANDBOX, SYNTHETIC, Report, build
from mlops.report_words import ended
from mlops.tools import ReportOutput
from tests.factories import NOW, a_market, a_plan
from tests.workbench.scripted import finished


def report(f1: float) -> Report:
    plan = a_plan(a_market(engines=("crf",)), metric="f1", target=0.85)
    return build(plan, [finished(plan, f1)], NOW, 0, NOW)


def words(made: Report) -> str:
    return ended(ReportOutput(plan_id=made.plan_id, report=made))


def test_a_missed_clause_comes_first_and_what_to_try_follows():
    lines = words(report(0.79)).splitlines()
    assert lines[0].endswith("1 of 2 clauses PASS.")
    assert lines[1].startswith("- FAIL target: wanted")
    assert any(line.startswith("- To try next: ") for line in lines)
    assert lines[-2:] == [SANDBOX, SYNTHETIC]


def test_nothing_is_to_be_tried_where_all_passed():
    text = words(report(0.91))
    assert "2 of 2 clauses PASS" in text and "To try next" not in text
    assert "test F1 0.9100 (95 %: 0.8900–0.9300), 16 s billed" in text


def test_every_number_is_one_of_the_report():
    made = report(0.79)
    held = made.model_dump_json()
    known = {float(n) for n in re.findall(r"\d+(?:\.\d+)?", held)}
    counts = {float(len(made.verdicts)), float(len(made.stages)), 1.0, 95.0}
    for number in re.findall(r"\d+(?:\.\d+)?", words(made)):
        assert any(abs(float(number) - k) < 1e-4 for k in known | counts), number


def test_a_run_without_a_model_says_so():
    made = report(0.79).model_copy(update={"reported_stage": None})
    assert "ended without a model" in words(made)


def test_an_error_is_told_with_its_ways_out():
    way = {"kind": "retry", "message": "Read the log", "cost_usd": None}
    error = {"code": "job_failed", "message": "Out of memory.", "alternatives": [way]}
    text = ended(ReportOutput(plan_id="plan-1", failure=error))
    assert text == "Out of memory.\nA. Read the log"
