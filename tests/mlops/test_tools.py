"""Tool specs: what a model sees, what it may never set, and plain words for bad arguments."""

import json
from typing import Any

import pytest
from botocore.loaders import create_loader
from botocore.model import ServiceModel
from botocore.validate import ParamValidator
from pydantic import BaseModel, ValidationError

from mlops.aws.gateway import target_request
from mlops.errors import RequestError
from mlops.tool_spec import RemoteTool, ToolSpec, arguments_model
from mlops.tools import TOOLS, PlanInput

NAMES = {
    "check_sagemaker_quotas",
    "list_s3_datasets",
    "prepare_dataset",
    "plan_training",
    "launch_sagemaker_training",
    "describe_training_job",
    "stop_training_job",
    "get_costs",
    "get_training_report",
    "request_quota_increase",
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


CONTROL = "bedrock-agentcore-control"
ARN = "arn:aws:lambda:us-east-1:000000000000:function:llmops-tool-get-costs"
SUBSET = {"type", "properties", "required", "items", "description"}
CORPUS = {
    "type": "object",
    "properties": {
        "schema": {"type": "string"},
        "limits": {"type": "array", "items": {"type": "integer"}},
        "where": {"type": "object", "properties": {"_from": {"type": "number"}}},
        "free": {"type": "object"},
        "odd": {"enum": ["a", "b"]},
    },
    "required": ["schema", "unlisted"],
}
FITTING = {"schema": "s", "unlisted": None}


def schemas(schema: dict[str, Any]) -> list[dict[str, Any]]:
    """The schema and all that it holds."""
    below = [*schema.get("properties", {}).values(), *filter(None, [schema.get("items")])]
    return [schema, *(found for body in below for found in schemas(body))]


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
def test_gateway_schemas_fit_the_service_model(spec: ToolSpec):
    model = ServiceModel(create_loader().load_service_model(CONTROL, "service-2"), CONTROL)
    shape = model.operation_model("CreateGatewayTarget").input_shape
    request = {"gatewayIdentifier": "llmops-0123456789", **target_request(spec, ARN)}
    assert ParamValidator().validate(request, shape).generate_report() == ""
    types = model.shape_for("SchemaType").metadata["enum"]
    for schema in schemas(spec.gateway_schema()):
        assert set(schema) <= SUBSET
        assert schema["type"] in types


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
def test_the_gateway_is_told_of_every_argument(spec: ToolSpec):
    schema = spec.gateway_schema()
    assert set(schema.get("properties", {})) == set(spec.input_model.model_fields)
    assert schema.get("required", []) == spec.input_model.model_json_schema().get("required", [])


def test_what_the_subset_cannot_say_is_said_in_words():
    cents = TOOLS["launch_sagemaker_training"].gateway_schema()["properties"]["max_cost_cents"]
    assert cents["type"] == "integer"
    assert cents["description"].endswith("; minimum: 0")
    constraints = TOOLS["plan_training"].gateway_schema()["properties"]["constraints"]
    assert constraints["properties"]["max_minutes"] == {"type": "number"}
    assert "'>='" in constraints["properties"]["target_comparator"]["description"]


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
def test_absent_says_the_same_as_null(spec: ToolSpec):
    """Nulls do not pass a Gateway's schema, so they are not sent."""
    models = [spec.input_model, PlanInput.model_fields["constraints"].annotation]
    for model in models:
        assert isinstance(model, type) and issubclass(model, BaseModel)
        for field in model.model_fields.values():
            if type(None) in getattr(field.annotation, "__args__", ()):
                assert field.default is None


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"limits": [1, 2], "where": {"_from": 1}, "free": {"a": [None]}, "odd": 7},
        {"unknown": 1, "argument_0": 2},
    ],
)
def test_arguments_that_fit_a_foreign_schema(more: dict[str, Any]):
    arguments_model(CORPUS).model_validate({**FITTING, **more})


@pytest.mark.parametrize(
    ("arguments", "place"),
    [
        ({"unlisted": 1}, "schema"),
        ({"schema": "s"}, "unlisted"),
        ({**FITTING, "schema": 7}, "schema"),
        ({**FITTING, "limits": [1, "2"]}, "limits"),
        ({**FITTING, "limits": None}, "limits"),
        ({**FITTING, "where": {"_from": True}}, "where"),
        ([], None),
    ],
)
def test_arguments_that_do_not_fit_it(arguments: Any, place: str | None):
    with pytest.raises(ValidationError) as caught:
        arguments_model(CORPUS).model_validate(arguments)
    assert place is None or caught.value.errors()[0]["loc"][0] == place


@pytest.mark.parametrize(
    "schema", [{"properties": [1]}, {"properties": {"a": 7}}, {"required": 3}]
)
def test_what_is_no_schema_makes_no_tool(schema: Any):
    with pytest.raises((TypeError, AttributeError, ValueError)):
        arguments_model(schema)


def test_a_remote_tool_shows_its_own_schema_and_never_spends():
    about = {"name": "hr___holidays", "description": "d", "input_schema": CORPUS}
    tool = RemoteTool(**about, input_model=arguments_model(CORPUS))
    assert tool.model_schema() == CORPUS
    assert (tool.spends, tool.injected) == (False, frozenset())
    with pytest.raises(RequestError, match="hr___holidays: schema"):
        tool.read({})
    with pytest.raises(ValidationError):
        RemoteTool.model_validate({**about, "input_model": BaseModel, "spends": True})
