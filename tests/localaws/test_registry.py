"""The model registry: numbered versions, metrics, approval; kept over restarts."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from localaws.errors import AwsError
from localaws.registry import Registry
from localaws.server import Server
from localaws.store import Store
from localaws.wire import create_app
from tests.localaws.conftest import Checked, new_client
from tests.localaws.things import refused

SPECIFICATION = {
    "Containers": [{"Image": "image", "ModelDataUrl": "s3://bucket/model.tar.gz"}],
    "SupportedContentTypes": ["application/json"],
    "SupportedResponseMIMETypes": ["application/json"],
}


@pytest.fixture
def sagemaker(tmp_path: Path) -> Iterator[Any]:
    store = Store(tmp_path)

    async def no_s3(_: Any) -> Any:
        raise NotImplementedError

    server = Server(create_app([Checked(Registry(store))], no_s3))
    server.start()
    client = new_client(server.endpoint, "sagemaker")
    client.create_model_package_group(
        ModelPackageGroupName="ner", ModelPackageGroupDescription="Entities"
    )
    yield client
    client.close()
    server.stop()
    store.close()


def register(sagemaker: Any, **more: Any) -> str:
    made = sagemaker.create_model_package(
        ModelPackageGroupName="ner", InferenceSpecification=SPECIFICATION, **more
    )
    return made["ModelPackageArn"]


def test_versions_count_up_with_metrics(sagemaker: Any):
    source = {"ContentType": "application/json", "S3Uri": "s3://bucket/metrics.json"}
    metrics = {"ModelQuality": {"Statistics": source}}
    arns = [
        register(sagemaker, ModelMetrics=metrics, CustomerMetadataProperties={"f1": "0.91"})
        for _ in range(12)
    ]
    assert arns[11].endswith(":model-package/ner/12")
    found = sagemaker.describe_model_package(ModelPackageName=arns[9])
    assert (found["ModelPackageVersion"], found["ModelMetrics"]) == (10, metrics)
    assert found["ModelApprovalStatus"] == "PendingManualApproval"
    assert found["CustomerMetadataProperties"] == {"f1": "0.91"}
    listed = sagemaker.list_model_packages(
        ModelPackageGroupName="ner", SortBy="Name", SortOrder="Descending", MaxResults=5
    )
    versions = [p["ModelPackageVersion"] for p in listed["ModelPackageSummaryList"]]
    assert versions == [12, 11, 10, 9, 8]
    pages = sagemaker.get_paginator("list_model_packages").paginate(
        ModelPackageGroupName="ner", PaginationConfig={"PageSize": 5}
    )
    every = [p["ModelPackageVersion"] for page in pages for p in page["ModelPackageSummaryList"]]
    assert every == list(range(1, 13))


def test_approval(sagemaker: Any):
    first, second = register(sagemaker), register(sagemaker)
    sagemaker.update_model_package(
        ModelPackageArn=second,
        ModelApprovalStatus="Approved",
        ApprovalDescription="good enough",
        CustomerMetadataProperties={"by": "me", "gone": "1"},
    )
    sagemaker.update_model_package(
        ModelPackageArn=second, CustomerMetadataPropertiesToRemove=["gone"]
    )
    found = sagemaker.describe_model_package(ModelPackageName=second)
    assert (found["ModelApprovalStatus"], found["ApprovalDescription"]) == (
        "Approved",
        "good enough",
    )
    assert found["CustomerMetadataProperties"] == {"by": "me"}
    approved = sagemaker.list_model_packages(
        ModelPackageGroupName="ner", ModelApprovalStatus="Approved"
    )
    arns = [p["ModelPackageArn"] for p in approved["ModelPackageSummaryList"]]
    assert arns == [second] != [first]


def test_groups(sagemaker: Any):
    again = refused(sagemaker.create_model_package_group, ModelPackageGroupName="ner")
    assert "already exists" in again["Error"]["Message"]
    found = sagemaker.describe_model_package_group(ModelPackageGroupName="ner")
    assert found["ModelPackageGroupDescription"] == "Entities"
    assert (
        sagemaker.list_model_package_groups(NameContains="xx")["ModelPackageGroupSummaryList"]
        == []
    )
    arn = register(sagemaker)
    full = refused(sagemaker.delete_model_package_group, ModelPackageGroupName="ner")
    assert full["Error"]["Code"] == "ValidationException"
    sagemaker.delete_model_package(ModelPackageName=arn)
    sagemaker.delete_model_package_group(ModelPackageGroupName="ner")
    missing = refused(sagemaker.describe_model_package_group, ModelPackageGroupName="ner")
    assert "does not exist" in missing["Error"]["Message"]


def test_what_is_missing_is_refused(sagemaker: Any):
    for name in ("ner/7", "ner", "none/1"):
        refused(sagemaker.describe_model_package, ModelPackageName=name)
    unversioned = {"ModelPackageName": "alone", "InferenceSpecification": SPECIFICATION}
    assert "group" in refused(sagemaker.create_model_package, **unversioned)["Error"]["Message"]


def test_a_restart_keeps_everything(tmp_path: Path):
    store = Store(tmp_path)
    registry = Registry(store)
    registry.create_model_package_group({"ModelPackageGroupName": "g"})
    made = registry.create_model_package({"ModelPackageGroupName": "g"})
    store.close()
    store = Store(tmp_path)
    found = Registry(store).package(made["ModelPackageArn"])
    assert found["CreationTime"].tzinfo is not None
    with pytest.raises(AwsError):
        Registry(store).package("g/2")
    store.close()
