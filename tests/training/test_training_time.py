"""The time for training: what is left of it, also after an interruption, and a training cut to fit."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mlops import metrics
from training.training_time import TrainingTime


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_without_a_limit_time_never_ends(tmp_path: Path):
    assert TrainingTime(None, tmp_path).left() == math.inf


def test_an_interrupted_job_goes_on_counting(tmp_path: Path):
    clock = Clock()
    first = TrainingTime(60, tmp_path, clock)
    clock.now += 25
    assert first.left() == 35
    clock.now = 9_000
    second = TrainingTime(60, tmp_path, clock)
    clock.now += 15
    assert second.left() == 20
    clock.now += 30
    assert second.left() == -10


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"used_seconds": "x"}', '{"used_seconds": -5}'])
def test_what_cannot_be_read_counts_as_nothing(tmp_path: Path, text: str):
    (tmp_path / "training_time.json").write_text(text)
    assert TrainingTime(60, tmp_path, Clock()).left() == 60


def test_too_little_time_ends_with_a_model_and_a_score(sample_job: Callable[[str], Any]):
    job = sample_job("cier")
    code, lines = job.run("--epochs", "1000", "--c1", "0", "--max_training_seconds", "4")
    assert code == 0
    found = job.metrics()
    assert found["stopped_early"] == "max_training_seconds"
    assert 1 <= found["iterations"] < 1000
    printed = [float(v) for line in lines for k, v in metrics.scan(line) if k == "test_f1"]
    assert printed == [pytest.approx(found["test"]["f1"], abs=1e-6)]
    assert any(line.startswith("stopped_early=max_training_seconds") for line in lines)
    state = json.loads((job.base / "checkpoints/state.json").read_text())
    assert state["iterations"] == found["iterations"]
    assert "of 1000 iterations" in (job.base / "model/model_card.md").read_text()


def test_enough_time_changes_nothing(tiny_job: Any):
    code, lines = tiny_job.run("--epochs", "5", "--max_training_seconds", "300")
    assert code == 0
    assert (tiny_job.metrics()["iterations"], tiny_job.metrics()["stopped_early"]) == (5, None)
    assert not any("stopped_early" in line for line in lines)
    assert lines[-1] == "progress=1.0000"


@pytest.mark.parametrize("value", ["0", "-3", "1.5", "soon"])
def test_a_bad_time_is_named(tiny_job: Any, value: str):
    code, _ = tiny_job.run("--max_training_seconds", value)
    assert code == 1 and "max_training_seconds" in tiny_job.failure()
