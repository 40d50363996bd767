"""Tool specs: what a model sees, what it may never set, and plain words for bad arguments."""

import json

import pytest

from mlops.errors import RequestError
from mlops.tools import TOOLS, PlanInput, ToolSpec

NAMES = {
    "check_sagemaker_quotas",
    "list_s3_datasets",
    "prepare_dataset",
    "plan_training",
    "launch_sagemaker_training",
    "describe_training_job",
    "stop_training_job",
    "get_costs",
}
SPECS = list(TOOLS.values())


def test_the_names_are_fixed():
    assert set(TOOLS) == NAMES
    assert TOOLS["get_costs"].function_name == "llmops-tool-get-costs"


def test_only_the_launch_spends():
    assert [spec.name for spec in SPECS if spec.spends] == ["launch_sagemaker_training"]


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
def test_a_model_never_sees_what_code_sets(spec: ToolSpec):
    schema = spec.model_schema()
    assert schema["type"] == "object"
    assert not spec.injected & set(schema["properties"])
    assert set(schema["required"]) <= set(schema["properties"])
    assert set(schema["properties"]) | spec.injected == set(spec.input_model.model_fields)


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
def test_schemas_stand_alone_and_describe_every_argument(spec: ToolSpec):
    schema = spec.model_schema()
    assert "$ref" not in json.dumps(schema)
    assert all(body.get("description") for body in schema["properties"].values())
    assert spec.description.endswith(".")


def test_who_asks_and_what_was_said_are_injected():
    plan, launch = TOOLS["plan_training"], TOOLS["launch_sagemaker_training"]
    assert plan.injected == {"constraints", "session_id", "turn", "person"}
    assert set(plan.model_schema()["properties"]) == {"dataset", "instance_type"}
    assert set(launch.model_schema()["properties"]) == {"plan_id"}


def test_good_arguments_are_typed():
    read = TOOLS["plan_training"].read({"dataset": "cier", "constraints": {"target": 0.85}})
    assert isinstance(read, PlanInput)
    assert read.constraints.target == 0.85


@pytest.mark.parametrize(
    ("tool", "arguments", "says"),
    [
        ("plan_training", {}, "dataset: Field required"),
        ("plan_training", {"dataset": 7}, "dataset: "),
        ("plan_training", {"dataset": "x", "budget": 1}, "budget: Extra inputs"),
        ("plan_training", {"dataset": "x", "constraints": {"bogus": 1}}, "constraints.bogus: "),
        ("launch_sagemaker_training", {"plan_id": "p", "max_cost_cents": -1}, "max_cost_cents: "),
        ("launch_sagemaker_training", {"plan_id": "p", "max_cost_cents": 0.5}, "max_cost_cents: "),
        ("list_s3_datasets", {"a": 1}, "a: Extra inputs"),
    ],
)
def test_bad_arguments_are_explained(tool: str, arguments: dict[str, object], says: str):
    with pytest.raises(RequestError) as caught:
        TOOLS[tool].read(arguments)
    assert caught.value.code == "bad_arguments"
    assert caught.value.message.startswith(f"{tool}: ") and says in caught.value.message
    assert "\n" not in caught.value.message and "pydantic" not in caught.value.message
