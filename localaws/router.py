"""Which operation of which service a signed request means."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import parse_qs, unquote

from botocore import xform_name
from botocore.loaders import create_loader
from moto.core.model import OperationModel, ServiceModel

from localaws.errors import REGION, AwsError, not_implemented
from localaws.protocols import WireRequest, form_values

_CREDENTIAL = re.compile(r"Credential=([^,\s]+)")
_LABEL = re.compile(r"\{([^}+]+)(\+?)\}")
_FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True)
class Scope:
    """Region and signing name, as the client signed them."""

    region: str
    service: str


@dataclass(frozen=True)
class Target:
    """An operation to call."""

    service_name: str
    operation: OperationModel
    protocol: str
    method: Callable[[Any], Any]
    uri: Mapping[str, str]
    raw_json: bool


def credential_scope(headers: Mapping[str, str], query: str) -> Scope | None:
    """From the Authorization header or a presigned URL: key/date/region/service/aws4_request.

    S3 is also signed with the older version 2: boto3 presigns so unless told otherwise.
    """
    authorization, signed = headers.get("authorization", ""), parse_qs(query)
    found = _CREDENTIAL.search(authorization)
    if found is None and (authorization.startswith("AWS ") or "AWSAccessKeyId" in signed):
        return Scope(REGION, "s3")
    credential = found.group(1) if found else signed.get("X-Amz-Credential", [""])[0]
    parts = credential.split("/")
    return Scope(parts[-3], parts[-2]) if len(parts) >= 5 else None


def unrouted_protocol(headers: Mapping[str, str]) -> str:
    """The protocol to answer in when no operation was found."""
    is_form = headers.get("content-type", "").startswith(_FORM)
    return "query" if is_form and "x-amz-target" not in headers else "json"


class Router:
    """Finds operations by X-Amz-Target (json), Action (query) or path (rest-json)."""

    def __init__(self, services: Sequence[Any]):
        """Several objects may share one service: each operation is looked for in all of them."""
        by_name: dict[str, list[Any]] = {}
        for service in services:
            by_name.setdefault(service.service_name, []).append(service)
        self._entries = [_Entry(name, objects) for name, objects in by_name.items()]

    @property
    def names(self) -> list[str]:
        return [entry.name for entry in self._entries]

    def operations(self) -> dict[str, list[str]]:
        """Service name → the operations that it has here."""
        return {entry.name: entry.operations() for entry in self._entries}

    def find(self, request: WireRequest, scope: Scope | None) -> Target:
        """Raises NotImplemented, with its name, for what is not here."""
        target = request.headers.get("x-amz-target")
        if scope is None and target is None:
            raise AwsError("MissingAuthenticationToken", "Missing Authentication Token", 403)
        if target is not None:
            return self._by_target(target)
        assert scope is not None
        entries = [e for e in self._entries if e.signing_name == scope.service]
        for entry in entries:
            found = entry.by_action(request) or entry.by_path(request)
            if found is not None:
                return found
        wanted = form_values(request).get("Action") or f"{request.method} {request.path}"
        raise not_implemented(scope.service, wanted)

    def _by_target(self, target: str) -> Target:
        prefix, _, operation = target.rpartition(".")
        for entry in self._entries:
            if entry.model.metadata.get("targetPrefix") == prefix:
                return entry.target(operation, "json", {})
        raise not_implemented(prefix or "unknown", operation)


@dataclass(frozen=True)
class _Path:
    """Where a rest-json operation lives; `labels` maps regex groups to label names."""

    method: str
    pattern: re.Pattern[str]
    labels: Mapping[str, str]
    query: Mapping[str, list[str]]
    operation: str


class _Entry:
    """One service with its botocore model; the first object that has an operation answers it."""

    def __init__(self, name: str, objects: Sequence[Any]):
        self.name = name
        self.objects = objects
        description = create_loader().load_service_model(self.name, "service-2")
        self.model = ServiceModel(description, self.name)
        self.signing_name = self.model.signing_name

    def target(self, operation: str, protocol: str, uri: Mapping[str, str]) -> Target:
        method = self._method(operation) if operation in self._operations else None
        if method is None:
            raise not_implemented(self.name, operation)
        return Target(
            service_name=self.name,
            operation=self.model.operation_model(operation),
            protocol=protocol,
            method=method,
            uri=uri,
            raw_json=getattr(self.objects[0], "raw_json", False),
        )

    def operations(self) -> list[str]:
        """The operations that are here, by botocore's names."""
        return [name for name in self._operations if self._method(name) is not None]

    def by_action(self, request: WireRequest) -> Target | None:
        if "query" not in self._protocols:
            return None
        action = form_values(request).get("Action")
        return self.target(action, "query", {}) if action else None

    def by_path(self, request: WireRequest) -> Target | None:
        if "rest-json" not in self._protocols:
            return None
        query = parse_qs(request.query, keep_blank_values=True)
        for path in self._paths:
            found = path.pattern.fullmatch(request.path) if path.method == request.method else None
            if found is not None and all(query.get(k) == v for k, v in path.query.items()):
                uri = {path.labels[k]: unquote(v) for k, v in found.groupdict().items()}
                return self.target(path.operation, "rest-json", uri)
        return None

    def _method(self, operation: str) -> Callable[[Any], Any] | None:
        name = xform_name(operation)
        methods = (getattr(service, name, None) for service in self.objects)
        return next((method for method in methods if method is not None), None)

    @property
    def _protocols(self) -> Sequence[str]:
        return self.model.metadata.get("protocols") or [self.model.metadata["protocol"]]

    @cached_property
    def _operations(self) -> tuple[str, ...]:
        names: Any = self.model.operation_names
        return tuple(names)

    @cached_property
    def _paths(self) -> list[_Path]:
        """Those that ask for a literal query first, then literal paths before labelled ones."""
        paths = [_path(name, self.model.operation_model(name).http) for name in self._operations]
        return sorted(paths, key=lambda path: (-len(path.query), len(path.labels)))


def _path(operation: str, http: Any) -> _Path:
    """botocore's `/a/{B}/{C+}?literal=x` as a regular expression with one group per label."""
    path, _, query = http["requestUri"].partition("?")
    parts, labels, end = [], {}, 0
    for found in _LABEL.finditer(path):
        group = f"label_{len(labels)}"
        labels[group] = found[1]
        parts.append(re.escape(path[end : found.start()]))
        parts.append(f"(?P<{group}>{'.+' if found[2] else '[^/]+'})")
        end = found.end()
    pattern = re.compile("".join(parts) + re.escape(path[end:]) + "/?")
    literals = parse_qs(query, keep_blank_values=True)
    return _Path(http["method"], pattern, labels, literals, operation)
