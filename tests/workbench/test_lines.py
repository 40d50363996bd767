"""What a plan and the error of estimates say in a terminal."""

from mlops.constraints import parse
from mlops.estimate import EstimateError
from mlops.events import EventKind
from mlops.expectations import published
from mlops.options import Rejection
from mlops.report import build
from tests.factories import NOW, a_market, a_plan, an_offer
from tests.workbench.scripted import event, finished
from workbench import lines


def test_a_plan_says_what_binds_what_is_unknown_and_what_else_would_fit():
    offers = [an_offer(name) for name in ("ml.m5.large", "ml.g4dn.xlarge", "ml.g6.xlarge")]
    text = "\n".join(lines.of_plan(a_plan(a_market(offers), budget_usd="0.05", target=0.85)))
    assert "What binds: budget." in text
    assert "expected score unknown" in text
    assert "Waits for ml.m5.large that were seen: unknown." in text
    assert "formula, not yet measured" in text
    assert "  Or: crf on ml.m5.large, 30 epochs" in text


def test_published_figures_are_shown_with_their_source():
    plan = a_plan(dataset="ncbi-disease")
    named = plan.model_copy(update={"published": published("ncbi-disease")})
    assert "Published: BioBERT, f1 0.8971 on test, published" in "\n".join(lines.of_plan(named))


def test_the_error_of_estimates_in_one_line():
    assert lines.of_estimates(EstimateError(mape=None, jobs=0)).endswith("no completed job yet.")
    said = lines.of_estimates(EstimateError(mape=0.126, jobs=7))
    assert said == "Estimated against billed time: 13% mean absolute error over 7 jobs."


def test_nothing_understood_is_not_said():
    parsed = parse("hello").model_dump(mode="json")
    data = {"step": "PARSING", "parsed": parsed}
    assert lines.of_event(event(EventKind.STEP, **data)) == []
    data["parsed"] = parse("train on cier").model_dump(mode="json")
    assert lines.of_event(event(EventKind.STEP, **data)) == ["· understood: dataset cier"]


def test_a_score_that_was_not_measured_is_said_so():
    plan = a_plan()
    job = finished(plan).model_copy(update={"metrics": {}})
    said = "\n".join(lines.of_report(build(plan, [job], NOW, 0, NOW)))
    assert f"{job.state}, test F1 not measured, 16 s billed" in said


def test_rejections_are_data():
    plan = a_plan()
    assert all(isinstance(r, Rejection) and r.code and r.why for r in plan.rejections)


def test_the_volume_is_a_part_of_the_price_line():
    plan = a_plan()
    stage = plan.stages[0].model_copy(
        update={"storage_usd_per_hour": "0.00625", "storage_source": "upper bound: x"}
    )
    text = "\n".join(lines.of_plan(plan.model_copy(update={"stages": (stage,)})))
    assert "$0.115/h + $0.00625/h, an upper bound, for its volume" in text
