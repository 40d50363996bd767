"""What a Gateway lists in, tools as the agent knows them out.

Our own tools keep their specs and plain names; whatever else is offered becomes a RemoteTool under
its full name (`target___tool`), which never spends.
"""

import logging
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from mlops.aws.gateway import DELIMITER, target_name
from mlops.errors import FaultError
from mlops.tool_spec import RemoteTool, ToolSpec, arguments_model
from mlops.tools import TOOLS

_LOG = logging.getLogger(__name__)
_GATEWAYS_OWN = "x_amz_bedrock_agentcore_"
_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
"""What a model may call a tool."""
_PROPERTY = re.compile(r"[a-zA-Z0-9_.-]{1,64}")
_TYPES = frozenset({"array", "boolean", "integer", "null", "number", "object", "string"})
_CHOICES = frozenset({"allOf", "anyOf", "oneOf"})
_DESCRIPTION_CHARS = 2_000
_MOST_PAGES = 200


@dataclass(frozen=True)
class Offer:
    """`specs` by the agent's name for a tool, `full_names` the Gateway's."""

    specs: Mapping[str, ToolSpec]
    full_names: Mapping[str, str]

    def of(self, full_names: Sequence[str]) -> list[ToolSpec]:
        """In the order given; unknown ones are left out."""
        ours = {full: name for name, full in self.full_names.items()}
        return [self.specs[ours[full]] for full in full_names if full in ours]


class Asked(Protocol):
    """An MCP client, as far as a listing needs it."""

    def request(self, method: str, parameters: dict[str, Any], safe: bool) -> dict[str, Any]: ...


def list_all(client: Asked) -> list[Any]:
    """What a server lists, page after page; FaultError when there is no end of it."""
    tools: list[Any] = []
    cursor: Any = None
    for _ in range(_MOST_PAGES):
        parameters = {} if cursor is None else {"cursor": cursor}
        page = client.request("tools/list", parameters, safe=True)
        tools += page.get("tools") or []
        cursor = page.get("nextCursor")
        if not cursor:
            return tools
    raise FaultError("gateway_error", f"The tool server lists over {_MOST_PAGES} pages of tools.")


def offer_of(listed: Sequence[Any]) -> Offer:
    """What cannot be used is left out with a warning; it must not take the other tools down."""
    tools = {tool["name"]: tool for tool in listed if _is_tool(tool)}
    full_names = {name: full for name in TOOLS if (full := _own(name, tuple(tools))) is not None}
    specs: dict[str, ToolSpec] = {name: TOOLS[name] for name in full_names}
    for full, tool in tools.items():
        remote = None if full in full_names.values() else _remote(tool)
        if remote is not None and full not in specs:
            specs[full] = remote
            full_names[full] = full
    return Offer(specs, full_names)


def remote_tool(name: str, tool: Mapping[str, Any]) -> RemoteTool:
    """What a server lists, under the name that it gets here; ValueError says why it cannot be used."""
    if not _NAME.fullmatch(name):
        raise ValueError("no model can call it by that name")
    try:
        schema = dict(tool.get("inputSchema") or {})
        schema |= {"type": schema.get("type", "object")}
        schema |= {"properties": schema.get("properties") or {}}
        _check_top(schema)
        return RemoteTool(
            name=name,
            description=str(tool.get("description") or name)[:_DESCRIPTION_CHARS],
            input_model=arguments_model(schema),
            input_schema=schema,
        )
    except (AttributeError, TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"no model takes its schema ({str(error)[:100]})") from error


def _check_top(schema: Mapping[str, Any]) -> None:
    """One schema that a model refuses would make it refuse every call; so it is looked at before."""
    if schema["type"] != "object" or _CHOICES & schema.keys():
        raise ValueError("it is no plain object")
    bad = [key for key in schema["properties"] if not _PROPERTY.fullmatch(str(key))]
    if bad:
        raise ValueError(f"the property {bad[0][:40]!r}")
    _check_schema(schema)


def _check_schema(schema: Any) -> None:
    """ValueError for what no JSON Schema says; of references only those within are known."""
    if isinstance(schema, bool):
        return
    kinds = schema.get("type", [])
    if not _TYPES.issuperset([kinds] if isinstance(kinds, str) else kinds):
        raise ValueError(f"the type {str(kinds)[:40]}")
    if not str(schema.get("$ref", "#")).startswith("#"):
        raise ValueError("a reference to elsewhere")
    if not all(isinstance(name, str) for name in schema.get("required", ())):
        raise ValueError("required must be names")
    for part in (*_parts(schema, "properties"), *_parts(schema, "$defs")):
        _check_schema(part)
    for choice in (c for key in _CHOICES for c in schema.get(key, ())):
        _check_schema(choice)
    _check_schema(schema.get("items", True))


def _parts(schema: Mapping[str, Any], key: str) -> Iterable[Any]:
    return (schema.get(key) or {}).values()


def _is_tool(tool: Any) -> bool:
    name = tool.get("name") if isinstance(tool, dict) else None
    return isinstance(name, str) and not name.startswith(_GATEWAYS_OWN)


def _own(name: str, offered: Sequence[str]) -> str | None:
    """The tool that was registered as ours, else the only one of that name."""
    registered = f"{target_name(name)}{DELIMITER}{name}"
    if registered in offered:
        return registered
    same = [full for full in offered if full.partition(DELIMITER)[2] == name]
    if len(same) > 1:
        _LOG.warning("%s is offered by several targets; none of them is used as ours", name)
    return same[0] if len(same) == 1 else None


def _remote(tool: Mapping[str, Any]) -> RemoteTool | None:
    try:
        return remote_tool(tool["name"], tool)
    except ValueError as error:
        _LOG.warning("the tool %r is left out: %s", tool["name"][:100], error)
        return None
