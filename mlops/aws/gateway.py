"""Our tools at AgentCore Gateway: one gateway, and for each tool's function one Lambda target.

Repeating it changes only what differs. The gateway's role must be allowed to invoke the functions
(`lambda:InvokeFunction` on `llmops-tool-*`).
"""

import time
from collections.abc import Callable
from typing import Any

from pydantic import BaseModel, ConfigDict

from mlops.aws.clients import Aws, translated
from mlops.errors import FaultError, RequestError
from mlops.tool_spec import ToolSpec
from mlops.tools import TOOLS

SERVICE = "bedrock-agentcore-control"
DELIMITER = "___"
"""Between the names of target and tool."""
VERSIONS = ("2025-11-25", "2025-06-18")
"""Of MCP, that we speak; the newest first."""

_READY_SECONDS = 180.0
_PAUSE_SECONDS = 2.0
_WAITING = ("CREATING", "UPDATING")


class Registration(BaseModel):
    """`changed` are the targets that were made or altered now."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    gateway_id: str
    gateway_url: str
    created: bool
    targets: tuple[str, ...]
    changed: tuple[str, ...]


def target_name(tool: str) -> str:
    """Targets may not have underscores in their names."""
    return tool.replace("_", "-")


@translated()
def register(
    aws: Aws, name: str, role_arn: str, pause: Callable[[float], None] = time.sleep
) -> Registration:
    """Raises RequestError for a malformed name, FaultError when the Gateway does not get ready."""
    wait = _Wait(pause)
    gateway_id = _gateway_named(aws, name)
    created = gateway_id is None
    if gateway_id is None:
        gateway_id = _create(aws, name, role_arn)
    client = aws.client(SERVICE)
    found = wait.until_ready(lambda: client.get_gateway(gatewayIdentifier=gateway_id))
    present = _targets(aws, gateway_id)
    changed = [
        spec.name
        for spec in TOOLS.values()
        if _put_target(aws, gateway_id, spec, present.get(target_name(spec.name)), wait)
    ]
    return Registration(
        gateway_id=gateway_id,
        gateway_url=found["gatewayUrl"],
        created=created,
        targets=tuple(target_name(tool) for tool in TOOLS),
        changed=tuple(target_name(tool) for tool in changed),
    )


class _Wait:
    """For what AWS makes in its own time."""

    def __init__(self, pause: Callable[[float], None]):
        self._pause = pause

    def until_ready(self, look: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        waited = 0.0
        while (found := look())["status"] in _WAITING:
            if waited >= _READY_SECONDS:
                raise FaultError("gateway_slow", f"{found['name']} is not ready yet; try again.")
            self._pause(_PAUSE_SECONDS)
            waited += _PAUSE_SECONDS
        if found["status"] != "READY":
            reasons = "; ".join(found.get("statusReasons", [])) or "no reason given"
            raise FaultError("gateway_failed", f"{found['name']} is {found['status']}: {reasons}")
        return found


def _gateway_named(aws: Aws, name: str) -> str | None:
    pages = aws.client(SERVICE).get_paginator("list_gateways").paginate()
    found = (item for page in pages for item in page["items"])
    return next((item["gatewayId"] for item in found if item["name"] == name), None)


def _create(aws: Aws, name: str, role_arn: str) -> str:
    """Search can be switched on only now; failures are explained, since we are the one who reads them."""
    answer = aws.client(SERVICE).create_gateway(
        name=name,
        description="The tools of LLMOps",
        roleArn=role_arn,
        authorizerType="AWS_IAM",
        protocolType="MCP",
        protocolConfiguration={
            "mcp": {"searchType": "SEMANTIC", "supportedVersions": list(VERSIONS)}
        },
        exceptionLevel="DEBUG",
    )
    return answer["gatewayId"]


def _targets(aws: Aws, gateway_id: str) -> dict[str, str]:
    """Ids by name."""
    pages = aws.client(SERVICE).get_paginator("list_gateway_targets")
    found = pages.paginate(gatewayIdentifier=gateway_id)
    return {item["name"]: item["targetId"] for page in found for item in page["items"]}


def _put_target(
    aws: Aws, gateway_id: str, spec: ToolSpec, target_id: str | None, wait: _Wait
) -> bool:
    """False when it is there as it should be."""
    client, wanted = aws.client(SERVICE), target_request(spec, _function_arn(aws, spec))
    if target_id is None:
        made = client.create_gateway_target(gatewayIdentifier=gateway_id, **wanted)
        target_id = made["targetId"]
    else:
        where = {"gatewayIdentifier": gateway_id, "targetId": target_id}
        found = client.get_gateway_target(**where)
        if all(found.get(key) == value for key, value in wanted.items()):
            return False
        client.update_gateway_target(**where, **wanted)
    where = {"gatewayIdentifier": gateway_id, "targetId": target_id}
    wait.until_ready(lambda: client.get_gateway_target(**where))
    return True


def target_request(spec: ToolSpec, function_arn: str) -> dict[str, Any]:
    """CreateGatewayTarget's parameters for one tool, but for the gateway."""
    tool = {
        "name": spec.name,
        "description": spec.description,
        "inputSchema": spec.gateway_schema(),
    }
    function = {"lambdaArn": function_arn, "toolSchema": {"inlinePayload": [tool]}}
    return {
        "name": target_name(spec.name),
        "targetConfiguration": {"mcp": {"lambda": function}},
        "credentialProviderConfigurations": [{"credentialProviderType": "GATEWAY_IAM_ROLE"}],
    }


def _function_arn(aws: Aws, spec: ToolSpec) -> str:
    client = aws.client("lambda")
    try:
        return client.get_function_configuration(FunctionName=spec.function_name)["FunctionArn"]
    except client.exceptions.ResourceNotFoundException as error:
        raise RequestError(
            "missing_function",
            f"There is no function {spec.function_name}: deploy the tools first.",
        ) from error
