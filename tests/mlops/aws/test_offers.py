"""The market from Service Quotas, Pricing and running jobs; what cannot be read is unknown."""

from typing import Any

import pytest

from mlops.aws.clients import Aws
from mlops.aws.jobs import Jobs
from mlops.aws.offers import Offers
from mlops.aws.prices import Prices
from mlops.offers import Offer
from tests.factories import NOW, a_job, a_plan
from tests.mlops.aws.embedded import FakeSageMaker, client_error


def offers(aws: Aws) -> dict[str, Offer]:
    return {o.instance.name: o for o in Offers(aws, Prices(aws)).all(NOW)}


def test_quota_use_and_price_come_together(aws: Aws, sagemaker: FakeSageMaker):
    for stage, instances in ((1, 1), (2, 2)):
        job = a_job(a_plan(), stage)
        config = {"InstanceType": "ml.g4dn.xlarge", "InstanceCount": instances}
        sagemaker.create_training_job(TrainingJobName=job.job_name, ResourceConfig=config)
    sagemaker.end(a_job(a_plan(), 1).job_name)
    Jobs(aws).add(a_job())
    found = offers(aws)["ml.g4dn.xlarge"]
    assert (found.quota.limit, found.quota.in_use, found.quota.available) == (2, 2, 0)
    assert found.spot_quota.available == 2
    assert found.usd_per_hour == "0.7364"


def test_spot_and_stopping_jobs_count_where_they_belong(aws: Aws, sagemaker: FakeSageMaker):
    config = {"InstanceType": "ml.g5.xlarge", "InstanceCount": 1}
    sagemaker.create_training_job(
        TrainingJobName="a", ResourceConfig=config, EnableManagedSpotTraining=True
    )
    sagemaker.create_training_job(TrainingJobName="b", ResourceConfig=config)
    sagemaker.stop_training_job("b")
    found = offers(aws)["ml.g5.xlarge"]
    assert (found.quota.available, found.spot_quota.available) == (0, 0)


def test_retired_types_are_not_offered(aws: Aws):
    assert "ml.p3.2xlarge" not in offers(aws)


def test_quotas_that_cannot_be_read_are_unknown(aws: Aws, monkeypatch: pytest.MonkeyPatch):
    def refuse(**_: Any) -> None:
        raise client_error("AccessDeniedException")

    monkeypatch.setattr(aws.client("service-quotas"), "list_service_quotas", refuse)
    found = offers(aws)["ml.g5.xlarge"]
    assert (found.quota.limit, found.available(spot=False)) == (None, None)


def test_a_quota_that_service_quotas_could_not_read_is_unknown(
    aws: Aws, monkeypatch: pytest.MonkeyPatch
):
    real = aws.client("service-quotas").list_service_quotas

    def without_values(**request: Any) -> dict[str, Any]:
        answer = real(**request)
        for quota in answer["Quotas"]:
            if quota["QuotaName"].startswith("ml.g5.xlarge for training"):
                del quota["Value"]
        return answer

    monkeypatch.setattr(aws.client("service-quotas"), "list_service_quotas", without_values)
    found = offers(aws)
    assert found["ml.g5.xlarge"].available(spot=False) is None
    assert found["ml.g4dn.xlarge"].available(spot=False) == 2


def test_jobs_of_others_may_have_several_types_or_none(aws: Aws, sagemaker: FakeSageMaker):
    group = {"InstanceType": "ml.g4dn.xlarge", "InstanceCount": 1}
    groups = {"InstanceGroups": [group, {**group, "InstanceType": "ml.g5.xlarge"}]}
    for name, config in (("groups", groups), ("none", {})):
        sagemaker.create_training_job(
            TrainingJobName=name, ResourceConfig={"InstanceType": "", **config}
        )
    found = offers(aws)
    assert found["ml.g4dn.xlarge"].available(spot=False) == 1
    assert found["ml.g5.xlarge"].available(spot=False) == 0
