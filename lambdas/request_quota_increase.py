"""Tool: drafts a request for a higher quota, and sends it when a person approved it."""

from mlops.aws.clients import Aws
from mlops.aws.quotas import request_increase
from mlops.aws.serve import tool
from mlops.instances import find
from mlops.tools import IncreaseInput, IncreaseOutput


def request(aws: Aws, wanted: IncreaseInput) -> IncreaseOutput:
    name = find(wanted.instance_type).name
    return request_increase(aws, name, wanted.spot, wanted.value, bool(wanted.approved_by))


lambda_handler = tool("request_quota_increase", request)
