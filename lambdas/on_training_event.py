"""Event handler: SageMaker says that a job changed. Settles it and carries its plan on."""

from collections.abc import Mapping
from typing import Any

from mlops.aws.follow import follow
from mlops.aws.serve import aws, now


def lambda_handler(event: Mapping[str, Any], context: Any) -> dict[str, str]:
    name = str(event["detail"]["TrainingJobName"])
    job = follow(aws(), name, now)
    return {"job_name": name, "state": job.state if job else "not ours"}
