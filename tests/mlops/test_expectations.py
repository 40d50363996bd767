"""Scores are expected only where somebody measured them; everything else is unknown."""

from mlops.estimate import PastRun, Work
from mlops.expectations import expected, published

PRINT = "f" * 64


def a_run(**changes: object) -> PastRun:
    facts: dict[str, object] = {
        "work": Work(train_tokens=1, total_tokens=1, epochs=60),
        "billed_seconds": 9,
        "fingerprint": PRINT,
        "scores": {"f1": 0.9, "f1_low": 0.88, "f1_high": 0.92},
        "job_name": "llmops-cier-1",
    }
    return PastRun.model_validate(facts | changes)


def test_a_stored_run_of_the_same_data_model_and_passes_counts():
    found = expected("crf", "f1", 60, "cier", PRINT, [a_run()])
    assert found is not None
    assert found.in_words() == "f1 0.9000 (95 %: 0.8800–0.9200) on test, stored run llmops-cier-1"


def test_other_data_other_passes_or_another_metric_are_unknown():
    assert expected("crf", "f1", 60, "cier", "0" * 64, [a_run()]) is None
    assert expected("crf", "f1", 30, "cier", PRINT, [a_run()]) is None
    assert expected("crf", "accuracy", 60, "cier", PRINT, [a_run()]) is None
    assert expected("crf", "f1", 60, "cier", "", [a_run(fingerprint="")]) is None


def test_published_figures_name_their_source_and_never_another_model():
    names = [figure.model for figure in published("NCBI-disease")]
    assert names[0] == "BioBERT"
    assert all(figure.source.startswith("published") for figure in published("ncbi"))
    assert expected("crf", "f1", 60, "ncbi-disease", PRINT, []) is None
    found = expected("distilbert-base-uncased", "f1", 5, "conll2003", PRINT, [])
    assert found is not None and (found.value, found.split) == (0.94, "validation")
    assert published("cier") == ()
