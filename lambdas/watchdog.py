"""Event handler, every minute: the safety net that follows, stops and settles what events missed, and
then delivers the notices that are due."""

from collections.abc import Mapping
from typing import Any

from mlops.aws.notify import deliver_due
from mlops.aws.repair import repair
from mlops.aws.serve import aws, now


def lambda_handler(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    repairs = repair(aws(), now).model_dump(mode="json")
    deliver_due(aws(), now)
    return repairs
