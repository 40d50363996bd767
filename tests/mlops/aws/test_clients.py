"""Clients are made once; every AWS error has one of ours."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, ReadTimeoutError

from mlops.aws.clients import (
    Aws,
    cancellation_reasons,
    error_code,
    is_uncertain,
    translate,
    translated,
)
from mlops.errors import FaultError, OpsError, RefusedError, RequestError
from tests.mlops.aws.embedded import Embedded, client_error

UNREACHABLE = EndpointConnectionError(endpoint_url="http://127.0.0.1:1")


@pytest.mark.parametrize(
    ("code", "cls", "ours"),
    [
        ("ResourceLimitExceeded", RefusedError, "quota"),
        ("CapacityError", RefusedError, "no_capacity"),
        ("AccessDenied", RefusedError, "access_denied"),
        ("AccessDeniedException", RefusedError, "access_denied"),
        ("UnrecognizedClientException", RefusedError, "access_denied"),
        ("ExpiredTokenException", RefusedError, "access_denied"),
        ("ValidationException", RequestError, "invalid_request"),
        ("ResourceNotFound", RequestError, "not_found"),
        ("ResourceNotFoundException", RequestError, "not_found"),
        ("NoSuchKey", RequestError, "not_found"),
        ("NoSuchBucket", RequestError, "not_found"),
        ("ThrottlingException", FaultError, "throttled"),
        ("ProvisionedThroughputExceededException", FaultError, "throttled"),
        ("SomethingNew", FaultError, "aws_error"),
    ],
)
def test_every_expected_code_is_mapped(code: str, cls: type[OpsError], ours: str):
    error = translate(client_error(code, "Their words."))
    assert (type(error), error.code) == (cls, ours)
    assert "Their words." in error.message


def test_a_full_quota_says_what_else_there_is():
    kinds = [a.kind for a in translate(client_error("ResourceLimitExceeded")).alternatives]
    assert kinds == ["wait", "instance", "quota"]


def test_no_connection_is_a_fault_that_may_pass():
    error = translate(UNREACHABLE)
    assert (type(error), error.code) == (FaultError, "aws_unreachable")
    assert error.alternatives[0].kind == "retry"


def test_translated_keeps_the_cause():
    cause = client_error("NoSuchKey")
    with pytest.raises(RequestError) as caught, translated():
        raise cause
    assert caught.value.__cause__ is cause


@pytest.mark.parametrize(
    ("error", "uncertain"),
    [
        (UNREACHABLE, True),
        (ReadTimeoutError(endpoint_url="x"), True),
        (client_error("InternalFailure", status=500), True),
        (client_error("ServiceUnavailable", status=503), True),
        (client_error("ValidationException"), False),
        (client_error("ThrottlingException"), False),
    ],
)
def test_what_may_have_happened(error: Exception, uncertain: bool):
    assert is_uncertain(error) is uncertain


def test_codes_and_reasons():
    error = ClientError(
        {
            "Error": {"Code": "TransactionCanceledException"},
            "CancellationReasons": [{"Code": "None"}, {"Code": "ConditionalCheckFailed"}],
        },
        "TransactWriteItems",
    )
    assert error_code(error) == "TransactionCanceledException"
    assert cancellation_reasons(error) == ["None", "ConditionalCheckFailed"]
    assert cancellation_reasons(client_error("X")) == []


def test_threads_share_one_client(server: Embedded):
    aws: Aws = server.connect()
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: aws.client("s3"), range(16)))
    assert len({id(client) for client in made}) == 1


def test_prices_are_asked_where_they_are_told(server: Embedded):
    aws = server.connect(region="eu-central-1")
    assert aws.client("pricing").meta.region_name == "us-east-1"
    assert aws.client("s3").meta.region_name == "eu-central-1"
