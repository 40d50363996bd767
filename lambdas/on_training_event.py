"""Event handler: SageMaker says that a job changed. Settles it, carries its plan on, and starts the
queued launches that waited for its place; notices come last."""

from collections.abc import Mapping
from typing import Any

from mlops.aws.follow import follow
from mlops.aws.notify import deliver_due
from mlops.aws.queue import start_queued
from mlops.aws.serve import aws, now


def lambda_handler(event: Mapping[str, Any], context: Any) -> dict[str, str]:
    name = str(event["detail"]["TrainingJobName"])
    job = follow(aws(), name, now)
    if job is None or job.state.is_final:
        start_queued(aws(), now)
    deliver_due(aws(), now)
    return {"job_name": name, "state": job.state if job else "not ours"}
