"""Service Quotas: a small account, by name, page by page, and overridable."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from mlops.instances import catalog
from mlops.quotas import ACCOUNT_WIDE, quota_name


@pytest.fixture(scope="module")
def quotas(local: Any) -> Any:
    return local.client("service-quotas")


def listed(quotas: Any, operation: str = "list_service_quotas") -> dict[str, dict[str, Any]]:
    pages = quotas.get_paginator(operation).paginate(
        ServiceCode="sagemaker", PaginationConfig={"PageSize": 40}
    )
    return {quota["QuotaName"]: quota for page in pages for quota in page["Quotas"]}


def test_every_known_type_has_both_quotas(quotas: Any):
    found = listed(quotas)
    assert len(found) == 2 * len(catalog()) + 1
    limits = {name: quota["Value"] for name, quota in found.items()}
    assert limits[quota_name("ml.g5.xlarge", spot=False)] == 1
    assert limits[quota_name("ml.m5.large", spot=True)] == 10
    assert limits[quota_name("ml.p5.48xlarge", spot=False)] == 0
    assert limits[ACCOUNT_WIDE] == 20


def test_codes_are_unique_and_made_up_ones_say_so(quotas: Any):
    codes = {name: quota["QuotaCode"] for name, quota in listed(quotas).items()}
    assert len(set(codes.values())) == len(codes)
    assert codes[ACCOUNT_WIDE] == "L-00C91CB5"
    assert codes[quota_name("ml.g5.2xlarge", spot=False)].startswith("L-LOCAL")
    wanted = {"ServiceCode": "sagemaker", "QuotaCode": "L-3F53BF0F"}
    assert quotas.get_service_quota(**wanted)["Quota"]["Value"] == 2
    assert quotas.get_aws_default_service_quota(**wanted)["Quota"]["Value"] == 0


def test_new_accounts_have_no_gpu(quotas: Any):
    defaults = listed(quotas, "list_aws_default_service_quotas")
    assert defaults[quota_name("ml.g4dn.xlarge", spot=False)]["Value"] == 0
    assert defaults[quota_name("ml.m5.large", spot=False)]["Value"] == 15


def test_a_file_overrides_at_once(quotas: Any, local: Any):
    name = quota_name("ml.g5.xlarge", spot=False)
    path = local.home / "quotas.json"
    path.write_text(json.dumps({name: 7}))
    assert listed(quotas)[name]["Value"] == 7
    assert local.service("service-quotas").limit(name) == 7
    path.write_text("[")
    with pytest.raises(ClientError, match="quotas.json"):
        quotas.list_service_quotas(ServiceCode="sagemaker")
    path.unlink()
    assert local.service("service-quotas").limit(name) == 1
    assert local.service("service-quotas").limit("no such quota") == 0


def test_what_is_unknown_is_refused(quotas: Any):
    for arguments in (
        {"ServiceCode": "ec2", "QuotaCode": "L-00C91CB5"},
        {"ServiceCode": "sagemaker", "QuotaCode": "L-0"},
    ):
        with pytest.raises(quotas.exceptions.NoSuchResourceException):
            quotas.get_service_quota(**arguments)


def test_an_increase_waits_until_the_file_grants_it(quotas: Any, local: Any):
    name = quota_name("ml.g5.xlarge", spot=False)
    one = {"ServiceCode": "sagemaker", "QuotaCode": listed(quotas)[name]["QuotaCode"]}
    made = quotas.request_service_quota_increase(**one, DesiredValue=4)["RequestedQuota"]
    assert (made["Status"], made["QuotaName"], made["DesiredValue"]) == ("PENDING", name, 4)
    with pytest.raises(quotas.exceptions.ResourceAlreadyExistsException):
        quotas.request_service_quota_increase(**one, DesiredValue=5)
    with pytest.raises(quotas.exceptions.IllegalArgumentException):
        quotas.request_service_quota_increase(**one, DesiredValue=1)
    pending = {"ServiceCode": "sagemaker", "Status": "PENDING"}
    history = quotas.list_requested_service_quota_change_history(**pending)
    assert [request["Id"] for request in history["RequestedQuotas"]] == [made["Id"]]
    path = local.home / "quotas.json"
    path.write_text(json.dumps({name: 4}))
    found = quotas.get_requested_service_quota_change(RequestId=made["Id"])["RequestedQuota"]
    assert found["Status"] == "APPROVED"
    by_quota = quotas.list_requested_service_quota_change_history_by_quota(**one)
    assert [request["Status"] for request in by_quota["RequestedQuotas"]] == ["APPROVED"]
    path.unlink()
    with pytest.raises(quotas.exceptions.NoSuchResourceException):
        quotas.get_requested_service_quota_change(RequestId="none")
