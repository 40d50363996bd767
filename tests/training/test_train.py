"""The script-mode contract of train.py, run as a real process."""

import re
import signal
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from seqeval.metrics import f1_score

from mlops import metrics
from tests.patience import PATIENCE_SECONDS

NCBI = Path(__file__).parents[3] / "shared/data/ncbi-disease"


def test_a_job_prints_every_metric_and_leaves_a_model(tiny_job: Any) -> None:
    code, lines = tiny_job.run("--engine", "crf", "--epochs", "15")
    assert code == 0
    assert lines[0].startswith("engine=crf algorithm=lbfgs python=3.")
    assert lines[0].endswith("instance_type=ml.m5.large")
    points = [point for line in lines for point in metrics.scan(line)]
    assert {name for name, _ in points} == set(metrics.METRIC_NAMES)
    progress = [value for name, value in points if name == "progress"]
    assert all(a <= b for a, b in pairwise(progress)) and progress[-1] == 1.0
    losses = [value for name, value in points if name == "train_loss"]
    assert len(losses) == 15 and losses[-1] < losses[0] / 3
    names = {path.name for path in (tiny_job.base / "model").iterdir()}
    assert names == {
        "model.crfsuite",
        "label_map.json",
        "metrics.json",
        "predictions.tsv",
        "model_card.md",
    }
    assert not (tiny_job.base / "output/failure").exists()


def test_printed_written_and_recomputed_scores_agree(tiny_job: Any) -> None:
    _, lines = tiny_job.run("--epochs", "15")
    written = tiny_job.metrics()
    last = dict(point for line in lines for point in metrics.scan(line))
    test = written["test"]
    for name in ("f1", "precision", "recall", "f1_low", "f1_high", "accuracy"):
        assert last[f"test_{name}"] == pytest.approx(test[name], abs=1e-6)
    assert last["eval_f1"] == pytest.approx(written["validation"]["f1"], abs=1e-6)
    assert test["f1_low"] <= test["f1"] <= test["f1_high"]
    gold, predicted = _predictions(tiny_job.base / "model/predictions.tsv")
    assert len(gold) == 40
    assert f1_score(gold, predicted) == pytest.approx(test["f1"], abs=1e-12)


def test_types_are_printed_without_disturbing_the_totals(tiny_job: Any) -> None:
    _, lines = tiny_job.run("--epochs", "15")
    typed = [line for line in lines if line.startswith("type=")]
    assert {line.split()[0] for line in typed} == {
        f"type={kind}" for kind in tiny_job.metrics()["test_types"]
    }
    shape = r"type=\S+ test_type_f1=\S+ test_type_precision=\S+ test_type_recall=\S+ test_type_support=\d+"
    assert all(re.fullmatch(shape, line) for line in typed)
    assert all(metrics.scan(line) == () for line in typed)


def test_the_model_card_says_synthetic_and_the_interval(tiny_job: Any) -> None:
    tiny_job.run("--epochs", "5")
    card = (tiny_job.base / "model/model_card.md").read_text()
    assert "Synthetic data" in card
    assert f"{tiny_job.metrics()['test']['f1_low']:.4f}" in card


def test_unknown_and_toolkit_shaped_hyperparameters_are_fine(tiny_job: Any) -> None:
    code, lines = tiny_job.run(
        "--epochs", "3.0", "--resume", "True", "--model_name", "x", "--use_peft", "True"
    )
    assert code == 0
    assert "ignored_hyperparameters=model_name,use_peft" in lines
    assert tiny_job.metrics()["hyperparameters"]["epochs"] == 3


def test_passive_aggressive_prints_a_loss_too(tiny_job: Any) -> None:
    code, lines = tiny_job.run("--algorithm", "pa")
    assert code == 0
    assert sum("train_loss=" in line for line in lines) == 10


def test_a_finished_checkpoint_is_evaluated_not_trained_again(tiny_job: Any) -> None:
    tiny_job.run("--epochs", "10")
    first = tiny_job.metrics()
    code, lines = tiny_job.run("--epochs", "10")
    assert code == 0
    assert any(line.startswith("resumed=checkpoint") for line in lines)
    assert not any(line.startswith("iteration=") for line in lines)
    assert tiny_job.metrics()["test"] == first["test"]
    for other in (("--epochs", "11"), ("--epochs", "10", "--resume", "false")):
        _, lines = tiny_job.run(*other)
        assert any(line.startswith("iteration=1 ") for line in lines)


def test_a_model_whose_state_could_not_be_written_is_taken_for_no_other(tiny_job: Any) -> None:
    tiny_job.run("--epochs", "10")
    first = tiny_job.metrics()
    in_the_way = tiny_job.base / "checkpoints/state.json.partial"
    in_the_way.mkdir()
    assert tiny_job.run("--epochs", "1")[0] == 1
    in_the_way.rmdir()
    _, lines = tiny_job.run("--epochs", "10")
    assert any(line.startswith("iteration=1 ") for line in lines)
    assert tiny_job.metrics()["test"] == first["test"]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"key": 1, "iterations": "many"}'])
def test_a_state_that_cannot_be_read_counts_as_none(tiny_job: Any, text: str) -> None:
    (tiny_job.base / "checkpoints").mkdir()
    (tiny_job.base / "checkpoints/state.json").write_text(text)
    assert tiny_job.run("--epochs", "1")[0] == 0


def test_sigterm_ends_training_at_once_and_says_so(sample_job: Callable[[str], Any]) -> None:
    job = sample_job("cier")
    with job.start("--epochs", "1000") as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("iteration=3 "):
                break
        process.send_signal(signal.SIGTERM)
        rest, _ = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 143
    assert "stopped=SIGTERM" in rest
    assert not (job.base / "checkpoints/state.json").exists()
    assert list((job.base / "model").iterdir()) == []
    assert not (job.base / "output/failure").exists()


BAD_INPUTS = {
    "three columns": ("train", "Ein\tO\tx\n", "train.tsv:1: expected token<TAB>label"),
    "one column": ("test", "Ein\tO\n\nzwei\n", "test.tsv:3: expected token<TAB>label"),
    "a bare label": ("train", "Ein\tO\nzwei\tDiagnose\n", "train.tsv:2: a label must be"),
    "an empty type": ("validation", "Ein\tB-\n", "validation.tsv:1: a label must be"),
    "no token": ("train", "\tO\n", "train.tsv:1: a label without a token"),
    "an empty split": ("train", "\n\n", "train.tsv:1: no sentences"),
    "only O": ("train", "Ein\tO\n", "train.tsv:1: every label is O"),
}


@pytest.mark.parametrize("case", BAD_INPUTS)
def test_bad_input_names_file_and_line(tiny_job: Any, case: str) -> None:
    split, text, message = BAD_INPUTS[case]
    (tiny_job.channel / f"{split}.tsv").write_text(text)
    code, _ = tiny_job.run()
    assert code == 1
    assert tiny_job.failure().startswith(message)
    assert list((tiny_job.base / "model").iterdir()) == []


def test_not_utf8_names_the_line(tiny_job: Any) -> None:
    (tiny_job.channel / "train.tsv").write_bytes(b"Ein\tO\n\xff\tO\n")
    assert tiny_job.run()[0] == 1
    assert tiny_job.failure().startswith("train.tsv:2: not UTF-8")


@pytest.mark.parametrize("file", ["test.tsv", "manifest.json"])
def test_a_missing_file_is_named(tiny_job: Any, file: str) -> None:
    (tiny_job.channel / file).unlink()
    assert tiny_job.run()[0] == 1
    assert tiny_job.failure().startswith(f"{file}: the file is missing")


@pytest.mark.parametrize("text", ["{", "[]", '{"name": "x"}', '{"name": "x", "synthetic": "no"}'])
def test_a_manifest_that_says_too_little_is_refused(tiny_job: Any, text: str) -> None:
    (tiny_job.channel / "manifest.json").write_text(text)
    assert tiny_job.run()[0] == 1
    assert tiny_job.failure().startswith("manifest.json:1: ")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--engine", "lora"), "Engine lora "),
        (("--engine", "magic"), "Bad hyper-parameter: argument --engine: invalid choice"),
        (("--epochs", "0"), "Bad hyper-parameter: argument --epochs: '0' is not a whole number"),
        (("--epochs", "many"), "Bad hyper-parameter: argument --epochs"),
        (("--c1", "nan"), "Bad hyper-parameter: argument --c1"),
        (("--resume", "maybe"), "Bad hyper-parameter: argument --resume"),
    ],
)
def test_a_bad_hyperparameter_is_named(
    tiny_job: Any, arguments: tuple[str, ...], message: str
) -> None:
    code, _ = tiny_job.run(*arguments)
    assert code == 1
    assert tiny_job.failure().startswith(message)
    assert len(tiny_job.failure()) <= 1025


def test_odd_but_honest_data_is_trained_on(job: Any) -> None:
    row = "Fieber\tB-Symptom\r\n\r\nEin\u2028Wort\tO\r\nFieber\tB-Symptom\r\n\r\n"
    job.fill_text(
        {"train": "\ufeff" + row * 20, "validation": row, "test": row + "Aspirin\tB-Neu\n"}
    )
    code, lines = job.run("--epochs", "5")
    assert code == 0
    assert any("warning=test_types_not_in_train types=Neu" in line for line in lines)
    assert job.metrics()["test_types"]["Symptom"]["recall"] == 1.0
    assert job.metrics()["test_types"]["Neu"]["f1"] == 0.0


def test_a_split_without_entities_has_no_scores(job: Any) -> None:
    row, none = "Fieber\tB-Symptom\n\nEin\tO\n\n", "Ein\tO\nWort\tO\n\n"
    job.fill_text({"train": row * 20, "validation": none, "test": none})
    code, lines = job.run("--epochs", "3")
    assert code == 0
    names = {name for line in lines for name, _ in metrics.scan(line)}
    assert names == {"train_loss", "progress"}
    assert any(line.startswith("warning=test_not_measured") for line in lines)
    written = job.metrics()
    for split in ("validation", "test"):
        assert {written[split].pop("entities"), *written[split].values()} == {0, None}
    card = (job.base / "model/model_card.md").read_text()
    assert "Not measured: the test split has no entities." in card
    assert "0.000" not in card


def test_a_type_name_cannot_forge_a_metric_or_markup(job: Any) -> None:
    row = "Fieber\tB-X test_f1=0.99 |<b>`\n\n"
    job.fill_text({"train": row * 20, "validation": row, "test": "Husten\tB-Y test_f1=0.98\n\n"})
    _, lines = job.run("--epochs", "3")
    values = [value for line in lines for name, value in metrics.scan(line) if name == "test_f1"]
    assert values == [0.0]
    assert "`X test_f1=0.99 <b>`" in (job.base / "model/model_card.md").read_text()


def test_cier_lands_where_its_note_says(sample_job: Callable[[str], Any]) -> None:
    job = sample_job("cier")
    assert job.run()[0] == 0
    test = job.metrics()["test"]
    assert 0.88 <= test["f1"] <= 0.92
    assert test["f1_low"] > 0.85


def test_cier_small_misses_85_by_far(sample_job: Callable[[str], Any]) -> None:
    job = sample_job("cier-small")
    assert job.run()[0] == 0
    test = job.metrics()["test"]
    assert 0.6 <= test["f1"] <= 0.8
    assert test["f1_high"] < 0.83


@pytest.mark.skipif(not NCBI.is_dir(), reason=f"the NCBI disease corpus is not at {NCBI}")
def test_ncbi_disease_reaches_the_published_range_of_a_crf(job: Any) -> None:
    files = {"train": "train.tsv", "validation": "devel.tsv", "test": "test.tsv"}
    job.fill_text({split: (NCBI / file).read_text() for split, file in files.items()}, "ncbi")
    assert job.run()[0] == 0
    assert 0.76 <= job.metrics()["test"]["f1"] <= 0.82
    gold, predicted = _predictions(job.base / "model/predictions.tsv")
    assert f1_score(gold, predicted) == pytest.approx(job.metrics()["test"]["f1"], abs=1e-12)


def _predictions(path: Path) -> tuple[list[list[str]], list[list[str]]]:
    blocks = path.read_text(encoding="utf-8").rstrip("\n").split("\n\n")
    rows = [[line.split("\t") for line in block.split("\n")] for block in blocks]
    return [[r[1] for r in b] for b in rows], [[r[2] for r in b] for b in rows]
