"""Tool name and arguments in, the tool's result out, over the wire: AgentCore Gateway's shape, by Lambda invoke."""

import base64
import json
import re
from typing import Any, Protocol

from agent.mcp_gateway import open_mcp_gateway
from agent.tool_search import lexical
from mlops.aws.clients import Aws, translated
from mlops.aws.faults import scrubbed
from mlops.aws.gateway import DELIMITER, SERVICE, target_name
from mlops.errors import FaultError, RefusedError, RequestError, from_wire
from mlops.settings import LOCAL_GATEWAY_ID
from mlops.tool_spec import ToolSpec
from mlops.tools import TOOLS

# The pattern of real Gateway ids in the AWS service model.
_ID = re.compile(r"([0-9a-z][-]?){1,100}-[0-9a-z]{10}")
_URL = re.compile(r"https://[a-z0-9.-]+(:\d+)?(/[\w./-]*)?|http://127\.0\.0\.1:\d+(/[\w./-]*)?")


class ToolGateway(Protocol):
    """Tools by plain name; failures of a tool are raised as the OpsError that it answered."""

    def list_tools(self) -> list[ToolSpec]: ...

    def search_tools(self, query: str, top_k: int = 5) -> list[ToolSpec]: ...

    def invoke_tool(self, name: str, arguments: dict[str, Any]) -> dict[str, Any]: ...


class LambdaGateway:
    """Invokes the tools' functions by name, with the client context that the Gateway would send."""

    def __init__(self, aws: Aws):
        self._lambda = aws.client("lambda")

    def list_tools(self) -> list[ToolSpec]:
        return sorted(TOOLS.values(), key=lambda spec: spec.name)

    def search_tools(self, query: str, top_k: int = 5) -> list[ToolSpec]:
        """Lexical: the tools that share most words with the query."""
        return lexical(self.list_tools(), query, top_k)

    def invoke_tool(self, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """Raises the tool's own OpsError, or FaultError when its function crashed."""
        spec = TOOLS.get(name)
        if spec is None:
            raise RequestError("unknown_tool", f"There is no tool {name[:80]!r}.")
        with translated():
            answer = self._lambda.invoke(
                FunctionName=spec.function_name,
                Payload=json.dumps(arguments).encode(),
                ClientContext=_client_context(name),
            )
            payload = answer["Payload"].read()
        return _result(name, payload, failed="FunctionError" in answer)


def open_gateway(aws: Aws) -> ToolGateway:
    """The gateway that the settings name; RequestError says what to set."""
    settings = aws.settings
    if settings.uses_lambda_gateway:
        return LambdaGateway(aws)
    if _URL.fullmatch(settings.gateway_id):
        return open_mcp_gateway(aws, settings.gateway_id)
    if _ID.fullmatch(settings.gateway_id):
        return open_mcp_gateway(aws, _url(aws, settings.gateway_id))
    raise RequestError(
        "bad_setting",
        f"AGENTCORE_GATEWAY_ID={settings.gateway_id[:120]!r} is neither a Gateway id "
        f"(name-0123456789) nor its URL; correct it, or set AGENTCORE_GATEWAY_ID="
        f"{LOCAL_GATEWAY_ID} or USE_AGENTCORE_GATEWAY=false to call the tools' Lambda functions "
        "directly.",
    )


def _url(aws: Aws, gateway_id: str) -> str:
    """As AWS tells it; as it is always built, for whom AWS does not."""
    try:
        with translated():
            found = aws.client(SERVICE).get_gateway(gatewayIdentifier=gateway_id)
        return found["gatewayUrl"]
    except RefusedError:
        if aws.settings.endpoint_url:
            raise
        region = aws.settings.region
        return f"https://{gateway_id}.gateway.bedrock-agentcore.{region}.amazonaws.com/mcp"


def _client_context(name: str) -> str:
    custom = {
        "bedrockAgentCoreToolName": f"{target_name(name)}{DELIMITER}{name}",
        "bedrockAgentCoreMessageVersion": "1.0",
        "bedrockAgentCoreGatewayId": LOCAL_GATEWAY_ID,
        "bedrockAgentCoreTargetId": target_name(name),
    }
    return base64.b64encode(json.dumps({"custom": custom}).encode()).decode()


def _result(name: str, payload: bytes, failed: bool) -> dict[str, Any]:
    try:
        body = json.loads(payload)
    except ValueError as error:
        raise FaultError("tool_failed", f"{name} answered no JSON.") from error
    if failed or not isinstance(body, dict):
        reason = body.get("errorMessage", "") if isinstance(body, dict) else ""
        why = scrubbed(str(reason)) or "no reason given"
        raise FaultError("tool_failed", f"{name} failed: {why}")
    if "error" in body:
        raise from_wire(body)
    return body
