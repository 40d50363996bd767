"""The model of the settings, looked for at a Bedrock control plane behind the wire."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.config import Config
from starlette.requests import Request
from starlette.responses import Response

from agent.model_check import ModelCheck, ModelHealth, ModelState, check, refusal_of
from localaws.errors import AwsError
from localaws.server import Server
from localaws.wire import create_app
from mlops.aws.clients import Aws
from mlops.settings import Settings
from tests.agent.world import credentials
from tests.patience import PATIENCE_SECONDS

PROFILE = "global.anthropic.claude-sonnet-5-5"
MODEL = "anthropic.claude-sonnet-5-5"
OLD = "global.anthropic.claude-haiku-4-5"
_ONE_TRY = Config(retries={"total_max_attempts": 1})
END = datetime(2026, 12, 31, 12, tzinfo=UTC)


class Catalogue:
    """Two profiles; `faults` are raised by the operation of their name."""

    service_name = "bedrock"

    def __init__(self) -> None:
        self.faults: dict[str, AwsError] = {}
        self.access = {"authorizationStatus": "AUTHORIZED"}
        self.calls: list[str] = []

    def get_inference_profile(self, request: dict[str, Any]) -> dict[str, Any]:
        self._called("get_inference_profile")
        name = request["inferenceProfileIdentifier"].rpartition("/")[2]
        if name not in (PROFILE, OLD):
            raise AwsError("ResourceNotFoundException", "Inference profile is not found.", 404)
        arn = f"arn:aws:bedrock:us-east-1::foundation-model/{name.removeprefix('global.')}"
        return _profile(name) | {"models": [{"modelArn": arn}]}

    def get_foundation_model(self, request: dict[str, Any]) -> dict[str, Any]:
        self._called("get_foundation_model")
        name = request["modelIdentifier"]
        legacy = {"status": "LEGACY", "endOfLifeTime": END}
        life = legacy if "haiku" in name else {"status": "ACTIVE"}
        if name not in (MODEL, OLD.removeprefix("global.")):
            raise AwsError("ValidationException", "The provided model identifier is invalid.")
        arn = f"arn:aws:bedrock:us-east-1::foundation-model/{name}"
        return {"modelDetails": {"modelArn": arn, "modelId": name, "modelLifecycle": life}}

    def get_foundation_model_availability(self, request: dict[str, Any]) -> dict[str, Any]:
        self._called("get_foundation_model_availability")
        answer = {
            "agreementAvailability": {"status": "AVAILABLE"},
            "authorizationStatus": "AUTHORIZED",
            "entitlementAvailability": "AVAILABLE",
            "regionAvailability": "AVAILABLE",
        }
        return {"modelId": request["modelId"], **answer, **self.access}

    def list_inference_profiles(self, _: dict[str, Any]) -> dict[str, Any]:
        self._called("list_inference_profiles")
        names = (PROFILE, OLD, "global.vendor.without-a-price")
        return {"inferenceProfileSummaries": [_profile(n) | {"models": []} for n in names]}

    def list_foundation_models(self, _: dict[str, Any]) -> dict[str, Any]:
        self._called("list_foundation_models")
        return {"modelSummaries": []}

    def _called(self, name: str) -> None:
        self.calls.append(name)
        if name in self.faults:
            raise self.faults[name]


def _profile(name: str) -> dict[str, Any]:
    return {
        "inferenceProfileName": name,
        "inferenceProfileArn": f"arn:aws:bedrock:us-east-1:1:inference-profile/{name}",
        "inferenceProfileId": name,
        "status": "ACTIVE",
        "type": "SYSTEM_DEFINED",
    }


@pytest.fixture
def catalogue() -> Catalogue:
    return Catalogue()


@pytest.fixture
def connected(catalogue: Catalogue) -> Iterator[Callable[..., Aws]]:
    async def no_s3(_: Request) -> Response:
        return Response(status_code=501)

    server = Server(create_app([catalogue], no_s3))
    server.start()

    def connect(model_id: str = PROFILE, **more: Any) -> Aws:
        facts: dict[str, Any] = {"endpoint_url": server.endpoint, "price_max_age_days": 36_500}
        settings = Settings.from_env({}, bedrock_model_id=model_id, **(facts | more))
        return Aws(settings, credentials())

    yield connect
    server.stop()


def ways(found: ModelHealth) -> list[str]:
    return [way.message for way in found.alternatives]


@pytest.mark.parametrize(
    "model_id",
    [PROFILE, MODEL, f"arn:aws:bedrock:us-east-1:1:inference-profile/{PROFILE}"],
    ids=["profile", "model", "arn"],
)
def test_all_is_well(connected: Callable[..., Aws], model_id: str):
    found = check(connected(model_id, model_rate="2 in, 10 out, 2026-11-22"))
    assert (found.state, found.line) == (ModelState.READY, "")


def test_an_old_model_works_and_says_until_when(connected: Callable[..., Aws]):
    found = check(connected(OLD))
    assert found.state is ModelState.LEGACY
    assert "2026-12-31" in found.line and f"BEDROCK_MODEL_ID={PROFILE}" in found.line


@pytest.mark.parametrize("model_id", ["global.anthropic.claude-nine", "anthropic.claude-nine"])
def test_a_model_that_is_not_there(connected: Callable[..., Aws], model_id: str):
    aws = connected(model_id, model_rate="2 in, 10 out, 2026-11-22")
    found = check(aws)
    assert found.state is ModelState.REFUSED and model_id in found.message
    # Those that are there and have a price, and none at all.
    assert ways(found)[:2] == [f"Set BEDROCK_MODEL_ID={PROFILE}", f"Set BEDROCK_MODEL_ID={OLD}"]
    assert "FEATURE_REACT_ORCHESTRATION=false" in ways(found)[-1]
    assert len(ways(found)) == 3
    error = refusal_of(aws)
    assert error is not None and error.code == "model_unavailable"


def test_a_model_without_a_price_is_refused_before_anybody_is_asked(
    connected: Callable[..., Aws], catalogue: Catalogue
):
    found = check(connected("global.vendor.without-a-price"))
    assert found.state is ModelState.REFUSED and "LLMOPS_MODEL_RATE" in found.message
    assert catalogue.calls == []


@pytest.mark.parametrize(
    ("access", "words"),
    [
        ({"authorizationStatus": "NOT_AUTHORIZED"}, "not authorized"),
        ({"entitlementAvailability": "NOT_AVAILABLE"}, "no access"),
        ({"regionAvailability": "NOT_AVAILABLE"}, "us-east-1 does not have it"),
    ],
)
def test_no_access(
    connected: Callable[..., Aws], catalogue: Catalogue, access: dict[str, str], words: str
):
    catalogue.access = access
    found = check(connected(MODEL, model_rate="2 in, 10 out, 2026-11-22"))
    assert found.state is ModelState.REFUSED and words in found.message


def test_the_model_of_a_profile_may_be_elsewhere(
    connected: Callable[..., Aws], catalogue: Catalogue
):
    catalogue.access = {"regionAvailability": "NOT_AVAILABLE"}
    assert check(connected()).state is ModelState.READY
    unknown = AwsError("ValidationException", "The provided model identifier is invalid.")
    catalogue.faults["get_foundation_model"] = unknown
    assert check(connected()).state is ModelState.READY


def test_who_may_not_look_may_still_ask_the_model(
    connected: Callable[..., Aws], catalogue: Catalogue
):
    catalogue.faults["get_inference_profile"] = AwsError("AccessDeniedException", "No.", 403)
    aws = connected()
    found = check(aws)
    assert found.state is ModelState.UNKNOWN
    assert "bedrock:GetInferenceProfile" in found.line
    assert refusal_of(aws) is None


def test_a_missing_permission_for_the_list_or_the_access_is_no_trouble(
    connected: Callable[..., Aws], catalogue: Catalogue
):
    denied = AwsError("AccessDeniedException", "No.", 403)
    catalogue.faults = {
        "get_foundation_model_availability": denied,
        "list_inference_profiles": denied,
    }
    assert check(connected()).state is ModelState.READY
    assert ways(check(connected(OLD)))[0].startswith("Work without a model")


def test_nobody_there_is_not_the_models_fault():
    settings = Settings.from_env({}, endpoint_url="http://127.0.0.1:9")
    aws = Aws(settings, credentials())
    aws._clients["bedrock"] = aws.session.client(
        "bedrock", endpoint_url="http://127.0.0.1:9", region_name="us-east-1", config=_ONE_TRY
    )
    found = check(aws)
    assert found.state is ModelState.UNKNOWN and "could not be reached" in found.line


def test_a_price_that_nobody_confirmed_is_said(connected: Callable[..., Aws]):
    found = check(connected())
    assert found.state is ModelState.READY
    assert "unconfirmed: half as much again is booked" in found.line


def test_a_price_that_is_too_old_is_a_refusal_with_the_way_to_renew_it(
    connected: Callable[..., Aws],
):
    refused = refusal_of(connected(price_max_age_days=0))
    assert refused is not None and "LLMOPS_MODEL_RATE" in refused.message


def test_without_a_model_nothing_is_asked(connected: Callable[..., Aws], catalogue: Catalogue):
    found = check(connected("whatever", react=False))
    assert (found.state, found.line, catalogue.calls) == (ModelState.NONE, "", [])


def test_it_is_looked_for_once_and_nobody_waits(
    connected: Callable[..., Aws], catalogue: Catalogue
):
    begun = ModelCheck(connected())
    begun.look()
    found = begun.look(timeout_seconds=PATIENCE_SECONDS)
    assert found is not None and found.state is ModelState.READY
    assert begun.look() is found
    assert catalogue.calls.count("get_inference_profile") == 1
