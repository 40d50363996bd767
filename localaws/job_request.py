"""A CreateTrainingJob request: checked as SageMaker checks it, and turned into a job's first record."""

import re
from datetime import datetime
from functools import cache
from typing import Any

from botocore.loaders import create_loader
from botocore.model import ServiceModel
from botocore.validate import ParamValidator

from localaws.errors import AwsError, invalid
from localaws.job_records import Record, enter, job_arn

_NAME = "[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}"
_DEFAULT_RUNTIME_SECONDS = 86_400
_NOT_DESCRIBED = ("Tags",)


def check(request: dict[str, Any]) -> None:
    """Raises the ValidationException that SageMaker answers, or one that names what is not here."""
    shape: Any = _model().operation_model("CreateTrainingJob").input_shape
    report = ParamValidator().validate(request, shape)
    if report.has_errors():
        raise invalid(report.generate_report())
    _check_pattern("trainingJobName", request["TrainingJobName"], _NAME)
    for member in ("AlgorithmSpecification", "ResourceConfig", "StoppingCondition"):
        if member not in request:
            raise _unmet(member[0].lower() + member[1:], "null", "not be null")
    resources = request["ResourceConfig"]
    _check_enum("resourceConfig.instanceType", resources.get("InstanceType"))
    if resources.get("InstanceCount") != 1:
        message = "InstanceCount other than 1 is not part of the embedded AWS"
        raise invalid(message)
    _check_metrics(request["AlgorithmSpecification"].get("MetricDefinitions") or [])
    _check_channels(request.get("InputDataConfig") or [])
    _check_wait(request)


def new_record(request: dict[str, Any], now: datetime) -> Record:
    kept = {key: value for key, value in request.items() if key not in _NOT_DESCRIBED}
    stopping = {"MaxRuntimeInSeconds": _DEFAULT_RUNTIME_SECONDS} | request["StoppingCondition"]
    record = kept | {
        "TrainingJobArn": job_arn(request["TrainingJobName"]),
        "TrainingJobStatus": "InProgress",
        "CreationTime": now,
        "LastModifiedTime": now,
        "SecondaryStatusTransitions": [],
        "StoppingCondition": stopping,
        "EnableNetworkIsolation": bool(request.get("EnableNetworkIsolation")),
        "EnableManagedSpotTraining": is_spot(request),
        "EnableInterContainerTrafficEncryption": bool(
            request.get("EnableInterContainerTrafficEncryption")
        ),
    }
    enter(record, now, "Starting", "Starting the training job")
    return record


def is_spot(request: dict[str, Any]) -> bool:
    return bool(request.get("EnableManagedSpotTraining"))


def _check_wait(request: dict[str, Any]) -> None:
    stopping = request["StoppingCondition"]
    wait = stopping.get("MaxWaitTimeInSeconds")
    run = stopping.get("MaxRuntimeInSeconds", _DEFAULT_RUNTIME_SECONDS)
    if is_spot(request) and (wait is None or wait < run):
        message = (
            "Invalid MaxWaitTimeInSeconds. It must be present and be greater than or equal to"
            " MaxRuntimeInSeconds"
        )
        raise invalid(message)
    if wait is not None and not is_spot(request):
        message = "MaxWaitTimeInSeconds above 0 is not allowed when EnableManagedSpotTraining is"
        raise invalid(f"{message} false")


def _check_metrics(definitions: list[dict[str, str]]) -> None:
    for definition in definitions:
        try:
            groups = re.compile(definition["Regex"]).groups
        except re.error as error:
            message = f"Invalid regex for metric {definition['Name']}: {error}"
            raise invalid(message) from error
        if groups < 1:
            message = f"The regex for metric {definition['Name']} has no capturing group"
            raise invalid(message)


def _check_channels(channels: list[dict[str, Any]]) -> None:
    for channel in channels:
        source = channel["DataSource"].get("S3DataSource")
        mode = channel.get("InputMode") or "File"
        packed = channel.get("CompressionType") or "None"
        if source is None or mode == "Pipe" or packed != "None":
            message = (
                f"Channel {channel['ChannelName']}: only uncompressed S3 data in input mode File"
                " or FastFile is part of the embedded AWS"
            )
            raise invalid(message)


def _check_enum(member: str, value: str | None) -> None:
    known: Any = _model().shape_for("TrainingInstanceType")
    if value not in known.enum:
        raise _unmet(member, str(value), f"satisfy enum value set: [{', '.join(known.enum)}]")


def _check_pattern(member: str, value: str, pattern: str) -> None:
    if not re.fullmatch(pattern, value):
        raise _unmet(member, value, f"satisfy regular expression pattern: {pattern}")


def _unmet(member: str, value: str, rule: str) -> AwsError:
    message = (
        f"1 validation error detected: Value '{value}' at '{member}' failed to satisfy"
        f" constraint: Member must {rule}"
    )
    return invalid(message)


@cache
def _model() -> ServiceModel:
    return ServiceModel(create_loader().load_service_model("sagemaker", "service-2"), "sagemaker")
