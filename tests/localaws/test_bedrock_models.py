"""The Bedrock control plane shows one model, and that it is none."""

from typing import Any

import pytest


@pytest.fixture(scope="module")
def bedrock(local: Any) -> Any:
    return local.client("bedrock")


def test_the_planner_is_described_as_what_it_is(bedrock: Any):
    (found,) = bedrock.list_foundation_models()["modelSummaries"]
    assert "no language model" in found["modelName"]
    for name in (found["modelId"], found["modelArn"]):
        details = bedrock.get_foundation_model(modelIdentifier=name)["modelDetails"]
        assert details["modelLifecycle"] == {"status": "ACTIVE"}
    with pytest.raises(bedrock.exceptions.ResourceNotFoundException):
        bedrock.get_foundation_model(modelIdentifier="anthropic.claude")
    assert bedrock.list_inference_profiles()["inferenceProfileSummaries"] == []


@pytest.mark.parametrize(
    ("wanted", "count"),
    [
        ({"byProvider": "Local"}, 1),
        ({"byProvider": "Anthropic"}, 0),
        ({"byOutputModality": "TEXT", "byInferenceType": "ON_DEMAND"}, 1),
        ({"byOutputModality": "IMAGE"}, 0),
        ({"byCustomizationType": "FINE_TUNING"}, 0),
    ],
)
def test_filters(bedrock: Any, wanted: dict[str, str], count: int):
    assert len(bedrock.list_foundation_models(**wanted)["modelSummaries"]) == count
