"""Requests for higher quotas: a draft until a person approves it."""

import pytest

from mlops.aws.clients import Aws
from mlops.aws.quotas import request_increase
from mlops.errors import RefusedError
from tests.mlops.aws.embedded import client_error


def test_without_an_approval_it_is_a_draft(aws: Aws, monkeypatch: pytest.MonkeyPatch):
    sent: list[object] = []
    quotas = aws.client("service-quotas")
    monkeypatch.setattr(quotas, "request_service_quota_increase", lambda **w: sent.append(w))
    draft = request_increase(aws, "ml.g5.xlarge", False, None, approved=False)
    assert (draft.quota, draft.limit, draft.wanted) == (
        "ml.g5.xlarge for training job usage",
        1,
        2,
    )
    assert (draft.status, draft.request_id, sent) == ("DRAFT", None, [])


def test_with_an_approval_it_is_sent(aws: Aws, monkeypatch: pytest.MonkeyPatch):
    def take(**wanted: object) -> dict[str, object]:
        assert wanted["DesiredValue"] == 4.0 and str(wanted["QuotaCode"]).startswith("L-")
        return {"RequestedQuota": {"Id": "r1", "Status": "PENDING"}}

    monkeypatch.setattr(aws.client("service-quotas"), "request_service_quota_increase", take)
    made = request_increase(aws, "ml.g5.xlarge", True, 4, approved=True)
    assert (made.status, made.request_id, made.wanted) == ("PENDING", "r1", 4)


def test_what_cannot_be_read_is_said(aws: Aws, monkeypatch: pytest.MonkeyPatch):
    def refuse(**_: object) -> None:
        raise client_error("AccessDeniedException")

    monkeypatch.setattr(aws.client("service-quotas"), "list_service_quotas", refuse)
    with pytest.raises(RefusedError):
        request_increase(aws, "ml.g5.xlarge", False, None, approved=True)
