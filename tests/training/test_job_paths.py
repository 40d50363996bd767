"""Where a job looks for its folders."""

from pathlib import Path

from training.job_paths import JobPaths


def test_without_variables_the_container_paths_hold() -> None:
    paths = JobPaths.from_env({})
    assert paths.channel == Path("/opt/ml/input/data/training")
    assert paths.model == Path("/opt/ml/model")
    assert paths.failure == Path("/opt/ml/output/failure")
    assert paths.checkpoints == Path("/opt/ml/checkpoints")


def test_the_base_moves_everything_and_named_folders_win() -> None:
    paths = JobPaths.from_env({"SAGEMAKER_BASE_DIR": "/j", "SM_MODEL_DIR": "/elsewhere"})
    assert paths.channel == Path("/j/input/data/training")
    assert paths.output_data == Path("/j/output/data")
    assert paths.model == Path("/elsewhere")
