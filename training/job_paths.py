"""Where SageMaker's container, or a folder that looks like it, keeps what a training job uses."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class JobPaths:
    channel: Path
    model: Path
    output_data: Path
    failure: Path
    checkpoints: Path

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> "JobPaths":
        """SM_* variables win; SAGEMAKER_BASE_DIR moves everything else away from /opt/ml."""
        base = Path(environ.get("SAGEMAKER_BASE_DIR") or "/opt/ml")
        return cls(
            channel=Path(environ.get("SM_CHANNEL_TRAINING") or base / "input/data/training"),
            model=Path(environ.get("SM_MODEL_DIR") or base / "model"),
            output_data=Path(environ.get("SM_OUTPUT_DATA_DIR") or base / "output/data"),
            failure=base / "output/failure",
            checkpoints=base / "checkpoints",
        )

    def create(self) -> None:
        for folder in (self.model, self.output_data, self.checkpoints):
            folder.mkdir(parents=True, exist_ok=True)
