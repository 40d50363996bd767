"""The SageMaker Runtime service: InvokeEndpoint hands the body to the endpoint's own model."""

from typing import Any

from localaws.endpoint_process import ModelError
from localaws.endpoints import Endpoints
from localaws.errors import ACCOUNT_ID, AwsError, arn_of

_JSON = "application/json"
_MAX_BODY_BYTES = 6 * 1024 * 1024


class Inference:
    service_name = "sagemaker-runtime"

    def __init__(self, endpoints: Endpoints):
        self._endpoints = endpoints

    def invoke_endpoint(self, request: dict[str, Any]) -> dict[str, Any]:
        name, body = request["EndpointName"], request["Body"]
        if len(body) > _MAX_BODY_BYTES:
            message = f"Request body is larger than {_MAX_BODY_BYTES} bytes."
            raise AwsError("ValidationError", message)
        content_type, accept = request.get("ContentType", _JSON), request.get("Accept", "*/*")
        try:
            answer = self._endpoints.invoke(name, body, content_type, accept)
        except ModelError as error:
            raise _model_error(name, str(error)) from error
        variant = self._endpoints.variant(name)
        answered = {"Body": answer.body, "ContentType": answer.content_type}
        return {**answered, "InvokedProductionVariant": variant}


def _model_error(name: str, reason: str) -> AwsError:
    group = f"/aws/sagemaker/Endpoints/{name}"
    return AwsError(
        "ModelError",
        f'Received server error (500) from primary with message "{reason}". See {group} in account'
        f" {ACCOUNT_ID} for more information.",
        OriginalStatusCode=500,
        OriginalMessage=reason,
        LogStreamArn=arn_of("logs", f"log-group:{group}"),
    )
