"""The training archive under the real `sagemaker-training` toolkit.

SAGEMAKER_TOOLKIT_PYTHON names the Python of an environment that has `sagemaker-training` and
`python-crfsuite`; without it the test is skipped, or fails where REQUIRE_TOOLKIT=1.
"""

import json
import os
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest

from mlops import metrics
from tests.patience import PATIENCE_SECONDS

TRAINING = Path(__file__).parents[2] / "training"


@pytest.fixture
def toolkit() -> Path:
    """The toolkit's `train` command."""
    python = os.environ.get("SAGEMAKER_TOOLKIT_PYTHON")
    if python:
        return Path(python).parent / "train"
    if os.environ.get("REQUIRE_TOOLKIT") == "1":
        pytest.fail("REQUIRE_TOOLKIT=1, but SAGEMAKER_TOOLKIT_PYTHON is not set")
    pytest.skip("SAGEMAKER_TOOLKIT_PYTHON is not set: no environment with sagemaker-training")


def test_the_archive_trains_under_the_toolkit(tiny_job: Any, toolkit: Path) -> None:
    result = _train(tiny_job.base, toolkit, {"engine": "auto", "epochs": 10, "resume": True})
    assert result.returncode == 0, result.stderr
    assert (tiny_job.base / "output/success").exists()
    assert not (tiny_job.base / "output/failure").exists()
    found = {name for line in result.stdout.splitlines() for name, _ in metrics.scan(line)}
    assert found == set(metrics.METRIC_NAMES)
    with_toolkit = _metric_points(result.stdout.splitlines())
    written = (tiny_job.base / "model/predictions.tsv").read_bytes()
    code, lines = tiny_job.run("--engine", "auto", "--epochs", "10", "--resume", "False")
    assert code == 0
    assert _metric_points(lines) == with_toolkit
    assert (tiny_job.base / "model/predictions.tsv").read_bytes() == written


def test_the_toolkit_keeps_our_failure_reason(tiny_job: Any, toolkit: Path) -> None:
    (tiny_job.channel / "train.tsv").write_text("Ein\tO\tzu viel\n")
    result = _train(tiny_job.base, toolkit, {"engine": "auto"})
    assert result.returncode == 1
    assert tiny_job.failure().startswith("train.tsv:1: expected token<TAB>label")
    assert not (tiny_job.base / "output/success").exists()


def _metric_points(lines: list[str]) -> list[tuple[str, float]]:
    return [point for line in lines for point in metrics.scan(line)]


def _train(
    base: Path, toolkit: Path, hyperparameters: dict[str, Any]
) -> subprocess.CompletedProcess[str]:
    config = base / "input/config"
    config.mkdir(parents=True)
    archive = _archive(base / "sourcedir.tar.gz")
    encoded = {
        **hyperparameters,
        "sagemaker_program": "train.py",
        "sagemaker_submit_directory": str(archive),
    }
    _write(
        config / "hyperparameters.json",
        {name: json.dumps(value) for name, value in encoded.items()},
    )
    _write(config / "inputdataconfig.json", {"training": {"TrainingInputMode": "File"}})
    # The toolkit waits until every host's name resolves: `localhost` always does.
    _write(
        config / "resourceconfig.json",
        {
            "current_host": "localhost",
            "hosts": ["localhost"],
            "network_interface_name": "lo",
            "current_instance_type": "ml.m5.large",
        },
    )
    return subprocess.run(
        [str(toolkit)],
        env={"PATH": f"{toolkit.parent}:/usr/bin:/bin", "SAGEMAKER_BASE_DIR": str(base)},
        capture_output=True,
        text=True,
        timeout=10 * PATIENCE_SECONDS,
        check=False,
    )


def _archive(path: Path) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for source in [*sorted(TRAINING.glob("*.py")), TRAINING / "requirements.txt"]:
            archive.add(source, arcname=source.name)
    return path


def _write(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content))
