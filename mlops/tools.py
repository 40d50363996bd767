"""Our tools, one ToolSpec each: it validates in the Lambda, describes to the model, and registers at the Gateway."""

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from mlops.approvals import Queue
from mlops.constraints import Constraints
from mlops.datasets import Dataset
from mlops.job import Job
from mlops.plan import Plan
from mlops.report import Report
from mlops.tool_spec import ToolSpec


class _Wire(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class QuotasInput(_Wire):
    instance_type: str | None = Field(default=None, description="one type, e.g. ml.g5.xlarge")
    region: str | None = Field(default=None, description="another region, e.g. eu-central-1")
    regions: tuple[str, ...] = Field(default=(), description="several regions, side by side")
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
    wait_p50_seconds: int | None = Field(default=None, description="seen, launch to start")
    wait_p90_seconds: int | None = None
    wait_jobs: int = 0


class RegionOffer(_Wire):
    """What one type costs in one region, and how many of it are free; None is unknown."""

    region: str
    instance_type: str
    usd_per_hour: str | None
    price_as_of: str | None
    confidence: str
    available: int | None
    spot_available: int | None
    cheapest: bool


class QuotasOutput(_Wire):
    region: str
    offers: tuple[OfferRow, ...]
    cheapest_gpu: str | None
    cheapest: str | None
    sandbox: bool
    regions: tuple[RegionOffer, ...] = ()


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
    inputs_sha256: str = Field(default="", description="of the stored inputs of the plan")


class LaunchInput(_Wire):
    plan_id: str = Field(description="id of a plan from plan_training")
    max_cost_cents: int = Field(default=0, ge=0, description="ceiling of the plan in whole cents")
    retry_of: str = Field(default="", description="a failed or stopped job of it, to try again")


class LaunchOutput(_Wire):
    """Without a job it waits in the queue; `message` says until when."""

    job: Job | None = None
    already_launched: bool = False
    queue: Queue | None = None
    message: str = ""


class DescribeInput(_Wire):
    job_name: str | None = Field(default=None, description="one job; without it the latest jobs")
    person: str = "local"


class WaitingPlan(_Wire):
    """An approved plan in the queue: nothing of it has started."""

    plan_id: str
    dataset: str
    instance_type: str
    ceiling_usd: str
    queue: Queue
    message: str


class DescribeOutput(_Wire):
    jobs: tuple[Job, ...]
    as_of: datetime
    waiting: tuple[WaitingPlan, ...] = ()


class StopInput(_Wire):
    job_name: str = Field(default="", description="the job to stop")
    plan_id: str = Field(default="", description="or the plan to end, also one that is queued")
    queued_only: bool = Field(default=False, description="leave a plan that has started alone")
    person: str = "local"


class StopOutput(_Wire):
    """The job, or what was given back of a plan that waited."""

    job: Job | None = None
    plan_id: str | None = None
    released_usd: str = "0.00"


class ReportInput(_Wire):
    plan_id: str | None = Field(default=None, description="without it the latest run's")
    person: str = "local"
    session_id: str = ""


class ReportOutput(_Wire):
    """How a plan's run ended: with a report, or with a failure (code, message, alternatives)."""

    plan_id: str
    report: Report | None = None
    failure: dict[str, Any] | None = None


class CostsInput(_Wire):
    person: str = "local"
    team: str | None = Field(default=None, description="a team's month as well")


class TeamCosts(_Wire):
    """The month of a team that has a limit."""

    name: str
    limit_usd: str
    spent_usd: str
    reserved_usd: str
    left_usd: str


class CostsOutput(_Wire):
    """The person's month: what is spent and reserved against the limit; `storage_usd` is the part
    of what is spent that training volumes cost."""

    month: str
    limit_usd: str
    spent_usd: str
    reserved_usd: str
    left_usd: str
    sandbox: bool
    storage_usd: str = "0.00"
    team: TeamCosts | None = None


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
        injected=frozenset({"max_cost_cents", "retry_of"}),
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
        injected=frozenset({"person"}),
    ),
    ToolSpec(
        name="get_training_report",
        description="How a run ended: PASS or FAIL per clause, cost, scores, next steps; or why "
        "it failed. Answers why a clause failed.",
        input_model=ReportInput,
        output_model=ReportOutput,
        injected=frozenset({"person", "session_id"}),
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
