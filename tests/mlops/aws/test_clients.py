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
from mlops.errors import FaultError, RequestError
from tests.mlops.aws.embedded import Embedded, client_error

UNREACHABLE = EndpointConnectionError(endpoint_url="http://127.0.0.1:1")


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


def test_the_model_may_be_in_another_region(server: Embedded):
    aws = server.connect(bedrock_region="eu-west-1")
    regions = [
        aws.client(name).meta.region_name for name in ("bedrock", "bedrock-runtime", "lambda")
    ]
    assert regions == ["eu-west-1", "eu-west-1", "us-east-1"]


def test_who_pays_for_each_attempt_makes_each_attempt(server: Embedded):
    """A model call that botocore repeats would be paid twice and booked once."""
    config = server.connect().client("bedrock-runtime").meta.config
    assert config.retries["total_max_attempts"] == 1
    assert server.connect().client("sagemaker").meta.config.retries["mode"] == "standard"
