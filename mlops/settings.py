"""One frozen Settings; explicit argument > environment > default. What a back end can do is a setting."""

import os
from collections.abc import Mapping
from ipaddress import ip_address
from typing import Annotated, Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, ValidationError

from mlops.errors import RequestError, explain_validation
from mlops.money import parse_usd

LOCAL_GATEWAY_ID = "gtw-local-fallback"
SNS, WEBHOOK = "sns", "webhook"


def is_loopback(host: str) -> bool:
    """A name or address that means this machine alone."""
    if host == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _limit(text: str) -> str:
    """ValueError, as pydantic wants it, unless it is an amount that is not negative."""
    try:
        negative = parse_usd(text) < 0
    except RequestError as error:
        raise ValueError(error.message) from error
    if negative:
        raise ValueError("A limit cannot be negative.")
    return text


def _web_address(secret: SecretStr) -> SecretStr:
    """ValueError, without the address itself, unless it is https or on this machine."""
    parts = urlsplit(secret.get_secret_value())
    local = parts.scheme == "http" and is_loopback(parts.hostname or "")
    if not parts.hostname or not (local or parts.scheme == "https") or "@" in parts.netloc:
        raise ValueError("It must be an https address without a user name.")
    return secret


def _typable(secret: SecretStr) -> SecretStr:
    """ValueError unless an HTTP header can carry it as it is."""
    said = secret.get_secret_value()
    if not said.isascii() or not said.isprintable():
        raise ValueError("It must be of printable ASCII characters.")
    return secret


def _zone(name: str) -> str:
    """ValueError unless it is a zone that this machine knows; UTC always is."""
    try:
        return ZoneInfo(name).key if name != "UTC" else name
    except (OSError, KeyError) as error:
        raise ValueError("It must be a time zone such as Europe/Berlin.") from error


CallerToken = Annotated[SecretStr, Field(min_length=16), AfterValidator(_typable)]
"""What callers of a server of ours have to send."""


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
    team: str | None = Field(default=None, description="booked too")
    team_monthly_limit_usd: Annotated[str, AfterValidator(_limit)] | None = None
    price_max_age_days: int = Field(default=180, ge=0)
    bedrock_model_id: str = "global.anthropic.claude-sonnet-5-5"
    bedrock_region: str | None = Field(default=None, description="where the model is asked")
    model_rate: str | None = Field(
        default=None,
        description='of a model without a dated row: "2.20 in, 11.00 out, 2026-11-22"',
    )
    guardrail_id: str | None = Field(default=None, description="a Bedrock guardrail")
    guardrail_version: str = Field(default="DRAFT", pattern=r"[1-9][0-9]{0,7}|DRAFT")
    gateway_id: str = LOCAL_GATEWAY_ID
    use_gateway: bool = True
    gateway_token: SecretStr | None = Field(
        default=None, exclude=True, description="for a Gateway that wants no signature"
    )
    serve_token: CallerToken | None = Field(
        default=None, exclude=True, description="what callers of the headless API must send"
    )
    serve_origins: str = Field(
        default="", description="web origins that may call the headless API, comma-separated"
    )
    serve_platform_auth: bool = Field(
        default=False, description="AgentCore Runtime in front of the headless API asks who calls"
    )
    mcp_servers: str | None = Field(
        default=None, exclude=True, description="external MCP servers: a file, or JSON"
    )
    mcp_token: CallerToken | None = Field(
        default=None, exclude=True, description="what `llmops mcp --http` asks its clients for"
    )
    notify_topic_arn: str | None = Field(default=None, description="SNS topic for notices")
    notify_webhook: Annotated[SecretStr, AfterValidator(_web_address)] | None = Field(
        default=None, exclude=True, description="https address that takes Slack's JSON"
    )
    notify_by_webhook: bool = Field(
        default=False, description="some process has the webhook; set where it is not given itself"
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
    compare_regions: str = Field(
        default="us-east-1,us-west-2,eu-central-1", description="whose prices a plan looks at"
    )
    timezone: Annotated[str, AfterValidator(_zone)] | None = Field(
        default=None, description="of the person, such as Europe/Berlin: for times of day"
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
    def notify_channels(self) -> tuple[str, ...]:
        """Where notices go besides the app; nowhere by default."""
        topic = (SNS,) if self.notify_topic_arn else ()
        by_web = self.notify_by_webhook or self.notify_webhook is not None
        return topic + ((WEBHOOK,) if by_web else ())

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
        dumped: dict[str, Any] = self.model_dump(mode="json", exclude_none=True)
        dumped["notify_by_webhook"] = WEBHOOK in self.notify_channels
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
    "BEDROCK_REGION": "bedrock_region",
    "LLMOPS_MODEL_RATE": "model_rate",
    "LLMOPS_GUARDRAIL_ID": "guardrail_id",
    "LLMOPS_GUARDRAIL_VERSION": "guardrail_version",
    "AGENTCORE_GATEWAY_ID": "gateway_id",
    "USE_AGENTCORE_GATEWAY": "use_gateway",
    "LLMOPS_GATEWAY_TOKEN": "gateway_token",
    "LLMOPS_SERVE_TOKEN": "serve_token",
    "LLMOPS_SERVE_ORIGINS": "serve_origins",
    "LLMOPS_SERVE_PLATFORM_AUTH": "serve_platform_auth",
    "LLMOPS_MCP_SERVERS": "mcp_servers",
    "LLMOPS_MCP_TOKEN": "mcp_token",
    "LLMOPS_NOTIFY_TOPIC_ARN": "notify_topic_arn",
    "LLMOPS_NOTIFY_WEBHOOK": "notify_webhook",
    "LLMOPS_NOTIFY_BY_WEBHOOK": "notify_by_webhook",
    "FEATURE_REACT_ORCHESTRATION": "react",
    "LLMOPS_CRF_SECONDS_PER_TOKEN_ITERATION": "crf_pace",
    "LLMOPS_EARLY_STOP": "early_stop",
    "LLMOPS_TIMEZONE": "timezone",
    "LLMOPS_COMPARE_REGIONS": "compare_regions",
    "LLMOPS_LAUNCH_WITHIN_STATED_BUDGET": "launch_within_stated_budget",
}


def _explain(error: ValidationError) -> str:
    """The explanation, and the variables that the wrong fields are read from."""
    wrong = {str(e["loc"][0]) for e in error.errors() if e["loc"]}
    names = [name for name, field in ENVIRONMENT.items() if field in wrong]
    return f"{explain_validation(error)} (set by {', '.join(names) or 'the caller'})"
