"""The wire: routing, protocols, typed answers for everything."""

import gzip
import json
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError, EventStreamError
from starlette.requests import Request
from starlette.responses import Response

from localaws.errors import AwsError
from localaws.intake import MAX_BODY_BYTES
from localaws.server import Server
from localaws.wire import create_app

INVOKE = "/2015-03-31/functions/f/invocations?X-Amz-Credential=a/20261122/us-east-1/lambda/aws4"


class Runtime:
    service_name = "bedrock-runtime"

    def converse_stream(self, request: dict[str, Any]) -> dict[str, Any]:
        def events() -> Iterator[dict[str, Any]]:
            yield {"messageStart": {"role": "assistant"}}
            delta = {"delta": {"text": request["modelId"]}, "contentBlockIndex": 0}
            yield {"contentBlockDelta": delta}
            if request["modelId"] == "slow":
                raise AwsError("ThrottlingException", "too much")
            if request["modelId"] == "broken":
                raise KeyError("oops")

        return {"stream": events()}


class Functions:
    service_name = "lambda"

    def invoke(self, request: dict[str, Any]) -> dict[str, Any]:
        status = 202 if request.get("InvocationType") == "Event" else 200
        return {"StatusCode": status, "Payload": request["Payload"], "FunctionError": "Unhandled"}

    def get_function(self, request: dict[str, Any]) -> dict[str, Any]:
        raise AwsError(
            "ResourceNotFoundException", f"Function not found: {request['FunctionName']}"
        )

    def list_functions(self, _: dict[str, Any]) -> dict[str, Any]:
        raise ZeroDivisionError("a bug")


class Sage:
    service_name = "sagemaker"

    def list_training_jobs(self, request: dict[str, Any]) -> dict[str, Any]:
        created = request["CreationTimeAfter"]
        assert created.tzinfo is UTC
        summary = {
            "TrainingJobName": "j",
            "TrainingJobArn": "arn:aws:sagemaker:us-east-1:000000000000:training-job/j",
            "CreationTime": created,
            "TrainingJobStatus": "InProgress",
        }
        return {"TrainingJobSummaries": [summary]}


async def no_s3(_: Request) -> Response:
    return Response(status_code=501)


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    server = Server(create_app([Runtime(), Functions(), Sage()], no_s3))
    server.start()
    yield server.endpoint
    server.stop()


@pytest.fixture(scope="module")
def clients(endpoint: str, connect: Callable[[str, str], Any]) -> Iterator[Callable[[str], Any]]:
    made: dict[str, Any] = {}

    def client(name: str) -> Any:
        made[name] = made.get(name) or connect(endpoint, name)
        return made[name]

    yield client
    for one in made.values():
        one.close()


def test_health(endpoint: str):
    with urllib.request.urlopen(f"{endpoint}/_local/health") as answer:
        assert json.load(answer)["services"] == ["bedrock-runtime", "lambda", "s3", "sagemaker"]


def test_unsigned_requests_are_refused(endpoint: str):
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(f"{endpoint}/anything")
    assert caught.value.code == 403
    assert json.load(caught.value)["__type"] == "MissingAuthenticationToken"


def test_foreign_host_names_are_refused(endpoint: str):
    request = urllib.request.Request(f"{endpoint}/", headers={"Host": "evil.example"})
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request)
    assert caught.value.code == 403
    caught.value.close()


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://[", "http://127.0.0.2"]
)
def test_pages_of_another_origin_are_refused(endpoint: str, origin: str):
    """Credentials in the query need no preflight: a page could invoke a function with them."""
    refused = post(endpoint + INVOKE, b"{}", {"Origin": origin})
    assert refused["__type"] == "AccessDeniedException"


def test_pages_of_this_machine_are_served(endpoint: str):
    request = urllib.request.Request(
        endpoint + INVOKE, b'{"a": 1}', {"Origin": "http://localhost:8501"}
    )
    with urllib.request.urlopen(request) as answer:
        assert answer.read() == b'{"a": 1}'


def test_event_stream(clients: Callable[[str], Any]):
    events = converse(clients, "anthropic.claude:1/x")
    assert [next(iter(event)) for event in events] == ["messageStart", "contentBlockDelta"]
    assert events[1]["contentBlockDelta"]["delta"]["text"] == "anthropic.claude:1/x"


@pytest.mark.parametrize(
    ("model", "code"),
    [("slow", "throttlingException"), ("broken", "internalServerException")],
)
def test_errors_in_mid_stream(clients: Callable[[str], Any], model: str, code: str):
    with pytest.raises(EventStreamError) as caught:
        converse(clients, model)
    assert caught.value.response["Error"]["Code"] == code


def converse(clients: Callable[[str], Any], model: str) -> list[dict[str, Any]]:
    message = {"role": "user", "content": [{"text": "hello"}]}
    answer = clients("bedrock-runtime").converse_stream(modelId=model, messages=[message])
    with closing(answer["stream"]) as stream:
        return list(stream)


def test_raw_payload_and_status_member(clients: Callable[[str], Any]):
    answer = clients("lambda").invoke(
        FunctionName="f", Payload=b'{"a": 1}', InvocationType="Event"
    )
    assert (answer["StatusCode"], answer["FunctionError"]) == (202, "Unhandled")
    assert answer["Payload"].read() == b'{"a": 1}'


def test_times_are_aware_both_ways(clients: Callable[[str], Any]):
    at = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    answer = clients("sagemaker").list_training_jobs(CreationTimeAfter=at)
    assert answer["TrainingJobSummaries"][0]["CreationTime"] == at


def test_modelled_errors_keep_class_and_status(clients: Callable[[str], Any]):
    client = clients("lambda")
    with pytest.raises(client.exceptions.ResourceNotFoundException) as caught:
        client.get_function(FunctionName="absent")
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 404
    assert "absent" in caught.value.response["Error"]["Message"]


@pytest.mark.parametrize(
    ("service", "operation", "arguments", "named"),
    [
        ("lambda", "list_layers", {}, "lambda.ListLayers"),
        ("sagemaker", "list_models", {}, "sagemaker.ListModels"),
        ("sts", "get_caller_identity", {}, "sts.GetCallerIdentity"),
        ("ec2", "describe_vpcs", {}, "ec2.DescribeVpcs"),
        ("dynamodb", "list_tables", {}, "DynamoDB_20120810.ListTables"),
    ],
)
def test_what_is_not_there_is_named(
    clients: Callable[[str], Any], service: str, operation: str, arguments: Any, named: str
):
    with pytest.raises(ClientError) as caught:
        getattr(clients(service), operation)(**arguments)
    error = caught.value.response
    assert error["Error"]["Code"] == "NotImplemented"
    assert error["Error"]["Message"] == f"{named} is not part of the embedded AWS"
    assert error["ResponseMetadata"]["HTTPStatusCode"] == 501


def test_a_bug_is_a_typed_fault(clients: Callable[[str], Any]):
    with pytest.raises(ClientError, match="InternalFailure.*ZeroDivisionError"):
        clients("lambda").list_functions()


def test_broken_json_and_missing_members(endpoint: str):
    target = {"X-Amz-Target": "SageMaker.DescribeTrainingJob"}
    assert post(endpoint, b"{", target)["__type"] == "NotImplemented"
    target = {"X-Amz-Target": "SageMaker.ListTrainingJobs"}
    assert post(endpoint, b'{"CreationTimeAfter": "x"}', target)["__type"] == (
        "SerializationException"
    )


def test_bodies_that_are_not_what_they_say(endpoint: str):
    target = {"X-Amz-Target": "SageMaker.ListTrainingJobs", "Content-Encoding": "gzip"}
    whole = gzip.compress(b'{"MaxResults": 1}')
    for body in (b"{}", b"", whole[:-9], whole + b"{}"):
        assert post(endpoint, body, target)["__type"] == "SerializationException"
    signed = f"{endpoint}/?X-Amz-Credential=a/20261122/us-east-1/sts/aws4"
    with pytest.raises(urllib.error.HTTPError, match="501"):
        urllib.request.urlopen(signed, b"Action=\xff").close()


def test_memory_holds_no_body_of_any_size(endpoint: str):
    target = {"X-Amz-Target": "SageMaker.ListTrainingJobs"}
    too_large = b" " * (MAX_BODY_BYTES + 1)
    assert post(endpoint, too_large, target)["__type"] == "RequestEntityTooLargeException"
    packed = gzip.compress(too_large, compresslevel=1)
    target["Content-Encoding"] = "gzip"
    assert post(endpoint, packed, target)["__type"] == "RequestEntityTooLargeException"


def post(endpoint: str, body: bytes, headers: dict[str, str]) -> dict[str, Any]:
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(urllib.request.Request(endpoint, body, headers))
    with caught.value as error:
        return json.load(error)
