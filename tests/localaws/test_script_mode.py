"""Hyper-parameters to arguments and environment, as the public training toolkit does it."""

import json
from pathlib import Path
from typing import Any

import pytest

from localaws.script_mode import Script, Tree, decode, environment, write_config

SUBMIT = {
    "sagemaker_program": '"train.py"',
    "sagemaker_submit_directory": '"s3://b/sourcedir.tar.gz"',
    "sagemaker_region": "us-east-1",
}


def record(**values: Any) -> dict[str, Any]:
    return {
        "TrainingJobName": "job",
        "TrainingJobArn": "arn:job",
        "EnableNetworkIsolation": False,
        "InputDataConfig": [{"ChannelName": "training"}, {"ChannelName": "extra"}],
        "ResourceConfig": {"InstanceType": "ml.m5.large"},
        "HyperParameters": SUBMIT,
        **values,
    }


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True),
        ("3", 3),
        ("1e-3", 0.001),
        ('"crf"', "crf"),
        ("crf", "crf"),
        ("[1]", [1]),
        ("", ""),
    ],
)
def test_values_are_decoded_as_json_or_kept(text: str, value: Any):
    assert decode(text) == value


def test_arguments_are_sorted_and_without_the_platforms_own():
    values = {**SUBMIT, "use_peft": "true", "epochs": "3", "x": "1", "note": "a b"}
    script = Script.of(record(HyperParameters=values))
    assert script.arguments == [
        *("--epochs", "3"),
        *("--note", "a b"),
        *("--use_peft", "True"),
        *("-x", "1"),
    ]
    assert (script.program, script.archive_uri) == ("train.py", "s3://b/sourcedir.tar.gz")


@pytest.mark.parametrize(
    "values",
    [{}, {**SUBMIT, "sagemaker_program": "../../x.py"}, {**SUBMIT, "sagemaker_program": "run.sh"}],
)
def test_a_bad_entry_point_is_refused(values: dict[str, str]):
    with pytest.raises(ValueError, match="sagemaker_program"):
        Script.of(record(HyperParameters=values))


def test_environment_is_the_contract(tmp_path: Path):
    tree, wanted = Tree(tmp_path), record(Environment={"MINE": "1"})
    script = Script.of(record(HyperParameters={**SUBMIT, "epochs": "3"}))
    found = environment(tree, wanted, script, {"AWS_ENDPOINT_URL": "http://127.0.0.1:1"})
    assert found["SM_CHANNEL_TRAINING"] == str(tmp_path / "input" / "data" / "training")
    assert json.loads(found["SM_CHANNELS"]) == ["extra", "training"]
    assert json.loads(found["SM_HPS"]) == {"epochs": 3}
    assert found["SM_HP_EPOCHS"] == "3"
    assert found["SM_MODEL_DIR"] == str(tmp_path / "model")
    assert found["SAGEMAKER_BASE_DIR"] == str(tmp_path)
    assert (found["MINE"], found["AWS_ENDPOINT_URL"]) == ("1", "http://127.0.0.1:1")
    assert "PYTEST_CURRENT_TEST" not in found


def test_network_isolation_hides_the_endpoint(tmp_path: Path):
    wanted = record(EnableNetworkIsolation=True)
    found = environment(Tree(tmp_path), wanted, Script.of(wanted), {"AWS_ENDPOINT_URL": "x"})
    assert "AWS_ENDPOINT_URL" not in found


def test_tree_starts_empty_and_holds_the_configuration(tmp_path: Path):
    tree = Tree(tmp_path / "ml")
    tree.make()
    (tree.model / "old").write_text("old")
    tree.make()
    assert list(tree.model.iterdir()) == []
    write_config(tree, record())
    assert json.loads((tree.config / "hyperparameters.json").read_text()) == SUBMIT
    assert set(json.loads((tree.config / "inputdataconfig.json").read_text())) == {
        "training",
        "extra",
    }


@pytest.mark.parametrize("path", ["/etc", "/opt/ml/../../etc", "relative"])
def test_checkpoints_stay_under_the_base(tmp_path: Path, path: str):
    with pytest.raises(ValueError, match="not under /opt/ml"):
        Tree(tmp_path).checkpoints({"CheckpointConfig": {"LocalPath": path}})
    assert Tree(tmp_path).checkpoints({}) == tmp_path / "checkpoints"
