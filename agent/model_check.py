"""Is the model of the settings there, open to this account, alive and priced? Asked once per process, beside its work."""

import re
import threading
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from pydantic import BaseModel, ConfigDict

from mlops.aws.clients import Aws, error_code, translate
from mlops.errors import Alternative, OpsError, RefusedError
from mlops.token_rates import TokenRate, rate_of, token_rates

_ABSENT = ("ResourceNotFoundException", "ValidationException")
_DENIED = ("AccessDeniedException", "UnauthorizedException")
_OFFERED = 5
_PROFILE = re.compile(r"[a-z-]+\.[a-z0-9-]+\.[a-z]")
_WITHOUT = Alternative(
    kind="model", message="Work without a model: FEATURE_REACT_ORCHESTRATION=false"
)


class ModelState(StrEnum):
    """NONE: the fixed policy answers. UNKNOWN: AWS did not tell; the model may well work."""

    NONE = "none"
    READY = "ready"
    LEGACY = "legacy"
    UNKNOWN = "unknown"
    REFUSED = "refused"


class ModelHealth(BaseModel):
    """What the check found; `message` is one plain line, empty when all is well."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model_id: str
    state: ModelState
    message: str = ""
    alternatives: tuple[Alternative, ...] = ()

    @property
    def line(self) -> str:
        """For a screen or a terminal; empty when there is nothing to say."""
        ways = "; ".join(way.message for way in self.alternatives)
        return f"{self.message} Ways out: {ways}." if ways else self.message


class ModelCheck:
    """Checks the model in a thread, started by the first `look`, so that no screen waits for it."""

    def __init__(self, aws: Aws):
        self._aws = aws
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._found: ModelHealth | None = None

    def look(self, timeout_seconds: float = 0.0) -> ModelHealth | None:
        """None while it is not known yet."""
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._check, name="model-check", daemon=True
                )
                self._thread.start()
        self._thread.join(timeout_seconds)
        return self._found

    def _check(self) -> None:
        self._found = check(self._aws)


def check(aws: Aws) -> ModelHealth:
    """Never raises: what goes wrong is what it says."""
    model_id = aws.settings.bedrock_model_id
    if not aws.settings.react:
        return ModelHealth(model_id=model_id, state=ModelState.NONE)
    try:
        rate = rate_of(aws.settings, datetime.now(UTC))
        found = _health(aws, model_id)
        return found if rate.is_confirmed else _with_price(found, rate)
    except OpsError as error:
        refused = isinstance(error, RefusedError)
        return ModelHealth(
            model_id=model_id,
            state=ModelState.REFUSED if refused else ModelState.UNKNOWN,
            message=error.message,
            alternatives=error.alternatives,
        )


def refusal_of(aws: Aws) -> OpsError | None:
    """Why the model of the settings cannot be used, if the model is the trouble."""
    found = check(aws)
    if found.state is not ModelState.REFUSED:
        return None
    return RefusedError("model_unavailable", found.message, found.alternatives)


def _health(aws: Aws, model_id: str) -> ModelHealth:
    try:
        life = _life_cycle(aws, model_id)
    except ClientError as error:
        return _unseen(aws, model_id, error)
    except BotoCoreError as error:
        raise translate(error) from error
    if life.get("status") != "LEGACY":
        return ModelHealth(model_id=model_id, state=ModelState.READY)
    return ModelHealth(
        model_id=model_id,
        state=ModelState.LEGACY,
        message=_legacy(model_id, life.get("endOfLifeTime")),
        alternatives=_others(aws, model_id),
    )


def _with_price(found: ModelHealth, rate: TokenRate) -> ModelHealth:
    """Unconfirmed: said in the same line as whatever else there is to say."""
    note = (
        f"The price of {rate.model_id} of {rate.as_of} is unconfirmed: half as much again is booked,"
        " at most what it costs. LLMOPS_MODEL_RATE confirms it."
    )
    return found.model_copy(update={"message": f"{found.message} {note}".strip()})


def _life_cycle(aws: Aws, model_id: str) -> dict[str, Any]:
    """Of the model, whose access is checked too. One behind an inference profile need not be in
    this region: that is what the profile is for."""
    bedrock = aws.client("bedrock")
    behind, is_profile = model_id, _is_profile(model_id)
    if is_profile:
        profile = bedrock.get_inference_profile(inferenceProfileIdentifier=model_id)
        behind = profile["models"][0]["modelArn"].rpartition("/")[2]
    try:
        found = bedrock.get_foundation_model(modelIdentifier=behind)["modelDetails"]
    except ClientError as error:
        if not is_profile or error_code(error) not in _ABSENT:
            raise
        return {}
    _require_access(aws, found["modelId"], is_profile)
    return found.get("modelLifecycle", {})


def _is_profile(model_id: str) -> bool:
    """An ARN of one, or `<geography>.<vendor>.<model>`; a plain model id is `<vendor>.<model>`."""
    if model_id.startswith("arn:"):
        return "inference-profile/" in model_id
    return _PROFILE.match(model_id) is not None


def _require_access(aws: Aws, behind: str, is_profile: bool) -> None:
    """RefusedError when the account may not use it; whoever may not ask is not stopped."""
    try:
        found = aws.client("bedrock").get_foundation_model_availability(modelId=behind)
    except ClientError:
        return
    region = aws.settings.bedrock_region or aws.settings.region
    reasons = {
        "authorizationStatus": ("NOT_AUTHORIZED", "this account is not authorized for it"),
        "entitlementAvailability": ("NOT_AVAILABLE", "this account has no access to it yet"),
        "regionAvailability": ("NOT_AVAILABLE", f"{region} does not have it"),
    }
    if is_profile:
        del reasons["regionAvailability"]
    for field, (bad, why) in reasons.items():
        if found.get(field) == bad:
            raise RefusedError(
                "model_unavailable",
                f"{behind} is there, but {why}. Ask for it in the Bedrock console (Model access),"
                " or set BEDROCK_MODEL_ID or BEDROCK_REGION.",
                _others(aws, behind),
            )


def _unseen(aws: Aws, model_id: str, error: ClientError) -> ModelHealth:
    code = error_code(error)
    if code in _ABSENT:
        region = aws.settings.bedrock_region or aws.settings.region
        raise RefusedError(
            "model_unavailable",
            f"There is no model {model_id[:120]!r} in {region}. Set BEDROCK_MODEL_ID.",
            _others(aws, model_id),
        ) from error
    message = translate(error).message
    if code in _DENIED:
        message = (
            f"Whether {model_id} is available could not be checked: the permissions "
            "bedrock:GetInferenceProfile and bedrock:GetFoundationModel are missing."
        )
    return ModelHealth(model_id=model_id, state=ModelState.UNKNOWN, message=message)


def _legacy(model_id: str, end: datetime | None) -> str:
    until = f"AWS ends it on {end.astimezone(UTC).date()}" if end else "AWS will end it"
    return f"{model_id} is an old model: {until}. Set BEDROCK_MODEL_ID to a newer one."


def _others(aws: Aws, model_id: str) -> tuple[Alternative, ...]:
    """Models that are there and have a price, and to do without."""
    there = [name for name in _available(aws) if name in token_rates() and name != model_id]
    return (
        *(
            Alternative(kind="model", message=f"Set BEDROCK_MODEL_ID={name}")
            for name in there[:_OFFERED]
        ),
        _WITHOUT,
    )


def _available(aws: Aws) -> list[str]:
    """Ids of profiles and on-demand models; none where listing is not allowed."""
    bedrock = aws.client("bedrock")
    try:
        pages = bedrock.get_paginator("list_inference_profiles").paginate(
            typeEquals="SYSTEM_DEFINED"
        )
        profiles = [
            p["inferenceProfileId"] for page in pages for p in page["inferenceProfileSummaries"]
        ]
        models = bedrock.list_foundation_models(
            byOutputModality="TEXT", byInferenceType="ON_DEMAND"
        )["modelSummaries"]
    except (ClientError, BotoCoreError):
        return []
    return [*profiles, *(model["modelId"] for model in models)]
