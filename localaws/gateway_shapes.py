"""A parsed request of the Gateway's control plane in, ValidationException out where it does not fit."""

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

from botocore.loaders import create_loader
from botocore.model import ServiceModel
from botocore.validate import ParamValidator

from localaws.errors import AwsError

SERVICE = "bedrock-agentcore-control"


def check(operation: str, request: dict[str, Any]) -> None:
    """Types, lengths and unions as boto3 checks them; patterns and enumerations, which it does not."""
    shape = _model().operation_model(operation).input_shape
    report = ParamValidator().validate(request, shape)
    if report.has_errors():
        raise invalid(report.generate_report())
    for problem in _mismatches(shape, request, ""):
        raise invalid(problem)


def invalid(message: str) -> AwsError:
    return AwsError("ValidationException", message, reason="FieldValidationFailed")


@cache
def _model() -> ServiceModel:
    return ServiceModel(create_loader().load_service_model(SERVICE, "service-2"), SERVICE)


def _mismatches(shape: Any, value: Any, path: str) -> Iterator[str]:
    if shape.type_name == "structure":
        for name, member in value.items():
            yield from _mismatches(shape.members[name], member, f"{path}.{name}")
    elif shape.type_name == "list":
        for number, member in enumerate(value):
            yield from _mismatches(shape.member, member, f"{path}[{number}]")
    elif shape.type_name == "map":
        for key, member in value.items():
            yield from _mismatches(shape.value, member, f"{path}.{key}")
    elif shape.type_name == "string":
        yield from _string_mismatches(shape, value, path)


def _string_mismatches(shape: Any, value: str, path: str) -> Iterator[str]:
    pattern = shape.metadata.get("pattern")
    if pattern and not re.fullmatch(pattern, value):
        yield f"Value at '{path[1:]}' must satisfy regular expression pattern: {pattern}"
    if shape.enum and value not in shape.enum:
        yield f"Value at '{path[1:]}' must satisfy enum value set: {list(shape.enum)}"
