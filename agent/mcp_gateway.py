"""Tool name and arguments in, the tool's result out, through AgentCore Gateway's MCP endpoint."""

import json
import re
import threading
import time
from collections.abc import Callable
from typing import Any

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from pydantic import SecretStr, ValidationError

from agent.mcp_client import Authorize, McpClient, RpcError
from agent.mcp_offer import Offer, list_all, offer_of
from agent.mcp_replies import value_of
from agent.tool_search import lexical
from mlops.aws.clients import Aws
from mlops.aws.faults import scrubbed
from mlops.errors import FaultError, OpsError, RefusedError, RequestError, from_wire
from mlops.tool_spec import ToolSpec
from mlops.tools import TOOLS

SEARCH_TOOL = "x_amz_bedrock_agentcore_search"

_SIGNING_NAME = "bedrock-agentcore"
_HOST_REGION = re.compile(r"\.bedrock-agentcore\.([a-z0-9-]+)\.amazonaws\.com[:/]")
_LISTING_SECONDS = 30.0
_INVALID_PARAMETERS = -32602
_UNFIT = "Input validation error"
_REASON_CHARS = 4_000


def open_mcp_gateway(aws: Aws, url: str) -> "McpGateway":
    """With the token of the settings, else signed as the calls to AWS are."""
    token = aws.settings.gateway_token
    authorize = bearer(token) if token else sigv4(aws, url)
    return McpGateway(McpClient(url, authorize))


class McpGateway:
    """`list_tools` is at most half a minute old; a tool that is not known is looked for anew."""

    def __init__(self, client: McpClient, clock: Callable[[], float] = time.monotonic):
        self._client = client
        self._clock = clock
        self._lock = threading.Lock()
        self._offer: Offer | None = None
        self._listed_at = 0.0

    def list_tools(self) -> list[ToolSpec]:
        return sorted(self._offered().specs.values(), key=lambda spec: spec.name)

    def search_tools(self, query: str, top_k: int = 5) -> list[ToolSpec]:
        """The Gateway's own search; by shared words where it has none."""
        asked = {"name": SEARCH_TOOL, "arguments": {"query": query}}
        try:
            result = self._client.request("tools/call", asked, safe=True)
        except RpcError as error:
            if error.rpc_code != _INVALID_PARAMETERS:
                raise
            return lexical(self.list_tools(), query, top_k)
        found = _value("search", result)
        tools = found.get("tools") if isinstance(found, dict) else None
        names = [str(t["name"]) for t in tools or () if isinstance(t, dict) and "name" in t]
        specs = self._offered().of(names)
        if len(specs) < len(names):
            specs = self._offered(max_age_seconds=0).of(names)
        return specs[:top_k]

    def invoke_tool(self, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """Raises the tool's own OpsError, or FaultError when it failed or nothing is known of it."""
        offer = self._offered()
        if name not in offer.specs:
            offer = self._offered(max_age_seconds=0)
        spec = offer.specs.get(name)
        if spec is None:
            raise RequestError("unknown_tool", f"There is no tool {name[:80]!r}.")
        spec.read(arguments)
        sent = _without_nulls(arguments) if name in TOOLS else arguments
        asked = {"name": offer.full_names[name], "arguments": sent}
        try:
            answer = self._client.request("tools/call", asked, safe=False)
        except RpcError as error:
            if error.rpc_code != _INVALID_PARAMETERS:
                raise
            raise self._not_taken(name, error) from error
        return _result(name, _value(name, answer))

    def close(self) -> None:
        self._client.close()

    def _not_taken(self, name: str, error: RpcError) -> RequestError:
        """JSON-RPC has one code for a tool that is gone and for arguments that do not fit it."""
        if name in self._offered(max_age_seconds=0).specs:
            return RequestError("bad_arguments", f"{name}: {error.message}")
        return RequestError("unknown_tool", f"The Gateway offers {name} no more.")

    def _offered(self, max_age_seconds: float = _LISTING_SECONDS) -> Offer:
        with self._lock:
            age = self._clock() - self._listed_at
            if self._offer is None or age >= max_age_seconds:
                self._offer = offer_of(list_all(self._client))
                self._listed_at = self._clock()
            return self._offer


def sigv4(
    aws: Aws, url: str, service: str = _SIGNING_NAME, region: str | None = None
) -> Authorize:
    """The region is the one given or in the URL, else that of the settings."""
    found = _HOST_REGION.search(url)
    region = region or (found.group(1) if found else aws.settings.region)

    def sign(url: str, body: bytes, headers: dict[str, str]) -> dict[str, str]:
        credentials = aws.session.get_credentials()
        if credentials is None:
            raise RefusedError("access_denied", "There are no AWS credentials to sign calls with.")
        request = AWSRequest("POST", url, data=body, headers=headers)
        SigV4Auth(credentials.get_frozen_credentials(), service, region).add_auth(request)
        return dict(request.headers.items())

    return sign


def bearer(token: SecretStr) -> Authorize:
    def add(url: str, body: bytes, headers: dict[str, str]) -> dict[str, str]:
        return {**headers, "Authorization": f"Bearer {token.get_secret_value()}"}

    return add


def _value(name: str, result: dict[str, Any]) -> Any:
    value = value_of(result)
    if result.get("isError"):
        raise _failure(name, value if isinstance(value, str) else json.dumps(value))
    return value


def _failure(name: str, said: str) -> OpsError:
    reason = scrubbed(said[:_REASON_CHARS])
    if said.startswith(_UNFIT):
        return RequestError("bad_arguments", f"{name}: {reason}")
    return FaultError("tool_failed", f"{name} failed: {reason or 'no reason given'}")


def _result(name: str, value: Any) -> dict[str, Any]:
    """An object; a tool of ours answers nothing else, what another one says is wrapped."""
    if not isinstance(value, dict):
        if name in TOOLS:
            raise FaultError("tool_failed", f"{name} answered no JSON.")
        return {"result": value}
    if _is_ours(value.get("error")):
        raise _own_error(name, value)
    return value


def _is_ours(error: Any) -> bool:
    return isinstance(error, dict) and {"class", "code", "message"} <= error.keys()


def _own_error(name: str, value: dict[str, Any]) -> OpsError:
    try:
        return from_wire(value)
    except (ValidationError, TypeError) as error:
        raise FaultError("tool_failed", f"{name} failed in a way that we cannot read.") from error


def _without_nulls(value: Any) -> Any:
    """The Gateway's schemas know no null; to our tools, absent says the same."""
    if isinstance(value, dict):
        return {key: _without_nulls(v) for key, v in value.items() if v is not None}
    return value
