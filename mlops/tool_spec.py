"""What a tool is: its name, its arguments and its answer, as the Lambda, the model and the Gateway see them.

Fields named in `injected` are set by code (the gate), never by a model: who asks, and what a person said.
"""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model

from mlops.errors import RequestError, explain_validation
from mlops.schemas import subset


class ToolSpec(BaseModel, frozen=True, extra="forbid"):
    """A tool as everyone sees it."""

    name: str
    description: str
    input_model: type[BaseModel]
    output_model: type[BaseModel]
    injected: frozenset[str] = frozenset()
    spends: bool = False

    @property
    def function_name(self) -> str:
        return f"llmops-tool-{self.name.replace('_', '-')}"

    def model_schema(self) -> dict[str, Any]:
        """JSON Schema of the arguments that a model may set."""
        schema = self.input_model.model_json_schema()
        properties = {
            name: {k: v for k, v in body.items() if k != "title"}
            for name, body in schema.get("properties", {}).items()
            if name not in self.injected
        }
        required = [name for name in schema.get("required", []) if name in properties]
        return {"type": "object", "properties": properties, "required": required}

    def gateway_schema(self) -> dict[str, Any]:
        """All arguments, injected ones too, in the Gateway's subset of JSON Schema.

        What the subset cannot say is said in the descriptions, and checked where the tool runs.
        """
        schema = self.input_model.model_json_schema()
        return subset(schema, schema.get("$defs", {}))

    def read(self, arguments: Mapping[str, Any]) -> Any:
        """Validated input; RequestError in plain words when the arguments do not fit."""
        try:
            return self.input_model.model_validate(arguments)
        except ValidationError as error:
            raise RequestError(
                "bad_arguments", f"{self.name}: {explain_validation(error)}"
            ) from error


class RemoteTool(ToolSpec, frozen=True):
    """A tool that a Gateway offers and no code here knows: its schema is all there is."""

    input_schema: dict[str, Any]
    output_model: type[BaseModel] = BaseModel
    spends: Literal[False] = False

    def model_schema(self) -> dict[str, Any]:
        return self.input_schema


def arguments_model(schema: Mapping[str, Any]) -> type[BaseModel]:
    """Checks arguments as far as the Gateway's subset of JSON Schema says; more are allowed.

    TypeError, AttributeError or ValueError for what is no schema.
    """
    required: list[str] = list(schema.get("required") or ())
    bodies: dict[str, Any] = dict(schema.get("properties") or {})
    bodies |= {name: {} for name in required if name not in bodies}
    fields: dict[str, Any] = {
        f"argument_{number}": (
            _python_type(body),
            Field(... if name in required else None, alias=name),
        )
        for number, (name, body) in enumerate(bodies.items())
    }
    return create_model("Arguments", __config__=ConfigDict(extra="allow", strict=True), **fields)


_PLAIN_TYPES = {"string": str, "integer": int, "number": float, "boolean": bool}


def _python_type(schema: Mapping[str, Any]) -> Any:
    """Any where the subset says nothing."""
    kind = schema.get("type")
    if kind == "array":
        return list[_python_type(schema.get("items") or {})]
    if kind == "object":
        return arguments_model(schema) if schema.get("properties") else dict[str, Any]
    return _PLAIN_TYPES.get(kind, Any) if isinstance(kind, str) else Any
