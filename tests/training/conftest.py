"""A job folder shaped like /opt/ml, and train.py run in it as the platform runs it."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from mlops import samples
from tests.patience import PATIENCE_SECONDS

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Job:
    base: Path

    @property
    def channel(self) -> Path:
        return self.base / "input/data/training"

    def fill(self, splits: Mapping[str, Sequence[samples.Sentence]], name: str = "tiny") -> None:
        self.fill_text({split: samples.to_conll(rows) for split, rows in splits.items()}, name)

    def fill_text(self, splits: Mapping[str, str], name: str = "tiny") -> None:
        self.channel.mkdir(parents=True, exist_ok=True)
        for split, text in splits.items():
            (self.channel / f"{split}.tsv").write_bytes(text.encode())
        manifest = {"name": name, "synthetic": True, "labels": [], "counts": {}}
        (self.channel / "manifest.json").write_text(json.dumps(manifest))

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        environ = {
            "PATH": os.environ["PATH"],
            "SAGEMAKER_BASE_DIR": str(self.base),
            "SM_CHANNEL_TRAINING": str(self.channel),
            "SM_CURRENT_INSTANCE_TYPE": "ml.m5.large",
        }
        return subprocess.Popen(
            [sys.executable, "-u", str(ROOT / "training/train.py"), *arguments],
            env=environ,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def run(self, *arguments: str) -> tuple[int, list[str]]:
        """Exit code and the printed lines."""
        with self.start(*arguments) as process:
            out, _ = process.communicate(timeout=10 * PATIENCE_SECONDS)
        return process.returncode, out.splitlines()

    def metrics(self) -> dict[str, Any]:
        return json.loads((self.base / "model/metrics.json").read_text())

    def failure(self) -> str:
        return (self.base / "output/failure").read_text()


@pytest.fixture
def job(tmp_path: Path) -> Job:
    return Job(tmp_path / "ml")


@pytest.fixture
def tiny_job(job: Job) -> Job:
    """150 + 40 + 40 sentences: trains in well under a second."""
    splits = samples.cier_small().splits
    job.fill(
        {
            "train": splits["train"][:150],
            "validation": splits["validation"][:40],
            "test": splits["test"][:40],
        }
    )
    return job


@pytest.fixture
def sample_job(job: Job) -> Callable[[str], Job]:
    def fill(name: str) -> Job:
        job.fill(samples.SAMPLES[name]().splits, name)
        return job

    return fill
