"""The model registry of SageMaker: package groups and numbered packages with metrics and approval.

Known differences: a package is Completed at once (nothing is validated or scanned), approval is
not enforced when a model is made of a package, and tags are not kept.
"""

from typing import Any

from localaws.errors import arn_of, invalid
from localaws.records import Record, Records, listed, now, picked
from localaws.store import Store

_CREATOR = {"UserProfileName": "local"}
_KEPT = (
    "ModelPackageDescription",
    "ModelPackageRegistrationType",
    "InferenceSpecification",
    "SourceAlgorithmSpecification",
    "MetadataProperties",
    "ModelMetrics",
    "Domain",
    "Task",
    "SamplePayloadUrl",
    "CustomerMetadataProperties",
    "DriftCheckBaselines",
    "SourceUri",
    "ModelCard",
    "ModelLifeCycle",
)
_CHANGEABLE = (
    "ModelApprovalStatus",
    "ApprovalDescription",
    "InferenceSpecification",
    "SourceUri",
    "ModelCard",
    "ModelLifeCycle",
)
_SUMMARY = (
    "ModelPackageName",
    "ModelPackageGroupName",
    "ModelPackageVersion",
    "ModelPackageArn",
    "ModelPackageDescription",
    "CreationTime",
    "ModelPackageStatus",
    "ModelApprovalStatus",
    "ModelLifeCycle",
)


class Registry:
    service_name = "sagemaker"

    def __init__(self, store: Store):
        self._store = store
        self._groups = Records(store, "model-package-group")
        self._packages = Records(store, "model-package")

    def create_model_package_group(self, request: dict[str, Any]) -> dict[str, Any]:
        name = request["ModelPackageGroupName"]
        arn = arn_of("sagemaker", f"model-package-group/{name}")
        record = {
            **picked(request, "ModelPackageGroupName", "ModelPackageGroupDescription"),
            "ModelPackageGroupArn": arn,
            "CreationTime": now(),
            "CreatedBy": _CREATOR,
            "ModelPackageGroupStatus": "Completed",
        }
        if not self._groups.add(name, record):
            raise invalid(f"Model Package Group already exists: {arn}")
        return {"ModelPackageGroupArn": arn}

    def describe_model_package_group(self, request: dict[str, Any]) -> dict[str, Any]:
        return self._group(request["ModelPackageGroupName"])

    def list_model_package_groups(self, request: dict[str, Any]) -> dict[str, Any]:
        found, more = listed(
            self._groups.all(), request, "ModelPackageGroupName", order="Ascending"
        )
        hidden = ("CreatedBy",)
        summaries = [{k: v for k, v in record.items() if k not in hidden} for record in found]
        return {"ModelPackageGroupSummaryList": summaries, **more}

    def delete_model_package_group(self, request: dict[str, Any]) -> dict[str, Any]:
        with self._store.write():
            name = self._group(request["ModelPackageGroupName"])["ModelPackageGroupName"]
            if self._packages.all(f"{name}/"):
                raise invalid(f"Model Package Group {name} holds model packages.")
            self._groups.delete(name)
        return {}

    def create_model_package(self, request: dict[str, Any]) -> dict[str, Any]:
        """Versioned packages only: a version of a group that is there."""
        if not request.get("ModelPackageGroupName"):
            raise invalid("Only packages of a group are part of the embedded AWS.")
        with self._store.write():
            group = self._group(request["ModelPackageGroupName"])["ModelPackageGroupName"]
            version = self._next_version(group)
            arn = arn_of("sagemaker", f"model-package/{group}/{version}")
            record = {
                **picked(request, *_KEPT),
                "ModelPackageName": group,
                "ModelPackageGroupName": group,
                "ModelPackageVersion": version,
                "ModelPackageArn": arn,
                "CreationTime": now(),
                "CreatedBy": _CREATOR,
                "ModelPackageStatus": "Completed",
                "ModelPackageStatusDetails": {"ValidationStatuses": []},
                "CertifyForMarketplace": False,
                "ModelApprovalStatus": request.get("ModelApprovalStatus")
                or "PendingManualApproval",
            }
            self._packages.add(_key(group, version), record)
        return {"ModelPackageArn": arn}

    def describe_model_package(self, request: dict[str, Any]) -> dict[str, Any]:
        return self.package(request["ModelPackageName"])

    def list_model_packages(self, request: dict[str, Any]) -> dict[str, Any]:
        group = request.get("ModelPackageGroupName")
        prefix = f"{self._group(group)['ModelPackageGroupName']}/" if group else ""
        wanted = request.get("ModelApprovalStatus")
        packages = [
            {**record, "key": _key(record["ModelPackageGroupName"], record["ModelPackageVersion"])}
            for record in self._packages.all(prefix)
            if wanted in (None, record["ModelApprovalStatus"])
        ]
        found, more = listed(packages, request, "key", order="Ascending")
        return {"ModelPackageSummaryList": [picked(r, *_SUMMARY) for r in found], **more}

    def update_model_package(self, request: dict[str, Any]) -> dict[str, Any]:
        with self._store.write():
            record = self.package(request["ModelPackageArn"])
            record |= picked(request, *_CHANGEABLE)
            record |= {"LastModifiedTime": now(), "LastModifiedBy": _CREATOR}
            own = record.get("CustomerMetadataProperties", {})
            own |= request.get("CustomerMetadataProperties", {})
            for name in request.get("CustomerMetadataPropertiesToRemove") or ():
                own.pop(name, None)
            record.pop("CustomerMetadataProperties", None)
            if own:
                record["CustomerMetadataProperties"] = own
            self._packages.put(_key_of(record), record)
        return {"ModelPackageArn": record["ModelPackageArn"]}

    def delete_model_package(self, request: dict[str, Any]) -> dict[str, Any]:
        with self._store.write():
            self._packages.delete(_key_of(self.package(request["ModelPackageName"])))
        return {}

    def package(self, name: str) -> Record:
        """By ARN or group/version; raises ValidationException where there is none."""
        group, _, version = name.rpartition(":model-package/")[2].partition("/")
        found = self._packages.get(_key(group, int(version))) if version.isdigit() else None
        if found is None:
            raise invalid(f"ModelPackage {name} does not exist.")
        return found

    def _group(self, name: str) -> Record:
        found = self._groups.get(name.rpartition("/")[2])
        if found is None:
            raise invalid(f"Model Package Group {name} does not exist.")
        return found

    def _next_version(self, group: str) -> int:
        """One more than the highest; a number is not given twice, except for the last when deleted."""
        packages = self._packages.all(f"{group}/")
        return packages[-1]["ModelPackageVersion"] + 1 if packages else 1


def _key(group: str, version: int) -> str:
    """Sorts by version within a group."""
    return f"{group}/{version:09d}"


def _key_of(record: Record) -> str:
    return _key(record["ModelPackageGroupName"], record["ModelPackageVersion"])
