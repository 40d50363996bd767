"""MCP as AgentCore Gateway speaks it: a JSON-RPC request to one gateway in, its result out.

A tool call is a call of its Lambda function, with the bare arguments as the event and the names
in the client context. How AWS words failures is not documented beyond `exceptionLevel`.
"""

import base64
import json
import logging
import uuid
from collections.abc import Callable, Mapping
from typing import Any

import orjson

from localaws.errors import AwsError
from localaws.gateway import Gateway, Gateways
from localaws.gateway_tools import SEARCH_LISTED, SEARCH_TOOL, Tool, misfit, search
from localaws.paging import text_of, token_of

INVALID_REQUEST = -32600
UNKNOWN_METHOD = -32601
INVALID_PARAMETERS = -32602
INTERNAL = -32603

_LOG = logging.getLogger(__name__)
_PAGE_SIZE = 5
"""Small, so that every client meets a second page."""
_GENERIC = "An internal error occurred. Please retry later."

Invoke = Callable[[dict[str, Any]], dict[str, Any]]
"""Lambda's Invoke: boto3's parameters in, its output with the payload as bytes out."""


class RpcError(Exception):
    """A JSON-RPC error."""

    def __init__(self, code: int, message: str):
        super().__init__(message)
        self.code = code
        self.message = message


class Protocol:
    """The methods after the handshake's bookkeeping, which is the endpoint's."""

    def __init__(self, gateways: Gateways, invoke: Invoke):
        self._gateways = gateways
        self._invoke = invoke

    def answer(self, gateway: Gateway, request: Mapping[str, Any]) -> dict[str, Any]:
        """The `result`; raises RpcError."""
        parameters = request.get("params") or {}
        if not isinstance(parameters, dict):
            raise RpcError(INVALID_PARAMETERS, "params must be an object")
        if request["method"] == "initialize":
            return _introduction(gateway, parameters)
        if request["method"] == "ping":
            return {}
        if request["method"] == "tools/list":
            return self._list(gateway, parameters)
        if request["method"] == "tools/call":
            return self._call(gateway, parameters, request["id"])
        raise RpcError(UNKNOWN_METHOD, f"Method not found: {request['method']}")

    def _list(self, gateway: Gateway, parameters: Mapping[str, Any]) -> dict[str, Any]:
        tools = [tool.listed() for tool in self._gateways.tools(gateway.id)]
        whole = [SEARCH_LISTED, *tools] if gateway.searches else tools
        if gateway.mcp.get("disableMcpListToolsPagination"):
            return {"tools": whole}
        start = _start(parameters.get("cursor"))
        page = {"tools": whole[start : start + _PAGE_SIZE]}
        following = start + _PAGE_SIZE
        return page | ({"nextCursor": token_of(str(following))} if following < len(whole) else {})

    def _call(self, gateway: Gateway, parameters: Mapping[str, Any], id: Any) -> dict[str, Any]:
        name, arguments = parameters.get("name"), parameters.get("arguments") or {}
        if not isinstance(arguments, dict):
            raise RpcError(INVALID_PARAMETERS, "arguments must be an object")
        tools = self._gateways.tools(gateway.id)
        if name == SEARCH_TOOL and gateway.searches:
            return _search(tools, arguments)
        tool = next((tool for tool in tools if tool.name == name), None)
        if tool is None:
            raise RpcError(INVALID_PARAMETERS, f"Unknown tool: {str(name)[:100]}")
        problem = misfit(tool.definition["inputSchema"], arguments)
        if problem is not None:
            return _failure(f"Input validation error: {problem}")
        return self._run(gateway, tool, arguments, id)

    def _run(
        self, gateway: Gateway, tool: Tool, arguments: dict[str, Any], id: Any
    ) -> dict[str, Any]:
        call = {
            "FunctionName": tool.function,
            "Payload": orjson.dumps(arguments),
            "ClientContext": _client_context(gateway, tool, id),
        }
        try:
            output = self._invoke(call)
        except AwsError as error:
            return _failure(f"{error.code}: {error.message}" if gateway.explains else _GENERIC)
        payload: bytes = output["Payload"]
        if "FunctionError" in output:
            _LOG.warning("%s failed: %s", tool.name, payload[:300])
            return _failure(_reason(payload) if gateway.explains else _GENERIC)
        return _success(orjson.loads(payload), payload.decode())


def _introduction(gateway: Gateway, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The version that was asked for where the gateway speaks it, else its newest."""
    asked = parameters.get("protocolVersion")
    if not isinstance(asked, str):
        raise RpcError(INVALID_PARAMETERS, "protocolVersion is required")
    version = asked if asked in gateway.versions else gateway.versions[0]
    told = gateway.mcp.get("instructions")
    return {
        "protocolVersion": version,
        "capabilities": {"tools": {"listChanged": False}},
        "serverInfo": {"name": gateway.id, "version": "1.0.0"},
        **({"instructions": told} if told else {}),
    }


def _start(cursor: Any) -> int:
    try:
        return int(text_of(cursor, "")) if cursor is not None else 0
    except (AwsError, AttributeError, ValueError) as error:
        raise RpcError(INVALID_PARAMETERS, "Invalid cursor") from error


def _search(tools: list[Tool], arguments: Mapping[str, Any]) -> dict[str, Any]:
    problem = misfit(SEARCH_LISTED["inputSchema"], arguments)
    if problem is not None:
        return _failure(f"Input validation error: {problem}")
    found = {"tools": [tool.listed() for tool in search(tools, arguments["query"])]}
    return _success(found, json.dumps(found))


def _client_context(gateway: Gateway, tool: Tool, message_id: Any) -> str:
    custom = {
        "bedrockAgentCoreToolName": tool.name,
        "bedrockAgentCoreMessageVersion": "1.0",
        "bedrockAgentCoreAwsRequestId": str(uuid.uuid4()),
        "bedrockAgentCoreMcpMessageId": str(message_id),
        "bedrockAgentCoreGatewayId": gateway.id,
        "bedrockAgentCoreTargetId": tool.target_id,
    }
    return base64.b64encode(orjson.dumps({"custom": custom})).decode()


def _reason(payload: bytes) -> str:
    said = orjson.loads(payload)
    return f"{said.get('errorType', 'Error')}: {said.get('errorMessage', '')}"


def _success(value: Any, text: str) -> dict[str, Any]:
    structured = {"structuredContent": value} if isinstance(value, dict) else {}
    return {"content": [{"type": "text", "text": text}], "isError": False, **structured}


def _failure(text: str) -> dict[str, Any]:
    return {"content": [{"type": "text", "text": text}], "isError": True}
