"""One ToolSpec per tool: it validates in the Lambda, describes to the model, and registers at the Gateway.

Fields named in `injected` are set by code (the gate), never by a model: who asks, and what a person said.
"""

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model

from mlops.constraints import Constraints
from mlops.datasets import Dataset
from mlops.errors import RequestError, explain_validation
from mlops.job import Job
from mlops.plan import Plan
from mlops.schemas import subset


class _Wire(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class QuotasInput(_Wire):
    instance_type: str | None = Field(default=None, description="one type, e.g. ml.g5.xlarge")
    region: str | None = Field(default=None, description="another region, e.g. eu-central-1")
    refresh: bool = Field(False, description="ask the Price List API now, whatever is known")


class OfferRow(_Wire):
    """One line of the GPUs page; None is unknown."""

    instance_type: str
    gpu: str | None
    gpu_count: int
    gpu_memory_gib_each: int | None
    vcpu: int | None
    memory_gib: int | None
    usd_per_hour: str | None
    price_as_of: str | None
    price_source: str | None
    confidence: str
    spendable: bool
    limit: int | None
    in_use: int | None
    available: int | None
    spot_limit: int | None
    spot_in_use: int | None
    spot_available: int | None
    ec2_usd_per_hour: str | None = None
    spot_usd_per_hour: str | None = None
    spot_basis: str | None = None


class QuotasOutput(_Wire):
    region: str
    offers: tuple[OfferRow, ...]
    cheapest_gpu: str | None
    cheapest: str | None
    sandbox: bool


class IncreaseInput(_Wire):
    instance_type: str = Field(description="e.g. ml.g5.xlarge")
    spot: bool = Field(False, description="for spot training")
    value: int | None = Field(None, ge=1, le=1000, description="one more by default")
    approved_by: str = ""


class IncreaseOutput(_Wire):
    quota: str
    limit: int
    wanted: int
    status: str
    request_id: str | None = Field(default=None, description="None while it is a draft")


class ListDatasetsInput(_Wire):
    pass


class ListDatasetsOutput(_Wire):
    datasets: tuple[Dataset, ...]


class PrepareInput(_Wire):
    dataset: str = Field(description="name of a dataset, as listed by list_s3_datasets")


class PrepareOutput(_Wire):
    dataset: Dataset
    already_prepared: bool


class PlanInput(_Wire):
    dataset: str = Field(description="name of a prepared dataset")
    instance_type: str | None = Field(default=None, description="only when the person named one")
    constraints: Constraints = Constraints()
    session_id: str = ""
    turn: str = ""
    person: str = "local"


class PlanOutput(_Wire):
    plan: Plan


class LaunchInput(_Wire):
    plan_id: str = Field(description="id of a plan from plan_training")
    max_cost_cents: int = Field(default=0, ge=0, description="ceiling of the plan in whole cents")


class LaunchOutput(_Wire):
    job: Job
    already_launched: bool


class DescribeInput(_Wire):
    job_name: str | None = Field(default=None, description="one job; without it the latest jobs")
    person: str = "local"


class DescribeOutput(_Wire):
    jobs: tuple[Job, ...]
    as_of: datetime


class StopInput(_Wire):
    job_name: str = Field(description="the job to stop")


class StopOutput(_Wire):
    job: Job


class CostsInput(_Wire):
    person: str = "local"


class CostsOutput(_Wire):
    """The person's month: what is spent and reserved against the limit."""

    month: str
    limit_usd: str
    spent_usd: str
    reserved_usd: str
    left_usd: str
    sandbox: bool


class ToolSpec(BaseModel, frozen=True, extra="forbid"):
    """A tool as everyone sees it."""

    name: str
    description: str
    input_model: type[BaseModel]
    output_model: type[BaseModel]
    injected: frozenset[str] = frozenset()
    spends: bool = False

    @property
    def function_name(self) -> str:
        return f"llmops-tool-{self.name.replace('_', '-')}"

    def model_schema(self) -> dict[str, Any]:
        """JSON Schema of the arguments that a model may set."""
        schema = self.input_model.model_json_schema()
        properties = {
            name: {k: v for k, v in body.items() if k != "title"}
            for name, body in schema.get("properties", {}).items()
            if name not in self.injected
        }
        required = [name for name in schema.get("required", []) if name in properties]
        return {"type": "object", "properties": properties, "required": required}

    def gateway_schema(self) -> dict[str, Any]:
        """All arguments, injected ones too, in the Gateway's subset of JSON Schema.

        What the subset cannot say is said in the descriptions, and checked where the tool runs.
        """
        schema = self.input_model.model_json_schema()
        return subset(schema, schema.get("$defs", {}))

    def read(self, arguments: Mapping[str, Any]) -> Any:
        """Validated input; RequestError in plain words when the arguments do not fit."""
        try:
            return self.input_model.model_validate(arguments)
        except ValidationError as error:
            raise RequestError(
                "bad_arguments", f"{self.name}: {explain_validation(error)}"
            ) from error


class RemoteTool(ToolSpec, frozen=True):
    """A tool that a Gateway offers and no code here knows: its schema is all there is."""

    input_schema: dict[str, Any]
    output_model: type[BaseModel] = BaseModel
    spends: Literal[False] = False

    def model_schema(self) -> dict[str, Any]:
        return self.input_schema


def arguments_model(schema: Mapping[str, Any]) -> type[BaseModel]:
    """Checks arguments as far as the Gateway's subset of JSON Schema says; more are allowed.

    TypeError, AttributeError or ValueError for what is no schema.
    """
    required: list[str] = list(schema.get("required") or ())
    bodies: dict[str, Any] = dict(schema.get("properties") or {})
    bodies |= {name: {} for name in required if name not in bodies}
    fields: dict[str, Any] = {
        f"argument_{number}": (
            _python_type(body),
            Field(... if name in required else None, alias=name),
        )
        for number, (name, body) in enumerate(bodies.items())
    }
    return create_model("Arguments", __config__=ConfigDict(extra="allow", strict=True), **fields)


_SPECS = (
    ToolSpec(
        name="check_sagemaker_quotas",
        description="Instance types with quota, use and hourly training price; the cheapest GPU.",
        input_model=QuotasInput,
        output_model=QuotasOutput,
    ),
    ToolSpec(
        name="request_quota_increase",
        description="Drafts an increase request to AWS; only a person can send it.",
        input_model=IncreaseInput,
        output_model=IncreaseOutput,
        injected=frozenset({"approved_by"}),
    ),
    ToolSpec(
        name="list_s3_datasets",
        description="The datasets that can be trained on, with sizes, labels and status.",
        input_model=ListDatasetsInput,
        output_model=ListDatasetsOutput,
    ),
    ToolSpec(
        name="prepare_dataset",
        description="Validates and normalises a dataset for training; harmless to repeat.",
        input_model=PrepareInput,
        output_model=PrepareOutput,
    ),
    ToolSpec(
        name="plan_training",
        description="Computes the cheapest plan that fits the person's budget, time and target.",
        input_model=PlanInput,
        output_model=PlanOutput,
        injected=frozenset({"constraints", "session_id", "turn", "person"}),
    ),
    ToolSpec(
        name="launch_sagemaker_training",
        description="Starts an approved plan. Refused unless a person approved this very plan.",
        input_model=LaunchInput,
        output_model=LaunchOutput,
        injected=frozenset({"max_cost_cents"}),
        spends=True,
    ),
    ToolSpec(
        name="describe_training_job",
        description="State, cost so far and metrics of one job, or of the latest jobs.",
        input_model=DescribeInput,
        output_model=DescribeOutput,
        injected=frozenset({"person"}),
    ),
    ToolSpec(
        name="stop_training_job",
        description="Stops a running training job; what ran until then is charged.",
        input_model=StopInput,
        output_model=StopOutput,
    ),
    ToolSpec(
        name="get_costs",
        description="What was spent and reserved this month, and what is left of the limit.",
        input_model=CostsInput,
        output_model=CostsOutput,
        injected=frozenset({"person"}),
    ),
)

TOOLS: Mapping[str, ToolSpec] = MappingProxyType({spec.name: spec for spec in _SPECS})
EVENT_HANDLERS = ("on_training_event", "watchdog")

_PLAIN_TYPES = {"string": str, "integer": int, "number": float, "boolean": bool}


def _python_type(schema: Mapping[str, Any]) -> Any:
    """Any where the subset says nothing."""
    kind = schema.get("type")
    if kind == "array":
        return list[_python_type(schema.get("items") or {})]
    if kind == "object":
        return arguments_model(schema) if schema.get("properties") else dict[str, Any]
    return _PLAIN_TYPES.get(kind, Any) if isinstance(kind, str) else Any
