"""The Gateway's control plane through boto3: life of gateways and targets, and what is refused."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.gateway import Gateways
from localaws.server import Server
from localaws.store import Store
from localaws.wire import create_app
from tests.localaws.conftest import Checked
from tests.localaws.mcp import GATEWAY, no_s3, target

SERVICE = "bedrock-agentcore-control"


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory, connect: Callable[..., Any]) -> Iterator[Any]:
    store = Store(tmp_path_factory.mktemp("gateway"))
    gateways = Checked(Gateways(store, lambda: server.endpoint))
    server = Server(create_app([gateways], no_s3))
    server.start()
    made = connect(server.endpoint, SERVICE)
    yield made
    made.close()
    server.stop()
    store.close()


@pytest.fixture
def gateway(client: Any) -> Iterator[dict[str, Any]]:
    made = client.create_gateway(**GATEWAY)
    yield made
    where = {"gatewayIdentifier": made["gatewayId"]}
    for item in client.list_gateway_targets(**where)["items"]:
        client.delete_gateway_target(**where, targetId=item["targetId"])
    client.delete_gateway(**where)


def code(error: pytest.ExceptionInfo[ClientError]) -> str:
    return error.value.response["Error"]["Code"]


def test_a_gateway_is_made_found_listed_and_deleted(client: Any):
    made = client.create_gateway(**GATEWAY, description="tools")
    where = {"gatewayIdentifier": made["gatewayId"]}
    assert made["status"] == "CREATING"
    assert made["gatewayId"].startswith("aiops-")
    assert made["gatewayUrl"].endswith(f"/gateways/{made['gatewayId']}/mcp")
    found = client.get_gateway(**where)
    assert (found["status"], found["description"]) == ("READY", "tools")
    assert found["protocolConfiguration"] == GATEWAY["protocolConfiguration"]
    assert [g["gatewayId"] for g in client.list_gateways()["items"]] == [made["gatewayId"]]
    assert client.delete_gateway(**where)["status"] == "DELETING"
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.get_gateway(**where)


def test_a_client_token_makes_one_gateway(client: Any):
    token = "a" * 40
    first = client.create_gateway(**GATEWAY, clientToken=token)
    again = client.create_gateway(**GATEWAY, clientToken=token)
    assert first["gatewayId"] == again["gatewayId"]
    with pytest.raises(client.exceptions.ConflictException):
        client.create_gateway(**GATEWAY)
    client.delete_gateway(gatewayIdentifier=first["gatewayId"])


def test_a_target_is_made_changed_and_deleted(client: Any, gateway: dict[str, Any]):
    where = {"gatewayIdentifier": gateway["gatewayId"]}
    made = client.create_gateway_target(**where, **target("costs", "get_costs"))
    this = {**where, "targetId": made["targetId"]}
    assert made["status"] == "CREATING"
    assert client.get_gateway_target(**this)["status"] == "READY"
    changed = target("costs", "get_costs", "list_costs")
    client.update_gateway_target(**this, **changed)
    found = client.get_gateway_target(**this)
    assert found["targetConfiguration"] == changed["targetConfiguration"]
    assert found["createdAt"] == made["createdAt"] < found["updatedAt"]
    (item,) = client.list_gateway_targets(**where)["items"]
    assert (item["name"], item["targetType"]) == ("costs", "LAMBDA")
    with pytest.raises(client.exceptions.ConflictException):
        client.create_gateway_target(**where, **target("costs", "other"))
    with pytest.raises(client.exceptions.ConflictException):
        client.delete_gateway(**where)
    client.delete_gateway_target(**this)
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.get_gateway_target(**this)


def test_lists_come_in_pages(client: Any, gateway: dict[str, Any]):
    where = {"gatewayIdentifier": gateway["gatewayId"]}
    for number in range(5):
        client.create_gateway_target(**where, **target(f"t{number}", "tool"))
    pages = client.get_paginator("list_gateway_targets").paginate(
        **where, PaginationConfig={"PageSize": 2}
    )
    assert [len(page["items"]) for page in pages] == [2, 2, 1]


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "with space"},
        {"roleArn": "nobody"},
        {"authorizerType": "MAGIC"},
        {"authorizerType": "CUSTOM_JWT"},
        {"protocolConfiguration": {"mcp": {"supportedVersions": ["2024-11-05"]}}},
    ],
)
def test_what_does_not_fit_the_model_is_refused(client: Any, changes: dict[str, Any]):
    with pytest.raises(ClientError) as caught:
        client.create_gateway(**{**GATEWAY, **changes})
    assert code(caught) == "ValidationException"
    assert caught.value.response["reason"] == "FieldValidationFailed"


@pytest.mark.parametrize(
    "changes",
    [
        {"authorizerType": "AUTHENTICATE_ONLY"},
        {"interceptorConfigurations": [{"interceptor": {"lambda": {"arn": "arn:aws:lambda:us-east-1:000000000000:function:f"}}, "interceptionPoints": ["REQUEST"]}]},
    ],
)  # fmt: skip
def test_what_is_not_there_is_said(client: Any, changes: dict[str, Any]):
    with pytest.raises(ClientError) as caught:
        client.create_gateway(**{**GATEWAY, **changes})
    assert code(caught) == "NotImplemented"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"name": "under_score"}, "regular expression"),
        (
            {"credentialProviderConfigurations": [{"credentialProviderType": "API_KEY"}]},
            "GATEWAY_IAM_ROLE",
        ),
        (target("two", "same", "same"), "differ"),
    ],
)
def test_a_target_that_does_not_fit_is_refused(
    client: Any, gateway: dict[str, Any], change: dict[str, Any], says: str
):
    with pytest.raises(ClientError, match=says):
        request = {**target("t", "tool"), **change}
        client.create_gateway_target(gatewayIdentifier=gateway["gatewayId"], **request)


def test_other_kinds_of_targets_are_not_there(client: Any, gateway: dict[str, Any]):
    other = {"mcp": {"mcpServer": {"endpoint": "https://example.com/mcp"}}}
    with pytest.raises(ClientError, match="Lambda function with inline"):
        client.create_gateway_target(
            gatewayIdentifier=gateway["gatewayId"],
            **{**target("t", "tool"), "targetConfiguration": other},
        )
