"""The control plane of AgentCore Gateway: gateways and their Lambda targets.

Known differences from AWS: ready as soon as one looks again; tool schemas inline only; no other
kinds of targets, no policies, interceptors, rules or rate limits.
"""

import secrets
import string
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from localaws.errors import AwsError, arn_of
from localaws.gateway_records import GatewayRecords, Record
from localaws.gateway_shapes import SERVICE, check, invalid
from localaws.gateway_tools import Tool
from localaws.paging import page
from localaws.store import Store

VERSIONS = ("2025-11-25", "2025-06-18")
"""Of MCP, the newest first."""

_PAGE_SIZE = 100
_AUTHORIZERS = ("AWS_IAM", "CUSTOM_JWT", "NONE")
_ABSENT = (
    "policyEngineConfiguration",
    "interceptorConfigurations",
    "kmsKeyArn",
    "domainOverride",
    "metadataConfiguration",
    "privateEndpoint",
    "certificateConfigurations",
)
_GATEWAY_ECHO = (
    "name",
    "description",
    "roleArn",
    "protocolType",
    "protocolConfiguration",
    "authorizerType",
    "authorizerConfiguration",
    "exceptionLevel",
)
_TARGET_ECHO = (
    "name",
    "description",
    "targetConfiguration",
    "credentialProviderConfigurations",
)
_TIMES = ("createdAt", "updatedAt")


@dataclass(frozen=True)
class Gateway:
    """A gateway as its data plane needs it; `mcp` is the protocol's configuration."""

    id: str
    authorizer: str
    explains: bool
    mcp: Mapping[str, Any]

    @property
    def versions(self) -> list[str]:
        return [v for v in VERSIONS if v in self.mcp.get("supportedVersions", VERSIONS)]

    @property
    def searches(self) -> bool:
        return self.mcp.get("searchType") == "SEMANTIC"

    @property
    def streams(self) -> bool:
        return bool(self.mcp.get("streamingConfiguration", {}).get("enableResponseStreaming"))


class Gateways:
    """`endpoint` gives the URL at which this server answers."""

    service_name = SERVICE

    def __init__(self, store: Store, endpoint: Callable[[], str]):
        self._records = GatewayRecords(store)
        self._endpoint = endpoint

    def find(self, gateway_id: str) -> Gateway | None:
        record = self._records.get("", gateway_id)
        if record is None:
            return None
        mcp = record.get("protocolConfiguration", {}).get("mcp", {})
        explains = record.get("exceptionLevel") == "DEBUG"
        return Gateway(gateway_id, record["authorizerType"], explains, mcp)

    def tools(self, gateway_id: str) -> list[Tool]:
        """By name of target, then as the target lists them."""
        return [
            Tool(target["id"], target["name"], _lambda(target)["lambdaArn"], definition)
            for target in self._records.all(gateway_id)
            for definition in _definitions(target)
        ]

    def create_gateway(self, request: dict[str, Any]) -> dict[str, Any]:
        check("CreateGateway", request)
        _check_gateway(request)
        gateway_id = f"{request['name'].lower()}-{_random(string.digits + string.ascii_lowercase)}"
        return self._described(self._records.add("", gateway_id, request), "CREATING")

    def get_gateway(self, request: dict[str, Any]) -> dict[str, Any]:
        check("GetGateway", request)
        return self._described(self._gateway(request), "READY")

    def list_gateways(self, request: dict[str, Any]) -> dict[str, Any]:
        check("ListGateways", request)
        told = ("name", "description", "authorizerType", "protocolType", *_TIMES)
        return _page(
            [
                {"gatewayId": record["id"], "status": "READY", **_only(record, told)}
                for record in self._records.all("")
            ],
            request,
        )

    def delete_gateway(self, request: dict[str, Any]) -> dict[str, Any]:
        check("DeleteGateway", request)
        gateway_id = self._gateway(request)["id"]
        self._records.delete("", gateway_id)
        return {"gatewayId": gateway_id, "status": "DELETING"}

    def create_gateway_target(self, request: dict[str, Any]) -> dict[str, Any]:
        check("CreateGatewayTarget", request)
        _check_target(request)
        gateway_id = self._gateway(request)["id"]
        target_id = _random(string.digits + string.ascii_uppercase)
        record = self._records.add(gateway_id, target_id, request)
        return _described_target(gateway_id, record, "CREATING")

    def update_gateway_target(self, request: dict[str, Any]) -> dict[str, Any]:
        check("UpdateGatewayTarget", request)
        target = self._target(request)
        _check_target({"name": target["name"], **request})
        gateway_id = request["gatewayIdentifier"]
        changed = self._records.change(gateway_id, target["id"], request)
        return _described_target(gateway_id, changed or target, "UPDATING")

    def get_gateway_target(self, request: dict[str, Any]) -> dict[str, Any]:
        check("GetGatewayTarget", request)
        return _described_target(request["gatewayIdentifier"], self._target(request), "READY")

    def list_gateway_targets(self, request: dict[str, Any]) -> dict[str, Any]:
        check("ListGatewayTargets", request)
        told = ("name", "description", *_TIMES)
        return _page(
            [
                {"targetId": r["id"], "status": "READY", "targetType": "LAMBDA", **_only(r, told)}
                for r in self._records.all(self._gateway(request)["id"])
            ],
            request,
        )

    def delete_gateway_target(self, request: dict[str, Any]) -> dict[str, Any]:
        check("DeleteGatewayTarget", request)
        target_id = self._target(request)["id"]
        self._records.delete(request["gatewayIdentifier"], target_id)
        arn = _arn(request["gatewayIdentifier"])
        return {"gatewayArn": arn, "targetId": target_id, "status": "DELETING"}

    def _described(self, record: Record, status: str) -> dict[str, Any]:
        return {
            "gatewayArn": _arn(record["id"]),
            "gatewayId": record["id"],
            "gatewayUrl": f"{self._endpoint()}/gateways/{record['id']}/mcp",
            "status": status,
            **_only(record, (*_GATEWAY_ECHO, *_TIMES)),
        }

    def _gateway(self, request: Mapping[str, Any]) -> Record:
        return _found(self._records.get("", request["gatewayIdentifier"]), "Gateway")

    def _target(self, request: Mapping[str, Any]) -> Record:
        gateway_id = self._gateway(request)["id"]
        return _found(self._records.get(gateway_id, request["targetId"]), "Target")


def _check_gateway(request: Mapping[str, Any]) -> None:
    _refuse_absent(request)
    if request["authorizerType"] not in _AUTHORIZERS:
        raise _not_there(f"authorizerType {request['authorizerType']}")
    if request["authorizerType"] == "CUSTOM_JWT" and "authorizerConfiguration" not in request:
        raise invalid("authorizerConfiguration is required for CUSTOM_JWT")
    if request.get("protocolType") != "MCP":
        raise _not_there("a gateway whose protocolType is not MCP")
    wanted = request.get("protocolConfiguration", {}).get("mcp", {}).get("supportedVersions")
    if wanted is not None and not set(wanted) & set(VERSIONS):
        raise invalid(f"supportedVersions must name one of {', '.join(VERSIONS)}")


def _check_target(request: Mapping[str, Any]) -> None:
    _refuse_absent(request)
    if "inlinePayload" not in _lambda(request).get("toolSchema", {}):
        raise _not_there("a target other than a Lambda function with inline tool schemas")
    providers = request.get("credentialProviderConfigurations", [])
    if [p["credentialProviderType"] for p in providers] != ["GATEWAY_IAM_ROLE"]:
        raise invalid("A Lambda target needs the credential provider GATEWAY_IAM_ROLE")
    if not request.get("name"):
        raise invalid("name is required for a Lambda target")
    names = [definition["name"] for definition in _definitions(request)]
    if len(set(names)) < len(names) or not all(names):
        raise invalid("The tools of a target must have names that differ")
    if any(d["inputSchema"]["type"] != "object" for d in _definitions(request)):
        raise invalid("The inputSchema of a tool must be of type object")


def _refuse_absent(request: Mapping[str, Any]) -> None:
    for name in _ABSENT:
        if name in request:
            raise _not_there(name)


def _not_there(what: str) -> AwsError:
    return AwsError("NotImplemented", f"{SERVICE}: {what} is not part of the embedded AWS", 501)


def _lambda(target: Mapping[str, Any]) -> dict[str, Any]:
    return target["targetConfiguration"].get("mcp", {}).get("lambda", {})


def _definitions(target: Mapping[str, Any]) -> list[dict[str, Any]]:
    return _lambda(target)["toolSchema"]["inlinePayload"]


def _described_target(gateway_id: str, record: Record, status: str) -> dict[str, Any]:
    return {
        "gatewayArn": _arn(gateway_id),
        "targetId": record["id"],
        "status": status,
        **_only(record, (*_TARGET_ECHO, *_TIMES)),
    }


def _page(items: list[dict[str, Any]], request: Mapping[str, Any]) -> dict[str, Any]:
    size = int(request.get("maxResults") or _PAGE_SIZE)
    token = request.get("nextToken")
    rows, more = page(items, token, size, "ValidationException", "nextToken")
    return {"items": rows, **more}


def _only(record: Record, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: record[name] for name in names if name in record}


def _found(record: Record | None, what: str) -> Record:
    if record is None:
        raise AwsError("ResourceNotFoundException", f"{what} not found")
    return record


def _arn(gateway_id: str) -> str:
    return arn_of("bedrock-agentcore", f"gateway/{gateway_id}")


def _random(alphabet: str) -> str:
    return "".join(secrets.choice(alphabet) for _ in range(10))
