"""Models and endpoint configurations of SageMaker: what an endpoint is made of, as records.

Known differences: one variant per configuration and one container per model, whose image is not
run (its model and code are); data capture, async inference, VPCs and tags are not kept.
"""

from typing import Any

from localaws.errors import arn_of, invalid
from localaws.records import Record, Records, listed, now, picked
from localaws.registry import Registry
from localaws.store import Store

_MODEL_SUMMARY = ("ModelName", "ModelArn", "CreationTime")
_CONFIG_SUMMARY = ("EndpointConfigName", "EndpointConfigArn", "CreationTime")
_SERVERLESS_MEMORY_MB = (1024, 2048, 3072, 4096, 5120, 6144)


class Hosting:
    service_name = "sagemaker"

    def __init__(self, store: Store, registry: Registry):
        self._models = Records(store, "model")
        self._configs = Records(store, "endpoint-config")
        self._registry = registry

    def create_model(self, request: dict[str, Any]) -> dict[str, Any]:
        name = request["ModelName"]
        container = self._container(request)
        record = {
            **picked(request, "ModelName", "ExecutionRoleArn"),
            "PrimaryContainer": container,
            "CreationTime": now(),
            "ModelArn": arn_of("sagemaker", f"model/{name}"),
            "EnableNetworkIsolation": False,
        }
        if not self._models.add(name, record):
            raise invalid(f'Cannot create already existing model "{record["ModelArn"]}".')
        return {"ModelArn": record["ModelArn"]}

    def describe_model(self, request: dict[str, Any]) -> dict[str, Any]:
        name = request["ModelName"]
        return _found(self._models.get(name), "model", f"model/{name}")

    def list_models(self, request: dict[str, Any]) -> dict[str, Any]:
        found, more = listed(self._models.all(), request, "ModelName")
        return {"Models": [picked(record, *_MODEL_SUMMARY) for record in found], **more}

    def delete_model(self, request: dict[str, Any]) -> dict[str, Any]:
        self.describe_model(request)
        self._models.delete(request["ModelName"])
        return {}

    def create_endpoint_config(self, request: dict[str, Any]) -> dict[str, Any]:
        name, variants = request["EndpointConfigName"], request["ProductionVariants"]
        if len(variants) != 1:
            raise invalid("One production variant per configuration is part of the embedded AWS.")
        _check_variant(variants[0])
        self.describe_model({"ModelName": variants[0].get("ModelName", "")})
        record = {
            "EndpointConfigName": name,
            "EndpointConfigArn": arn_of("sagemaker", f"endpoint-config/{name}"),
            "ProductionVariants": [{"InitialVariantWeight": 1.0, **variants[0]}],
            "CreationTime": now(),
        }
        if not self._configs.add(name, record):
            arn = record["EndpointConfigArn"]
            raise invalid(f'Cannot create already existing endpoint configuration "{arn}".')
        return {"EndpointConfigArn": record["EndpointConfigArn"]}

    def describe_endpoint_config(self, request: dict[str, Any]) -> dict[str, Any]:
        name = request["EndpointConfigName"]
        found = self._configs.get(name)
        return _found(found, "endpoint configuration", f"endpoint-config/{name}")

    def list_endpoint_configs(self, request: dict[str, Any]) -> dict[str, Any]:
        found, more = listed(self._configs.all(), request, "EndpointConfigName")
        return {"EndpointConfigs": [picked(r, *_CONFIG_SUMMARY) for r in found], **more}

    def delete_endpoint_config(self, request: dict[str, Any]) -> dict[str, Any]:
        self.describe_endpoint_config(request)
        self._configs.delete(request["EndpointConfigName"])
        return {}

    def _container(self, request: dict[str, Any]) -> Record:
        """One container; a package of the registry stands for its own."""
        containers: list[Record] = request.get("Containers") or []
        containers = containers or [request.get("PrimaryContainer") or {}]
        if len(containers) != 1:
            raise invalid("One container per model is part of the embedded AWS.")
        given = containers[0]
        if not given.get("ModelPackageName"):
            _check_container(given)
            return given
        package = self._registry.package(given["ModelPackageName"])
        specified = package.get("InferenceSpecification", {}).get("Containers") or [{}]
        _check_container(specified[0])
        return {**picked(specified[0], "Image", "ModelDataUrl", "Environment"), **given}


def _check_container(container: Record) -> None:
    if not container.get("Image") or not container.get("ModelDataUrl"):
        raise invalid("A container needs Image and ModelDataUrl in the embedded AWS.")


def _check_variant(variant: Record) -> None:
    serverless = variant.get("ServerlessConfig")
    if serverless and serverless["MemorySizeInMB"] not in _SERVERLESS_MEMORY_MB:
        raise invalid(f"MemorySizeInMB must be one of {list(_SERVERLESS_MEMORY_MB)}.")
    if not serverless and not (
        variant.get("InstanceType") and variant.get("InitialInstanceCount")
    ):
        raise invalid(
            "A variant needs InstanceType and InitialInstanceCount, or ServerlessConfig."
        )


def _found(record: Record | None, what: str, resource: str) -> Record:
    if record is None:
        arn = arn_of("sagemaker", resource)
        raise invalid(f'Could not find {what} "{arn}".')
    return record
