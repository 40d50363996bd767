"""Bare moto under the same workload: `python -m benchmarks.bare_moto COUNT` prints samples as JSON.

moto answers in this very process, without a socket between, so it is shown at its best. Its data
are put straight into its back ends, since its own calls would take minutes.
"""

import json
import os
import sys
from typing import Any

import boto3
from moto import mock_aws
from moto.cloudwatch.models import cloudwatch_backends
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.dynamodb.models import dynamodb_backends
from moto.s3.models import s3_backends

from benchmarks import workload

_REGION = "us-east-1"
_BUDGET_SECONDS = 2.0


def main(arguments: list[str]) -> int:
    count = int(arguments[0])
    os.environ |= {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x"}
    with mock_aws():
        dynamodb, s3, cloudwatch = (
            boto3.client(name, region_name=_REGION) for name in ("dynamodb", "s3", "cloudwatch")
        )
        dynamodb.create_table(**workload.TABLE_SPEC)
        s3.create_bucket(Bucket=workload.BUCKET)
        _fill(count)
        found = {
            name: workload.sampled(call, _BUDGET_SECONDS)
            for name, call in workload.calls(dynamodb, s3, count).items()
        }
        mib = workload.resident_mib(os.getpid())
        if len(arguments) > 1:
            found["metric"] = _metric_samples(cloudwatch)
    print(json.dumps({"samples": found, "mib": mib}))
    return 0


def _fill(count: int) -> None:
    tables: Any = dynamodb_backends[DEFAULT_ACCOUNT_ID][_REGION]
    objects: Any = s3_backends[DEFAULT_ACCOUNT_ID]["aws"]
    for number in range(count):
        tables.put_item(workload.TABLE, workload.item(number))
        objects.put_object(workload.BUCKET, workload.object_key(number), workload.OBJECT)


def _metric_samples(cloudwatch: Any) -> list[float]:
    backend: Any = cloudwatch_backends[DEFAULT_ACCOUNT_ID][_REGION]
    now = workload.utc_now()
    data = [
        {
            "MetricName": workload.METRIC,
            "Dimensions": workload.DIMENSIONS,
            "Timestamp": at.replace(tzinfo=None),
            "Value": value,
        }
        for at, value in workload.points(now)
    ]
    backend.put_metric_data(workload.NAMESPACE, data)
    return workload.sampled(workload.metric_call(cloudwatch, now), _BUDGET_SECONDS)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
