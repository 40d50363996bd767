"""Service Quotas: the limits by name, and requests for higher ones."""

from collections.abc import Iterator
from typing import Any

from mlops.aws.clients import Aws, translated
from mlops.errors import Alternative, RefusedError
from mlops.quotas import quota_name
from mlops.tools import IncreaseOutput

_SERVICE = "sagemaker"
_PAGE = 100


def listed(aws: Aws) -> Iterator[dict[str, Any]]:
    """All quotas of SageMaker that Service Quotas gives a value of, which it does not where it met
    an error; raises what botocore raises."""
    request: dict[str, Any] = {"ServiceCode": _SERVICE, "MaxResults": _PAGE}
    while True:
        answer = aws.client("service-quotas").list_service_quotas(**request)
        yield from (quota for quota in answer["Quotas"] if "Value" in quota)
        if not answer.get("NextToken"):
            return
        request["NextToken"] = answer["NextToken"]


def request_increase(
    aws: Aws, instance_type: str, spot: bool, value: int | None, approved: bool
) -> IncreaseOutput:
    """The draft, or the request as AWS took it. RefusedError when AWS lists no such quota."""
    name = quota_name(instance_type, spot)
    with translated():
        quota = next((q for q in listed(aws) if q["QuotaName"] == name), None)
        if quota is None:
            other = Alternative(kind="instance", message="Use another instance type")
            raise RefusedError("quota_unknown", f"AWS lists no quota {name!r}.", (other,))
        limit = int(quota["Value"])
        draft = IncreaseOutput(quota=name, limit=limit, wanted=value or limit + 1, status="DRAFT")
        if not approved:
            return draft
        answer = aws.client("service-quotas").request_service_quota_increase(
            ServiceCode=_SERVICE, QuotaCode=quota["QuotaCode"], DesiredValue=float(draft.wanted)
        )
    sent = answer["RequestedQuota"]
    return draft.model_copy(update={"status": sent["Status"], "request_id": sent["Id"]})
