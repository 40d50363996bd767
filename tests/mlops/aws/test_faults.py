"""Each error that an operation of ours can answer has words and a code of ours, without details of the account."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore import exceptions as raised
from botocore import xform_name
from botocore.exceptions import BotoCoreError, ClientError

from mlops.aws.clients import translate
from mlops.aws.faults import scrubbed
from mlops.errors import FaultError, OpsError, RefusedError, RequestError
from tests.mlops.aws.embedded import client_error

ROOT = Path(__file__).resolve().parents[3]
FOLDERS = ("agent", "lambdas", "mlops", "workbench")
# Asked for by a constant or as a resource, which the walk below does not see.
MORE_SERVICES = {"bedrock-agentcore-control", "dynamodb"}
ACCOUNT = "123456789012"
# What any service may answer: AWS's common errors, and what gateways before it say.
COMMON = (
    "AccessDenied AccessDeniedException ExpiredToken ExpiredTokenException IncompleteSignature"
    " InternalFailure InternalServerError InvalidAction InvalidClientTokenId InvalidSignatureException"
    " MalformedQueryString MissingAuthenticationToken NotAuthorized OptInRequired RequestExpired"
    " RequestLimitExceeded RequestTimeout RequestTimeTooSkewed ServiceUnavailable SignatureDoesNotMatch"
    " SlowDown Throttling ThrottledException ThrottlingException TooManyRequestsException"
    " UnknownOperationException UnrecognizedClientException ValidationError ValidationException"
    " CapacityError InsufficientInstanceCapacity BandwidthLimitExceeded PriorRequestNotComplete"
).split()


def trees() -> Iterator[ast.AST]:
    for folder in FOLDERS:
        for path in (ROOT / folder).rglob("*.py"):
            yield from ast.walk(ast.parse(path.read_text("utf-8")))


def operations() -> list[tuple[str, Any]]:
    """(service, operation model) of all that the code calls; methods are taken by their name."""
    services, names = set(MORE_SERVICES), set[str]()
    for node in trees():
        if isinstance(node, ast.Attribute):
            names.add(node.attr)
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        first = node.args[0] if node.args else None
        if isinstance(first, ast.Constant) and isinstance(first.value, str):
            if node.func.attr == "client":
                services.add(first.value)
            if node.func.attr == "get_paginator":
                names.add(first.value)
    session = botocore.session.get_session()
    models: dict[str, Any] = {name: session.get_service_model(name) for name in services}
    return [
        (service, model.operation_model(operation))
        for service, model in sorted(models.items())
        for operation in model.operation_names
        if xform_name(operation) in names
    ]


def modelled() -> list[tuple[str, str]]:
    return [
        (f"{service}.{operation.name}", str(shape.error_code))
        for service, operation in operations()
        for shape in operation.error_shapes
    ]


def test_the_walk_sees_what_we_call():
    called = {f"{service}.{operation.name}" for service, operation in operations()}
    assert called >= {
        "sagemaker.CreateTrainingJob",
        "sagemaker.ListTrainingJobs",
        "dynamodb.TransactWriteItems",
        "lambda.Invoke",
        "bedrock-runtime.ConverseStream",
        "bedrock.GetInferenceProfile",
        "s3.GetObject",
        "service-quotas.RequestServiceQuotaIncrease",
    }


def test_no_modelled_error_is_unknown():
    unknown = [(o, c) for o, c in modelled() if translate(client_error(c)).code == "aws_error"]
    assert unknown == []


@pytest.mark.parametrize("code", COMMON)
def test_no_common_error_is_unknown(code: str):
    assert translate(client_error(code)).code != "aws_error"


def test_an_error_in_mid_stream_has_a_lower_case_code():
    for code, ours in (("throttlingException", "throttled"), ("validationException", None)):
        error = translate(client_error(code))
        assert error.code == (ours or "invalid_request")


@pytest.mark.parametrize(
    ("code", "cls", "ours", "ways"),
    [
        ("ResourceLimitExceeded", RefusedError, "quota", ["wait", "instance", "quota"]),
        ("CapacityError", RefusedError, "no_capacity", ["wait", "instance"]),
        ("AccessDeniedException", RefusedError, "access_denied", []),
        ("UnrecognizedClientException", RefusedError, "no_credentials", []),
        ("ExpiredTokenException", RefusedError, "no_credentials", []),
        ("ValidationException", RequestError, "invalid_request", []),
        ("ResourceNotFound", RequestError, "not_found", []),
        ("NoSuchKey", RequestError, "not_found", []),
        ("ThrottlingException", FaultError, "throttled", ["retry"]),
        ("SlowDown", FaultError, "throttled", ["retry"]),
        ("TransactionCanceledException", FaultError, "changed_meanwhile", ["retry"]),
        ("InternalServerError", FaultError, "unavailable", ["retry"]),
        ("KMSAccessDeniedException", RefusedError, "encryption_key", []),
        ("ENILimitReachedException", FaultError, "tool_broken", []),
        ("ModelNotReadyException", FaultError, "model_not_ready", ["retry", "model"]),
        ("SomethingNew", FaultError, "aws_error", ["retry"]),
    ],
)
def test_class_code_and_ways_out(code: str, cls: type[OpsError], ours: str, ways: list[str]):
    error = translate(client_error(code, "Their words."))
    assert (type(error), error.code) == (cls, ours)
    assert [a.kind for a in error.alternatives] == ways


@pytest.mark.parametrize(
    ("words", "ours"),
    [
        ("Requested resource not found.", "not_found"),
        ('No S3 objects found under S3 URL "s3://b/p"', "not_found"),
        ("Could not assume role arn:aws:iam::123456789012:role/x", "access_denied"),
        ("Insufficient ml.g5.xlarge capacity in this zone", "no_capacity"),
        ("The security token included in the request is expired", "no_credentials"),
        ("1 validation error detected", "invalid_request"),
    ],
)
def test_one_code_with_several_meanings(words: str, ours: str):
    assert translate(client_error("ValidationException", words)).code == ours


@pytest.mark.parametrize(
    ("reason", "ours"),
    [
        ("ConditionalCheckFailed", "changed_meanwhile"),
        ("ThrottlingError", "throttled"),
        ("ProvisionedThroughputExceeded", "throttled"),
        ("ItemCollectionSizeLimitExceeded", "too_large"),
        ("ValidationError", "invalid_request"),
    ],
)
def test_why_a_transaction_was_cancelled(reason: str, ours: str):
    body: Any = {
        "Error": {"Code": "TransactionCanceledException", "Message": "Transaction cancelled"},
        "CancellationReasons": [{"Code": "None"}, {"Code": reason}],
    }
    assert translate(ClientError(body, "TransactWriteItems")).code == ours


@pytest.mark.parametrize(
    ("status", "ours"),
    [
        (401, "no_credentials"),
        (403, "access_denied"),
        (404, "not_found"),
        (429, "throttled"),
        (500, "unavailable"),
        (503, "unavailable"),
        (418, "aws_error"),
    ],
)
def test_a_code_that_nobody_knows_goes_by_its_status(status: int, ours: str):
    """S3 answers HEAD with nothing but the number."""
    assert translate(client_error(str(status), "Nope", status)).code == ours


@pytest.mark.parametrize(
    ("error", "ours"),
    [
        (raised.EndpointConnectionError(endpoint_url="https://secret.example"), "aws_unreachable"),
        (raised.ConnectTimeoutError(endpoint_url="https://secret.example"), "aws_unreachable"),
        (raised.ReadTimeoutError(endpoint_url="https://secret.example"), "aws_unreachable"),
        (raised.NoCredentialsError(), "no_credentials"),
        (raised.UnauthorizedSSOTokenError(), "no_credentials"),
        (raised.ProfileNotFound(profile="nobody"), "bad_setting"),
        (raised.NoRegionError(), "bad_setting"),
        (raised.ParamValidationError(report="x"), "invalid_request"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_was_never_answered(error: BotoCoreError, ours: str):
    found = translate(error)
    assert found.code == ours
    assert "secret.example" not in found.message


def test_a_missing_permission_is_named_and_nobody_else():
    words = (
        f"User: arn:aws:sts::{ACCOUNT}:assumed-role/team/ada is not authorized to perform: "
        f"sagemaker:CreateTrainingJob on resource: arn:aws:sagemaker:us-east-1:{ACCOUNT}:job/x"
    )
    error = translate(client_error("AccessDeniedException", words))
    assert error.message == (
        "AWS does not allow this. The permission sagemaker:CreateTrainingJob is missing."
    )


def test_words_go_without_accounts_keys_and_ids():
    plain = scrubbed(
        f"arn:aws:sagemaker:us-east-1:{ACCOUNT}:training-job/j-1 of {ACCOUNT} by "
        "AKIAIOSFODNN7EXAMPLE is\x1b[31m bad (Request ID: 0a1b-2c; Proxy: null) " + "x" * 999
    )
    assert plain.startswith("training-job/j-1 of … by … is [31m bad")
    assert "0a1b" not in plain and len(plain) <= 301


@pytest.mark.parametrize(
    "secret",
    [
        "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        "IQoJb3JpZ2luX2VjEMj" + "aB3/" * 100 + "==",
        "0123456789abcdef" * 4,
        f"acct{ACCOUNT}x",
        f"llmops_{ACCOUNT}",
        "ada.lovelace@example.com",
        "keyAKIAIOSFODNN7EXAMPLE",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhZGEifQ.abc-def_ghi",
    ],
)
def test_no_secret_passes(secret: str):
    plain = scrubbed(f"The request of {secret} was bad, {secret}.")
    assert not any(part in plain for part in (secret, ACCOUNT, "lovelace", "IOSFODNN", "FEMI"))
    assert plain.startswith("The request of ") and "was bad" in plain


@pytest.mark.parametrize(
    ("words", "plain"),
    [
        (
            "GET https://b.s3.amazonaws.com/k?X-Amz-Signature=abc123&X-Amz-Security-Token=FwoG/x%3D&a=1",
            "GET https://b.s3.amazonaws.com/k?X-Amz-Signature=…&X-Amz-Security-Token=…&a=1",
        ),
        ("Credential=AKIA/2026/x, Signature=ff00", "Credential=…, Signature=…"),
        (
            f"User: arn:aws:sts::{ACCOUNT}:assumed-role/team/ada@example.com may not",
            "User: assumed-role/… may not",
        ),
        (f"arn:aws:iam::{ACCOUNT}:user/ada is unknown", "user/… is unknown"),
        ("Authorization: Bearer abc.def", "Authorization: Bearer …"),
    ],
)
def test_what_is_taken_out_and_what_is_left(words: str, plain: str):
    assert scrubbed(words) == plain


@pytest.mark.parametrize(
    "words",
    [
        "The dataset ciER-small-2026 has 12345 sentences; see s3://llmops-datasets/prepared/cier/v1",
        f"No object at s3://llmops-datasets/prepared/cier/{'0123456789abcdef' * 4}/train.tsv",
        "llmops-cier-small-distilbert-base-uncased-20261122-plan-0a1b2c3d4e5f6071-s1-a1 is running",
        "opt/ml/input/data/training/part0001/shard00012/train in the container",
        "Donaudampfschifffahrtselektrizitaetenhauptbetriebswerk is a long word",
        "role/llmops-training cannot be assumed; job llmops-1 at 2026-11-22T12:00:00Z",
        "1 validation error detected: Value 'ml.g9.xlarge' at 'resourceConfig.instanceType'",
    ],
)
def test_what_a_person_needs_stays_readable(words: str):
    assert scrubbed(words) == words
