"""Requests for gateways and targets, and raw MCP over HTTP."""

import http.client
import json
from typing import Any
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response

from tests.patience import PATIENCE_SECONDS

ROLE = "arn:aws:iam::000000000000:role/gateway"
GATEWAY: dict[str, Any] = {
    "name": "aiops",
    "roleArn": ROLE,
    "authorizerType": "AWS_IAM",
    "protocolType": "MCP",
    "protocolConfiguration": {"mcp": {"searchType": "SEMANTIC"}},
}
JWT: dict[str, Any] = {
    "authorizerType": "CUSTOM_JWT",
    "authorizerConfiguration": {
        "customJWTAuthorizer": {
            "discoveryUrl": "https://id.example.com/.well-known/openid-configuration",
            "allowedClients": ["us"],
        }
    },
}
SIGNED = (
    "AWS4-HMAC-SHA256 Credential=k/20261122/us-east-1/bedrock-agentcore/aws4_request, Signature=s"
)
HEADERS = {
    "Content-Type": "application/json",
    "Accept": "application/json, text/event-stream",
    "Authorization": SIGNED,
}
WHAT = {"type": "object", "properties": {"what": {"type": "string"}}}


def target(name: str, *tools: str, function: str = "echo", schema: Any = None) -> dict[str, Any]:
    """A Lambda target whose tools take `what`."""
    definitions = [
        {"name": tool, "description": f"The {tool} tool.", "inputSchema": schema or WHAT}
        for tool in tools
    ]
    arn = f"arn:aws:lambda:us-east-1:000000000000:function:{function}"
    return {
        "name": name,
        "targetConfiguration": {
            "mcp": {
                "lambda": {"lambdaArn": arn, "toolSchema": {"inlinePayload": definitions}},
            }
        },
        "credentialProviderConfigurations": [{"credentialProviderType": "GATEWAY_IAM_ROLE"}],
    }


class Raw:
    """One exchange per call; `rpc` adds the session that `hello` opened."""

    def __init__(self, url: str):
        self._where = urlsplit(url)
        self.session: dict[str, str] = {}

    def send(
        self, body: Any, headers: dict[str, str | None] | None = None, method: str = "POST"
    ) -> tuple[int, dict[str, str], bytes]:
        """Headers of None are left out."""
        whole = {**HEADERS, **self.session, **(headers or {})}
        connection = http.client.HTTPConnection(self._where.netloc, timeout=PATIENCE_SECONDS)
        try:
            text = body if isinstance(body, bytes) else json.dumps(body).encode()
            sent = {name: value for name, value in whole.items() if value is not None}
            connection.request(method, self._where.path, text, sent)
            answer = connection.getresponse()
            return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()
        finally:
            connection.close()

    def hello(self, version: str = "2025-06-18") -> dict[str, Any]:
        message = self.message("initialize", {"protocolVersion": version, "capabilities": {}})
        status, headers, body = self.send(message)
        assert status == 200, body
        self.session = {"Mcp-Session-Id": headers["mcp-session-id"]}
        return json.loads(body)["result"]

    def rpc(self, method: str, parameters: Any = None) -> dict[str, Any]:
        status, _, body = self.send(self.message(method, parameters))
        assert status == 200, body
        return json.loads(body)

    def message(self, method: str, parameters: Any = None) -> dict[str, Any]:
        return {"jsonrpc": "2.0", "id": 7, "method": method, "params": parameters or {}}


async def no_s3(_: Request) -> Response:
    return Response(status_code=501)
