"""SageMaker's script mode outside a container: the /opt/ml tree, SM_* variables and arguments.

Follows the public training toolkit: every path moves with SAGEMAKER_BASE_DIR. requirements.txt is
not installed: the script runs in the environment of the embedded AWS.
"""

import json
import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from localaws.job_records import Record

HOST = "algo-1"
_CHECKPOINTS = "/opt/ml/checkpoints"


@dataclass(frozen=True)
class Tree:
    """The folders of one job under its base directory, which stands for /opt/ml."""

    base: Path

    @property
    def config(self) -> Path:
        return self.base / "input" / "config"

    @property
    def data(self) -> Path:
        return self.base / "input" / "data"

    @property
    def code(self) -> Path:
        return self.base / "code"

    @property
    def model(self) -> Path:
        return self.base / "model"

    @property
    def output(self) -> Path:
        return self.base / "output"

    @property
    def output_data(self) -> Path:
        return self.output / "data"

    @property
    def failure(self) -> Path:
        return self.output / "failure"

    @property
    def temporary(self) -> Path:
        return self.base / "tmp"

    def make(self) -> None:
        """Empty folders; what an earlier start of the job left is removed, as on a new instance."""
        shutil.rmtree(self.base, ignore_errors=True)
        for folder in (self.config, self.data, self.code, self.model, self.output_data):
            folder.mkdir(parents=True)
        self.temporary.mkdir()

    def checkpoints(self, record: Record) -> Path:
        """CheckpointConfig.LocalPath, moved under the base; a path outside /opt/ml is refused."""
        wanted = (record.get("CheckpointConfig") or {}).get("LocalPath") or _CHECKPOINTS
        path = Path(wanted)
        if ".." in path.parts or not path.is_relative_to("/opt/ml"):
            raise ValueError(f"CheckpointConfig.LocalPath {wanted} is not under /opt/ml")
        return self.base / path.relative_to("/opt/ml")


@dataclass(frozen=True)
class Script:
    """Decoded hyper-parameters: the entry point, where its archive lies, and the user's values."""

    program: str
    archive_uri: str
    values: dict[str, Any]

    @classmethod
    def of(cls, record: Record) -> "Script":
        """Raises ValueError where the toolkit would find no entry point."""
        decoded = {k: decode(v) for k, v in (record.get("HyperParameters") or {}).items()}
        program, archive = (
            decoded.get("sagemaker_program"),
            decoded.get("sagemaker_submit_directory"),
        )
        if not program or not archive:
            raise ValueError(
                "hyper-parameters sagemaker_program and sagemaker_submit_directory are needed"
            )
        if not str(program).endswith(".py") or ".." in Path(str(program)).parts:
            raise ValueError(f"sagemaker_program {program} is not a Python file of the archive")
        values = {k: v for k, v in decoded.items() if not k.startswith("sagemaker_")}
        return cls(str(program), str(archive), values)

    @property
    def arguments(self) -> list[str]:
        """`--name value`, sorted; a one-letter name gets a single dash."""
        pairs = [(f"{'-' if len(k) == 1 else '--'}{k}", v) for k, v in sorted(self.values.items())]
        return [part for name, value in pairs for part in (name, str(value))]

    def command(self, tree: Tree) -> list[str]:
        return [sys.executable, "-u", str(tree.code / self.program), *self.arguments]


def decode(value: str) -> Any:
    """JSON where it is JSON, else the text itself: "true" becomes True, crf stays crf."""
    try:
        return json.loads(value)
    except ValueError:
        return value


def write_config(tree: Tree, record: Record) -> None:
    """input/config/*.json, as the platform writes them."""
    channels = {
        channel["ChannelName"]: {
            "TrainingInputMode": "File",
            "S3DistributionType": "FullyReplicated",
            "RecordWrapperType": "None",
        }
        for channel in record.get("InputDataConfig") or []
    }
    files = {
        "hyperparameters.json": record.get("HyperParameters") or {},
        "inputdataconfig.json": channels,
        "resourceconfig.json": _resources(record),
    }
    for name, content in files.items():
        (tree.config / name).write_text(json.dumps(content))


def environment(
    tree: Tree, record: Record, script: Script, aws: Mapping[str, str]
) -> dict[str, str]:
    """A clean environment: the contract's variables, the job's own, and nothing of ours."""
    channels = sorted(c["ChannelName"] for c in record.get("InputDataConfig") or [])
    own = {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(tree.base),
        "TMPDIR": str(tree.temporary),
        "LANG": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",
        "PYTHONNOUSERSITE": "1",
        "SAGEMAKER_BASE_DIR": str(tree.base),
        "TRAINING_JOB_NAME": record["TrainingJobName"],
        "TRAINING_JOB_ARN": record["TrainingJobArn"],
    }
    network = {} if record["EnableNetworkIsolation"] else dict(aws)
    sm = _sm_variables(tree, record, script, channels)
    return own | network | sm | (record.get("Environment") or {})


def _sm_variables(
    tree: Tree, record: Record, script: Script, channels: list[str]
) -> dict[str, str]:
    instance = record["ResourceConfig"]["InstanceType"]
    values: dict[str, Any] = {
        "MODEL_DIR": tree.model,
        "OUTPUT_DIR": tree.output,
        "OUTPUT_DATA_DIR": tree.output_data,
        "OUTPUT_INTERMEDIATE_DIR": tree.output / "intermediate",
        "INPUT_DIR": tree.base / "input",
        "INPUT_CONFIG_DIR": tree.config,
        "CHANNELS": json.dumps(channels),
        "HPS": json.dumps(script.values),
        "USER_ARGS": json.dumps(script.arguments),
        "USER_ENTRY_POINT": script.program,
        "MODULE_NAME": script.program.removesuffix(".py"),
        "MODULE_DIR": script.archive_uri,
        "CURRENT_HOST": HOST,
        "HOSTS": json.dumps([HOST]),
        "CURRENT_INSTANCE_TYPE": instance,
        "NUM_CPUS": os.cpu_count() or 1,
        "NUM_GPUS": 0,
        "LOG_LEVEL": 20,
        "RESOURCE_CONFIG": json.dumps(_resources(record)),
    }
    values |= {f"CHANNEL_{name.upper()}": tree.data / name for name in channels}
    values |= {f"HP_{name.upper()}": value for name, value in script.values.items()}
    values["TRAINING_ENV"] = json.dumps(
        {
            "channel_input_dirs": {name: str(tree.data / name) for name in channels},
            "hyperparameters": script.values,
            "job_name": record["TrainingJobName"],
            "model_dir": str(tree.model),
            "output_data_dir": str(tree.output_data),
            "current_host": HOST,
            "hosts": [HOST],
        }
    )
    return {f"SM_{name}": str(value) for name, value in values.items()}


def _resources(record: Record) -> dict[str, Any]:
    instance = record["ResourceConfig"]["InstanceType"]
    group = {
        "instance_group_name": "homogeneousCluster",
        "instance_type": instance,
        "hosts": [HOST],
    }
    return {
        "current_host": HOST,
        "current_instance_type": instance,
        "current_group_name": "homogeneousCluster",
        "hosts": [HOST],
        "instance_groups": [group],
        "network_interface_name": "lo",
    }
