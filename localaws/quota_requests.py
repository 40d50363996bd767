"""Requests for higher quotas: kept and listed, never granted by themselves.

A person grants one by writing the value to quotas.json; the request then reads as approved.
"""

import uuid
from typing import Any

from localaws.errors import ACCOUNT_ID, AwsError
from localaws.paging import page
from localaws.quotas import Quotas
from localaws.records import Record, Records, now
from localaws.store import Store

_PAGE_SIZE = 100


class QuotaRequests:
    service_name = "service-quotas"

    def __init__(self, store: Store, quotas: Quotas):
        self._store = store
        self._requests = Records(store, "quota-request")
        self._quotas = quotas

    def request_service_quota_increase(self, request: dict[str, Any]) -> dict[str, Any]:
        quota = self._quotas.get_service_quota(request)["Quota"]
        wanted = request["DesiredValue"]
        if wanted <= quota["Value"]:
            message = "You must provide a quota value greater than the current quota value."
            raise AwsError("IllegalArgumentException", message)
        with self._store.write():
            if any(r["Status"] == "PENDING" for r in self._found(quota["QuotaCode"])):
                message = f"Only one open request is possible for quota {quota['QuotaCode']}."
                raise AwsError("ResourceAlreadyExistsException", message)
            made = now()
            record = {
                "Id": uuid.uuid4().hex,
                **{member: quota[member] for member in _OF_QUOTA},
                "DesiredValue": wanted,
                "Status": "PENDING",
                "Created": made,
                "LastUpdated": made,
                "Requester": f'{{"accountId":"{ACCOUNT_ID}","callerArn":"{_CALLER}"}}',
                "QuotaRequestedAtLevel": "ACCOUNT",
            }
            self._requests.put(record["Id"], record)
        return {"RequestedQuota": record}

    def get_requested_service_quota_change(self, request: dict[str, Any]) -> dict[str, Any]:
        record = self._requests.get(request["RequestId"])
        if record is None:
            message = "The request failed because the quota request does not exist"
            raise AwsError("NoSuchResourceException", message)
        return {"RequestedQuota": self._current(record)}

    def list_requested_service_quota_change_history(
        self, request: dict[str, Any]
    ) -> dict[str, Any]:
        return self._listed(request, None)

    def list_requested_service_quota_change_history_by_quota(
        self, request: dict[str, Any]
    ) -> dict[str, Any]:
        return self._listed(request, self._quotas.get_service_quota(request)["Quota"]["QuotaCode"])

    def _listed(self, request: dict[str, Any], code: str | None) -> dict[str, Any]:
        service, status = request.get("ServiceCode"), request.get("Status")
        found = [
            record
            for record in self._found(code)
            if service in (None, record["ServiceCode"]) and status in (None, record["Status"])
        ]
        size = min(request.get("MaxResults") or _PAGE_SIZE, _PAGE_SIZE)
        token = request.get("NextToken")
        rows, more = page(found, token, size, "InvalidPaginationTokenException")
        return {"RequestedQuotas": rows, **more}

    def _found(self, code: str | None) -> list[Record]:
        """Newest first."""
        records = [r for r in self._requests.all() if code in (None, r["QuotaCode"])]
        records.sort(key=lambda record: record["Created"], reverse=True)
        return [self._current(record) for record in records]

    def _current(self, record: Record) -> Record:
        granted = self._quotas.limit(record["QuotaName"]) >= record["DesiredValue"]
        return {**record, "Status": "APPROVED" if granted else "PENDING"}


_CALLER = f"arn:aws:iam::{ACCOUNT_ID}:user/local"
_OF_QUOTA = (
    "ServiceCode",
    "ServiceName",
    "QuotaCode",
    "QuotaName",
    "QuotaArn",
    "GlobalQuota",
    "Unit",
)
