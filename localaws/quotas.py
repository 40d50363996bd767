"""Service Quotas of SageMaker training in a small account; `quotas.json` in the data directory overrides.

`quotas.json` is {quota name: value}; values are whole numbers of instances.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from localaws.errors import AwsError, arn_of
from localaws.paging import page
from mlops.instances import catalog
from mlops.quotas import ACCOUNT_WIDE, quota_name

_SERVICE_CODE = "sagemaker"
_PAGE_SIZE = 100
_ACCOUNT_WIDE_LIMIT = 20
_TRAINING_LIMITS = {
    "ml.m5.large": 15,
    "ml.m5.xlarge": 15,
    "ml.c5.xlarge": 15,
    "ml.g4dn.xlarge": 2,
    "ml.g5.xlarge": 1,
    "ml.g5.2xlarge": 1,
}
_SPOT_LIMITS = {"ml.m5.large": 10, "ml.g4dn.xlarge": 2, "ml.g5.xlarge": 1}
_DEFAULT_TRAINING_LIMITS = {"ml.m5.large": 15, "ml.m5.xlarge": 15, "ml.c5.xlarge": 15}
_DEFAULT_SPOT_LIMITS = {"ml.m5.large": 10}

# Codes seen in a machine-made dump of the service (2026-09-10); all others are made up here and
# say so ("L-LOCAL…"). Names, not codes, are what one resolves by.
_KNOWN_CODES = {
    ACCOUNT_WIDE: "L-00C91CB5",
    quota_name("ml.g4dn.xlarge", spot=False): "L-3F53BF0F",
    quota_name("ml.g6.xlarge", spot=False): "L-56AE9D73",
    quota_name("ml.g6.4xlarge", spot=False): "L-07B51BA0",
    quota_name("ml.g6.4xlarge", spot=True): "L-03304C28",
    quota_name("ml.g5.12xlarge", spot=True): "L-03E19172",
    quota_name("ml.g4dn.2xlarge", spot=True): "L-0496610F",
    quota_name("ml.g6.24xlarge", spot=True): "L-148FBB89",
    quota_name("ml.p4d.24xlarge", spot=False): "L-09B4A649",
    quota_name("ml.p4d.24xlarge", spot=True): "L-09D56C4F",
}


class Quotas:
    """The file is read on each call, so that a change counts at once."""

    service_name = "service-quotas"

    def __init__(self, home: Path):
        self._overrides = home / "quotas.json"

    def limit(self, name: str) -> int:
        """Applied value of a quota by name; 0 for one that does not exist."""
        return self._applied().get(name, 0)

    def list_service_quotas(self, request: dict[str, Any]) -> dict[str, Any]:
        return _listed(self._applied(), request)

    def list_aws_default_service_quotas(self, request: dict[str, Any]) -> dict[str, Any]:
        return _listed(_defaults(), request)

    def get_service_quota(self, request: dict[str, Any]) -> dict[str, Any]:
        return {"Quota": _found(self._applied(), request)}

    def get_aws_default_service_quota(self, request: dict[str, Any]) -> dict[str, Any]:
        return {"Quota": _found(_defaults(), request)}

    def _applied(self) -> dict[str, int]:
        return {**_limits(_TRAINING_LIMITS, _SPOT_LIMITS), **self._read_overrides()}

    def _read_overrides(self) -> dict[str, int]:
        try:
            values = orjson.loads(self._overrides.read_bytes())
            return {str(name): int(value) for name, value in values.items()}
        except FileNotFoundError:
            return {}
        except (AttributeError, TypeError, ValueError) as error:
            message = f"{self._overrides} is not a JSON object of names and whole numbers"
            raise AwsError("ServiceException", message, 501) from error


def _defaults() -> dict[str, int]:
    """What a new account has."""
    return _limits(_DEFAULT_TRAINING_LIMITS, _DEFAULT_SPOT_LIMITS)


def _limits(training: Mapping[str, int], spot: Mapping[str, int]) -> dict[str, int]:
    limits = {ACCOUNT_WIDE: _ACCOUNT_WIDE_LIMIT}
    for name in catalog():
        limits[quota_name(name, spot=False)] = training.get(name, 0)
        limits[quota_name(name, spot=True)] = spot.get(name, 0)
    return limits


def _listed(limits: Mapping[str, int], request: Mapping[str, Any]) -> dict[str, Any]:
    _check_service(request)
    size = min(request.get("MaxResults", _PAGE_SIZE), _PAGE_SIZE)
    code = "InvalidPaginationTokenException"
    names, more = page(sorted(limits), request.get("NextToken"), size, code)
    return {"Quotas": [_quota(name, limits[name]) for name in names], **more}


def _found(limits: Mapping[str, int], request: Mapping[str, Any]) -> dict[str, Any]:
    _check_service(request)
    for name, value in limits.items():
        if _code(name) == request["QuotaCode"]:
            return _quota(name, value)
    raise AwsError(
        "NoSuchResourceException", "The request failed because the quota does not exist"
    )


def _check_service(request: Mapping[str, Any]) -> None:
    if request["ServiceCode"] != _SERVICE_CODE:
        message = f"Quotas of {request['ServiceCode']} are not part of the embedded AWS"
        raise AwsError("NoSuchResourceException", message)


def _quota(name: str, value: int) -> dict[str, Any]:
    code = _code(name)
    return {
        "ServiceCode": _SERVICE_CODE,
        "ServiceName": "Amazon SageMaker",
        "QuotaArn": arn_of("servicequotas", f"{_SERVICE_CODE}/{code}"),
        "QuotaCode": code,
        "QuotaName": name,
        "Value": float(value),
        "Unit": "None",
        "Adjustable": True,
        "GlobalQuota": False,
    }


def _code(name: str) -> str:
    digest = hashlib.sha256(name.encode()).hexdigest()[:8].upper()
    return _KNOWN_CODES.get(name, f"L-LOCAL{digest}")
