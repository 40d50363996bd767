"""One frozen Settings; explicit argument > environment > default. What a back end can do is a setting."""

import os
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, ValidationError

from mlops.errors import RequestError, explain_validation
from mlops.money import parse_usd

LOCAL_GATEWAY_ID = "gtw-local-fallback"


def _limit(text: str) -> str:
    """ValueError, as pydantic wants it, unless it is an amount that is not negative."""
    try:
        negative = parse_usd(text) < 0
    except RequestError as error:
        raise ValueError(error.message) from error
    if negative:
        raise ValueError("A limit cannot be negative.")
    return text


class Settings(BaseModel):
    """Everything that differs between a laptop, a team's server and an AWS account."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    region: str = "us-east-1"
    endpoint_url: str | None = Field(default=None, description="None means AWS itself")
    prefix: str = Field(default="llmops", description="bucket name prefix")
    role_arn: str = "arn:aws:iam::000000000000:role/llmops-training"
    training_image: str = (
        "763104351884.dkr.ecr.us-east-1.amazonaws.com/pytorch-training:2.8.0-cpu-py312"
    )
    training_archive_uri: str = Field(
        default="", description="sourcedir.tar.gz of the training script"
    )
    billed_overhead_seconds: int = Field(
        default=300, ge=0, description="billed start-up and upload around the training loop"
    )
    startup_seconds: int = Field(default=240, ge=0, description="wait for an instance, not billed")
    engines: tuple[str, ...] = Field(
        default=("crf",), description="engines that this back end can run"
    )
    sandbox: bool = Field(default=False, description="metered at list price, not billed")
    person: str = "local"
    monthly_limit_usd: Annotated[str, AfterValidator(_limit)] = "50"
    team: str | None = Field(default=None, description="booked too when it has a limit")
    team_monthly_limit_usd: Annotated[str, AfterValidator(_limit)] | None = None
    price_max_age_days: int = Field(default=180, ge=0)
    bedrock_model_id: str = "global.anthropic.claude-sonnet-5-5"
    gateway_id: str = LOCAL_GATEWAY_ID
    use_gateway: bool = True
    gateway_token: SecretStr | None = Field(
        default=None, exclude=True, description="for a Gateway that wants no signature"
    )
    react: bool = Field(
        default=True, description="False: the deterministic policy answers, no model"
    )
    crf_pace: float | None = Field(
        default=None, gt=0, description="seconds per token and iteration, measured by a probe"
    )
    early_stop: bool = Field(
        default=True, description="stop a stage whose learning curve cannot reach the target"
    )
    launch_within_stated_budget: bool = Field(
        default=False,
        description="standing approval: launch when the ceiling fits the stated budget",
    )

    @property
    def datasets_bucket(self) -> str:
        return f"{self.prefix}-datasets"

    @property
    def models_bucket(self) -> str:
        return f"{self.prefix}-models"

    @property
    def limited_team(self) -> str | None:
        """The team whose month is booked: only one that has a limit."""
        return self.team if self.team_monthly_limit_usd is not None else None

    @property
    def uses_lambda_gateway(self) -> bool:
        return not self.use_gateway or self.gateway_id == LOCAL_GATEWAY_ID

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None, **explicit: Any) -> "Settings":
        """Raises RequestError that names the variable when a value is malformed."""
        source = os.environ if environ is None else environ
        values: dict[str, Any] = {
            field: source[name] for name, field in ENVIRONMENT.items() if source.get(name)
        }
        if "engines" in values:
            values["engines"] = tuple(e.strip() for e in values["engines"].split(",") if e.strip())
        try:
            return cls(**(values | explicit))
        except ValidationError as error:
            raise RequestError("bad_setting", _explain(error)) from error

    def to_env(self) -> dict[str, str]:
        """The environment that gives the same settings to another process (a Lambda); no secrets."""
        dumped = self.model_dump(mode="json", exclude_none=True)
        return {
            name: ",".join(dumped[field]) if field == "engines" else str(dumped[field])
            for name, field in ENVIRONMENT.items()
            if field in dumped
        }


ENVIRONMENT = {
    "AWS_DEFAULT_REGION": "region",
    "AWS_ENDPOINT_URL": "endpoint_url",
    "LLMOPS_PREFIX": "prefix",
    "LLMOPS_ROLE_ARN": "role_arn",
    "LLMOPS_TRAINING_IMAGE": "training_image",
    "LLMOPS_TRAINING_ARCHIVE": "training_archive_uri",
    "LLMOPS_BILLED_OVERHEAD_SECONDS": "billed_overhead_seconds",
    "LLMOPS_STARTUP_SECONDS": "startup_seconds",
    "LLMOPS_ENGINES": "engines",
    "LLMOPS_SANDBOX": "sandbox",
    "LLMOPS_PERSON": "person",
    "LLMOPS_MONTHLY_LIMIT_USD": "monthly_limit_usd",
    "LLMOPS_TEAM": "team",
    "LLMOPS_TEAM_MONTHLY_LIMIT_USD": "team_monthly_limit_usd",
    "LLMOPS_PRICE_MAX_AGE_DAYS": "price_max_age_days",
    "BEDROCK_MODEL_ID": "bedrock_model_id",
    "AGENTCORE_GATEWAY_ID": "gateway_id",
    "USE_AGENTCORE_GATEWAY": "use_gateway",
    "LLMOPS_GATEWAY_TOKEN": "gateway_token",
    "FEATURE_REACT_ORCHESTRATION": "react",
    "LLMOPS_CRF_SECONDS_PER_TOKEN_ITERATION": "crf_pace",
    "LLMOPS_EARLY_STOP": "early_stop",
    "LLMOPS_LAUNCH_WITHIN_STATED_BUDGET": "launch_within_stated_budget",
}


def _explain(error: ValidationError) -> str:
    """The explanation, and the variables that the wrong fields are read from."""
    wrong = {str(e["loc"][0]) for e in error.errors() if e["loc"]}
    names = [name for name, field in ENVIRONMENT.items() if field in wrong]
    return f"{explain_validation(error)} (set by {', '.join(names) or 'the caller'})"
