"""Each operation that is here fits botocore's model, both ways; each that is not says so at once.

The table in docs/embedded-aws.md lists exactly what is here and what the product calls.
"""

import ast
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore import xform_name
from botocore.exceptions import ClientError

from tests.localaws import scenarios, scenarios_ml
from tests.localaws.conftest import model, new_client
from tests.localaws.parity import Parity

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/embedded-aws.md"
ROW = re.compile(r"\| `([a-z0-9-]+)` \| ([A-Za-z0-9]+) \|([a-z, ]*)\|")
NOT_AWS = {"search", "create_app", "create_connection"}
"""Names that our code uses for something else: `re.search`, our own `create_app`, a socket's `create_connection`."""
PRODUCT = ("mlops/aws", "agent", "workbench", "lambdas")
SCENARIOS: dict[str, Callable[[Parity], None]] = {
    "dynamodb": scenarios.dynamodb,
    "s3": scenarios.s3,
    "cloudwatch": scenarios.cloudwatch,
    "logs": scenarios.logs,
    "service-quotas": scenarios.service_quotas,
    "pricing": scenarios.pricing,
    "sts": scenarios.sts,
    "sns": scenarios.sns,
    "lambda": scenarios_ml.lambda_,
    "events": scenarios_ml.events,
    "scheduler": scenarios_ml.scheduler,
    "sagemaker": scenarios_ml.sagemaker,
    "sagemaker-runtime": scenarios_ml.sagemaker_runtime,
    "bedrock": scenarios_ml.bedrock,
    "bedrock-runtime": scenarios_ml.bedrock_runtime,
    "bedrock-agentcore-control": scenarios_ml.gateway,
}
MISSING: dict[str, tuple[str, dict[str, Any]]] = {
    "dynamodb": ("ListBackups", {}),
    "s3": ("GetBucketPolicy", {"Bucket": "any-bucket"}),
    "cloudwatch": ("DescribeAlarms", {}),
    "logs": ("DescribeDestinations", {}),
    "service-quotas": ("ListServices", {}),
    "pricing": ("DescribeServices", {}),
    "sts": ("GetSessionToken", {}),
    "sns": ("ListSubscriptions", {}),
    "lambda": ("ListLayers", {}),
    "events": ("ListEventBuses", {}),
    "scheduler": ("ListScheduleGroups", {}),
    "sagemaker": ("ListPipelines", {}),
    "sagemaker-runtime": (
        "InvokeEndpointAsync",
        {"EndpointName": "e", "InputLocation": "s3://bucket/key"},
    ),
    "bedrock": ("ListGuardrails", {}),
    "bedrock-runtime": ("ListAsyncInvokes", {}),
    "bedrock-agentcore-control": ("ListAgentRuntimes", {}),
    "ec2": ("DescribeSpotPriceHistory", {}),
    "iam": ("ListRoles", {}),
    "ce": (
        "GetCostAndUsage",
        {
            "TimePeriod": {"Start": "2026-01-01", "End": "2026-02-01"},
            "Granularity": "DAILY",
            "Metrics": ["UnblendedCost"],
        },
    ),
}


@pytest.fixture(scope="module")
def parity(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Parity]:
    with pytest.MonkeyPatch.context() as patch:
        parity = Parity(tmp_path_factory.mktemp("parity"), patch)
        yield parity
        parity.close()


def test_every_service_has_its_scenario(parity: Parity):
    assert parity.operations.keys() == SCENARIOS.keys()


@pytest.mark.parametrize("service", SCENARIOS)
def test_every_operation_fits_its_model(parity: Parity, service: str):
    SCENARIOS[service](parity)
    assert sorted(parity.called[service]) == sorted(parity.operations[service])


@pytest.mark.parametrize("service", MISSING)
def test_what_is_missing_says_so_at_once(parity: Parity, service: str):
    operation, parameters = MISSING[service]
    client = new_client(parity.stack.server.endpoint, service, attempts=4)
    with pytest.raises(ClientError) as caught:
        getattr(client, xform_name(operation))(**parameters)
    response: Any = caught.value.response
    assert response["Error"]["Code"] == "NotImplemented"
    assert response["ResponseMetadata"]["RetryAttempts"] == 0
    named = "policy" if service == "s3" else operation
    assert named in response["Error"]["Message"]


def test_the_page_lists_exactly_what_is_here(parity: Parity):
    listed = [(service, operation) for service, operation, _ in ROW.findall(PAGE.read_text())]
    here = [(name, operation) for name, found in parity.operations.items() for operation in found]
    assert sorted(listed) == sorted(here)


def test_the_page_knows_what_the_product_calls():
    rows = ROW.findall(PAGE.read_text())
    called = {xform_name(operation) for _, operation, callers in rows if "product" in callers}
    names: list[Any] = [model(service).operation_names for service in SCENARIOS]
    known = {xform_name(name) for some in names for name in some}
    assert _called_names() & known - NOT_AWS <= called


def _called_names() -> set[str]:
    """Names of methods called and of pages asked for, in the product's own code."""
    names: set[str] = set()
    for folder in PRODUCT:
        for path in (ROOT / folder).glob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                    names.add(_asked_for(node, node.func.attr))
    return names


def _asked_for(call: ast.Call, method: str) -> str:
    if method != "get_paginator":
        return method
    name = call.args[0]
    assert isinstance(name, ast.Constant)
    return str(name.value)
