"""JSON Schema as pydantic writes it, brought to the subset that an AgentCore Gateway takes."""

from collections.abc import Mapping
from typing import Any

_SAID_IN_WORDS = ("enum", "minimum", "maximum")


def subset(schema: Mapping[str, Any], defs: Mapping[str, Any]) -> dict[str, Any]:
    whole = _resolved(schema, defs)
    limits = (f"{key}: {whole[key]}" for key in _SAID_IN_WORDS if whole.get(key) is not None)
    words = "; ".join([*([whole["description"]] if "description" in whole else []), *limits])
    bodies = whole.get("properties", {}).items()
    parts = {
        "description": words,
        "properties": {name: subset(body, defs) for name, body in bodies},
        "required": whole.get("required"),
        "items": subset(whole["items"], defs) if "items" in whole else None,
    }
    return {"type": whole["type"], **{key: part for key, part in parts.items() if part}}


def _resolved(schema: Mapping[str, Any], defs: Mapping[str, Any]) -> dict[str, Any]:
    """Without references and null; a whole number is a number too."""
    choices = [_resolved(c, defs) for c in schema.get("anyOf", ()) if c.get("type") != "null"]
    if choices:
        return {**max(choices, key=lambda choice: choice["type"] == "number"), **schema}
    name = str(schema.get("$ref", "")).rpartition("/")[2]
    return {**(_resolved(defs[name], defs) if name else {}), **schema}
