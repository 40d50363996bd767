"""What a Gateway lists in, tools as the agent knows them out.

Our own tools keep their specs and plain names; whatever else is offered becomes a RemoteTool under
its full name (`target___tool`), which never spends.
"""

import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mlops.aws.gateway import DELIMITER, target_name
from mlops.tools import TOOLS, RemoteTool, ToolSpec, arguments_model

_LOG = logging.getLogger(__name__)
_GATEWAYS_OWN = "x_amz_bedrock_agentcore_"
_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
"""What a model may call a tool."""
_DESCRIPTION_CHARS = 2_000


@dataclass(frozen=True)
class Offer:
    """`specs` by the agent's name for a tool, `full_names` the Gateway's."""

    specs: Mapping[str, ToolSpec]
    full_names: Mapping[str, str]

    def of(self, full_names: Sequence[str]) -> list[ToolSpec]:
        """In the order given; unknown ones are left out."""
        ours = {full: name for name, full in self.full_names.items()}
        return [self.specs[ours[full]] for full in full_names if full in ours]


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
    name, schema = tool["name"], tool.get("inputSchema")
    if not _NAME.fullmatch(name):
        _LOG.warning("the tool %r is left out: no model can call it by that name", name[:100])
        return None
    try:
        whole = {"type": "object", "properties": {}, **(schema or {})}
        return RemoteTool(
            name=name,
            description=str(tool.get("description") or name)[:_DESCRIPTION_CHARS],
            input_model=arguments_model(whole),
            input_schema=whole,
        )
    except (AttributeError, TypeError, ValueError, RecursionError) as error:
        _LOG.warning("the tool %s is left out, its schema is none: %s", name, error)
        return None
