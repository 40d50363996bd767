"""The Bedrock control plane: the one model there is, the offline planner, described as what it is."""

from typing import Any

from localaws.bedrock import MODEL_ID
from localaws.errors import REGION, AwsError

_ARN = f"arn:aws:bedrock:{REGION}::foundation-model/{MODEL_ID}"
_MODEL: dict[str, Any] = {
    "modelArn": _ARN,
    "modelId": MODEL_ID,
    "modelName": "Offline planner (rules, no language model)",
    "providerName": "Local",
    "inputModalities": ["TEXT"],
    "outputModalities": ["TEXT"],
    "responseStreamingSupported": True,
    "customizationsSupported": [],
    "inferenceTypesSupported": ["ON_DEMAND"],
    "modelLifecycle": {"status": "ACTIVE"},
}
_FILTERS = {
    "byProvider": ("providerName", str.__eq__),
    "byOutputModality": ("outputModalities", list.__contains__),
    "byInferenceType": ("inferenceTypesSupported", list.__contains__),
    "byCustomizationType": ("customizationsSupported", list.__contains__),
}


class BedrockModels:
    """Nothing here is reached through an inference profile: that list is empty."""

    service_name = "bedrock"

    def list_foundation_models(self, request: dict[str, Any]) -> dict[str, Any]:
        wanted = [(_FILTERS[name], value) for name, value in request.items() if name in _FILTERS]
        shown = all(meets(_MODEL[member], value) for (member, meets), value in wanted)
        return {"modelSummaries": [_MODEL] if shown else []}

    def get_foundation_model(self, request: dict[str, Any]) -> dict[str, Any]:
        if request["modelIdentifier"] not in (MODEL_ID, _ARN):
            message = "The provided model identifier is invalid."
            raise AwsError("ResourceNotFoundException", message, 404)
        return {"modelDetails": _MODEL}

    def get_foundation_model_availability(self, request: dict[str, Any]) -> dict[str, Any]:
        self.get_foundation_model({"modelIdentifier": request["modelId"]})
        return {
            "modelId": request["modelId"],
            "agreementAvailability": {"status": "AVAILABLE"},
            "authorizationStatus": "AUTHORIZED",
            "entitlementAvailability": "AVAILABLE",
            "regionAvailability": "AVAILABLE",
        }

    def get_inference_profile(self, request: dict[str, Any]) -> dict[str, Any]:
        message = f"Inference profile {request['inferenceProfileIdentifier']} is not found."
        raise AwsError("ResourceNotFoundException", message, 404)

    def list_inference_profiles(self, _: dict[str, Any]) -> dict[str, Any]:
        return {"inferenceProfileSummaries": []}
