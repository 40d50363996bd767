"""Every handler: its answer fits its output model, bad input and refusals come back as data."""

import ast
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mlops.aws.clients import Aws
from mlops.aws.limits import Limits
from mlops.aws.plans import Plans
from mlops.errors import RefusedError, from_wire
from mlops.events import EventKind
from mlops.money import parse_usd
from mlops.tools import EVENT_HANDLERS, TOOLS
from tests.lambdas.conftest import Invoke
from tests.mlops.aws.embedded import Clock, FakeSageMaker, client_error
from tests.mlops.aws.scenes import logged, reserved
from tests.patience import PATIENCE_SECONDS

FOLDER = Path(__file__).resolve().parents[2] / "lambdas"
ARGUMENTS: dict[str, dict[str, Any]] = {
    "prepare_dataset": {"dataset": "people"},
    "plan_training": {"dataset": "people"},
    "launch_sagemaker_training": {"plan_id": "plan-0"},
    "stop_training_job": {"job_name": "nobody"},
}
ALONE = """
import importlib, sys
FORBIDDEN = {"agent", "app", "workbench", "localaws", "infra", "streamlit", "pandas", "moto",
             "langgraph", "plotly", "lambdas"}
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in FORBIDDEN:
            raise ImportError(f"{name} is not in a Lambda's archive")
sys.meta_path.insert(0, Refuse())
sys.path[:0] = [sys.argv[1], sys.argv[1] + "/lambdas"]
for name in sys.argv[2:]:
    assert callable(importlib.import_module(name).lambda_handler), name
print("ok")
"""


def approve(aws: Aws, clock: Clock, plan_id: str) -> None:
    plans = Plans(aws)
    plans.approve(plans.get(plan_id), "ada", clock())


def test_there_is_one_file_per_tool_and_handler():
    files = {path.stem for path in FOLDER.glob("*.py")} - {"__init__"}
    assert files == set(TOOLS) | set(EVENT_HANDLERS)


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.py")), ids=lambda path: path.stem)
def test_a_handler_imports_only_rules(path: Path):
    imported: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            imported |= {alias.name.partition(".")[0] for alias in node.names}
        if isinstance(node, ast.ImportFrom):
            imported.add((node.module or "").partition(".")[0])
    assert imported <= {"mlops", *sys.stdlib_module_names}


def test_every_handler_imports_alone():
    names = [*TOOLS, *EVENT_HANDLERS]
    command = [sys.executable, "-I", "-c", ALONE, str(FOLDER.parent), *names]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False
    )
    assert (done.stdout, done.returncode) == ("ok\n", 0), done.stderr


@pytest.mark.parametrize("name", TOOLS)
def test_an_unknown_field_is_refused_everywhere(invoke: Invoke, name: str):
    error = invoke(name, **ARGUMENTS.get(name, {}), bogus=1)["error"]
    assert (error["class"], error["code"], error["exit_code"]) == (
        "RequestError",
        "bad_arguments",
        2,
    )
    assert "bogus" in error["message"]


@pytest.mark.parametrize("name", ["check_sagemaker_quotas", "list_s3_datasets", "get_costs"])
def test_questions_answer_in_their_output_model(invoke: Invoke, name: str):
    answer = invoke(name)
    assert TOOLS[name].output_model.model_validate(answer).model_dump(mode="json") == answer


def test_gpus_are_listed_cheap_first_and_the_cheapest_usable_is_named(invoke: Invoke):
    answer = invoke("check_sagemaker_quotas")
    priced = [float(o["usd_per_hour"]) for o in answer["offers"] if o["usd_per_hour"]]
    assert priced == sorted(priced)
    assert [o["usd_per_hour"] for o in answer["offers"]][-1] is None
    assert (answer["cheapest"], answer["cheapest_gpu"]) == ("ml.m5.large", "ml.g4dn.xlarge")
    assert answer["sandbox"] is True


def test_one_type_can_be_asked_for(invoke: Invoke):
    [offer] = invoke("check_sagemaker_quotas", instance_type="g5.xlarge")["offers"]
    assert (offer["instance_type"], offer["usd_per_hour"]) == ("ml.g5.xlarge", "1.408")
    assert offer["spendable"] and offer["price_as_of"]
    error = invoke("check_sagemaker_quotas", instance_type="ml.h900.xlarge")["error"]
    assert error["code"] == "unknown_instance"


def test_a_busy_type_is_not_the_cheapest(invoke: Invoke, sagemaker: FakeSageMaker):
    config = {"InstanceType": "ml.g4dn.xlarge", "InstanceCount": 2}
    sagemaker.create_training_job(TrainingJobName="x", ResourceConfig=config)
    assert invoke("check_sagemaker_quotas")["cheapest_gpu"] == "ml.g5.xlarge"


def test_datasets_are_listed_and_prepared_once(invoke: Invoke):
    assert [d["name"] for d in invoke("list_s3_datasets")["datasets"]] == ["people"]
    first = invoke("prepare_dataset", dataset="People")
    assert (first["dataset"]["status"], first["already_prepared"]) == ("PREPARED", False)
    assert invoke("prepare_dataset", dataset="people")["already_prepared"]


def test_an_unknown_dataset_lists_what_there_is(invoke: Invoke):
    error = invoke("prepare_dataset", dataset="peeple")["error"]
    assert (error["class"], "people" in str(error)) == ("RequestError", True)


def test_a_plan_is_computed_and_stored(invoke: Invoke, aws: Aws, planned: dict[str, Any]):
    assert Plans(aws).get(planned["plan_id"]).model_dump(mode="json") == planned
    assert parse_usd(planned["ceiling_usd"]) <= parse_usd("10")
    assert planned["person"] == "ada"
    assert [s["model"] for s in planned["stages"]][0] == "crf"


def test_an_unprepared_dataset_is_not_planned_for(invoke: Invoke):
    error = invoke("plan_training", dataset="people")["error"]
    assert error["code"] == "not_prepared"
    assert error["alternatives"][0]["kind"] == "prepare"


def test_what_the_person_said_wins_over_the_model(invoke: Invoke):
    """An instance that a model passes only fills a gap."""
    invoke("prepare_dataset", dataset="people")
    said = {"instance_type": "ml.m5.large"}
    plan = invoke("plan_training", dataset="people", instance_type="g5.xlarge", constraints=said)[
        "plan"
    ]
    assert {s["instance_type"] for s in plan["stages"]} == {"ml.m5.large"}
    plan = invoke("plan_training", dataset="people", instance_type="g5.xlarge")["plan"]
    assert {s["instance_type"] for s in plan["stages"]} == {"ml.g5.xlarge"}


def test_a_budget_that_is_too_small_is_refused_with_prices(invoke: Invoke):
    invoke("prepare_dataset", dataset="people")
    error = from_wire(
        invoke("plan_training", dataset="people", constraints={"budget_usd": "0.0001"})
    )
    assert (type(error), error.code) == (RefusedError, "budget_too_small")
    assert all(a.cost_usd for a in error.alternatives)


@pytest.mark.parametrize("cents", [0, 10**6])
def test_no_launch_without_a_persons_approval(
    invoke: Invoke, sagemaker: FakeSageMaker, planned: dict[str, Any], cents: int
):
    """Whatever ceiling the arguments claim."""
    wanted = {"plan_id": planned["plan_id"], "max_cost_cents": cents}
    error = invoke("launch_sagemaker_training", **wanted)["error"]
    assert error["code"] == ("not_approved" if cents else "ceiling_too_low")
    assert error["exit_code"] == 3
    assert sagemaker.creations == []


def test_from_approval_to_report(
    invoke: Invoke,
    aws: Aws,
    clock: Clock,
    sagemaker: FakeSageMaker,
    planned: dict[str, Any],
):
    plan_id = planned["plan_id"]
    approve(aws, clock, plan_id)
    wanted = {"plan_id": plan_id, "max_cost_cents": 1000}
    first = invoke("launch_sagemaker_training", **wanted)
    again = invoke("launch_sagemaker_training", **wanted)
    assert (first["already_launched"], again["already_launched"]) == (False, True)
    assert first["job"] == again["job"]
    name = first["job"]["job_name"]
    held = invoke("get_costs", person="ada")
    assert (held["reserved_usd"], held["spent_usd"]) == (planned["ceiling_usd"], "0.00")

    sagemaker.train(name)
    event = {"detail": {"TrainingJobName": name}}
    assert invoke("on_training_event", **event) == {"job_name": name, "state": "training"}
    [seen] = invoke("describe_training_job", job_name=name, person="ada")["jobs"]
    assert seen["state"] == "training"

    sagemaker.end(name, seconds=100, metrics={"eval_f1": 0.9, "test_f1": 0.9})
    for _ in range(2):
        assert invoke("on_training_event", **event)["state"] == "completed"
    [report] = logged(aws, clock, EventKind.REPORT)
    spent = invoke("get_costs", person="ada")
    assert spent["spent_usd"] == report.data["total_cost_usd"] == "0.003369"
    assert (spent["reserved_usd"], spent["storage_usd"]) == ("0.00", "0.000174")
    assert [j["job_name"] for j in invoke("describe_training_job", person="ada")["jobs"]] == [name]
    told = invoke("get_training_report", plan_id=plan_id, person="ada")
    assert told == {"plan_id": plan_id, "report": report.data, "failure": None}
    assert invoke("get_training_report", person="ada") == told
    states = [e.data["job"]["state"] for e in logged(aws, clock, EventKind.JOB)]
    assert states == ["starting", "training", "completed"]


def test_a_quota_refusal_reaches_the_caller_as_one(
    invoke: Invoke, aws: Aws, clock: Clock, sagemaker: FakeSageMaker, planned: dict[str, Any]
):
    approve(aws, clock, planned["plan_id"])
    sagemaker.error_before = client_error("ResourceLimitExceeded", "limit is 0")
    wanted = {"plan_id": planned["plan_id"], "max_cost_cents": 1000}
    error = from_wire(invoke("launch_sagemaker_training", **wanted))
    assert (type(error), error.code) == (RefusedError, "quota")
    assert reserved(aws, Plans(aws).get(planned["plan_id"])) == 0


def test_a_stop_is_asked_for_and_settled_by_the_event(
    invoke: Invoke, aws: Aws, clock: Clock, sagemaker: FakeSageMaker, planned: dict[str, Any]
):
    approve(aws, clock, planned["plan_id"])
    wanted = {"plan_id": planned["plan_id"], "max_cost_cents": 1000}
    name = invoke("launch_sagemaker_training", **wanted)["job"]["job_name"]
    assert invoke("stop_training_job", job_name=name, person="bob")["error"]["code"] == "not_yours"
    assert (
        sagemaker.describe_training_job(TrainingJobName=name)["TrainingJobStatus"] == "InProgress"
    )
    stopped = invoke("stop_training_job", job_name=name, person="ada")
    assert stopped["job"]["state"] == "stopping"
    sagemaker.end(name, seconds=36, status="Stopped")
    invoke("watchdog")
    assert invoke("get_costs", person="ada")["spent_usd"] == "0.001213"


def test_jobs_and_reports_of_others_are_theirs(
    invoke: Invoke, aws: Aws, clock: Clock, sagemaker: FakeSageMaker, planned: dict[str, Any]
):
    plan_id = planned["plan_id"]
    approve(aws, clock, plan_id)
    job = invoke("launch_sagemaker_training", plan_id=plan_id, max_cost_cents=1000)["job"]
    for answer in (
        invoke("describe_training_job", job_name=job["job_name"], person="bob"),
        invoke("get_training_report", plan_id=plan_id, person="bob"),
    ):
        assert answer["error"]["code"] == "not_yours"
    assert (
        invoke("get_training_report", plan_id=plan_id, person="ada")["error"]["code"]
        == "no_report"
    )
    for _ in planned["stages"]:
        name = list(sagemaker.jobs)[-1]
        sagemaker.end(name, seconds=20, status="Failed")
        invoke("on_training_event", detail={"TrainingJobName": name})
    failed = invoke("get_training_report", person="ada", session_id=planned["session_id"])
    assert (failed["report"], failed["failure"]["code"]) == (None, "job_failed")


def test_no_report_before_anything_ran(invoke: Invoke):
    assert invoke("get_training_report")["error"]["code"] == "no_report"


@pytest.mark.parametrize("name", ["describe_training_job", "stop_training_job"])
def test_an_unknown_job(invoke: Invoke, name: str):
    assert invoke(name, job_name="nobody")["error"]["code"] == "unknown_job"


def test_an_unknown_plan(invoke: Invoke):
    error = invoke("launch_sagemaker_training", plan_id="plan-0")["error"]
    assert error["code"] == "unknown_plan"


def test_a_strangers_event_and_a_quiet_round(invoke: Invoke):
    event = {"detail": {"TrainingJobName": "somebody-elses"}}
    assert invoke("on_training_event", **event)["state"] == "not ours"
    quiet = invoke("watchdog")
    assert quiet.pop("followed") == 0
    assert not any(quiet.values())


def test_costs_before_anything_was_spent(invoke: Invoke):
    costs = invoke("get_costs")
    assert (costs["limit_usd"], costs["left_usd"]) == ("50.00", "50.00")


def test_costs_show_a_team_that_has_a_limit(invoke: Invoke, aws: Aws, clock: Clock):
    assert invoke("get_costs", person="ada", team="nlp")["team"] is None
    Limits(aws).set_team("nlp", 20_000_000, clock())
    team = invoke("get_costs", person="ada", team="nlp")["team"]
    assert (team["name"], team["limit_usd"], team["left_usd"]) == ("nlp", "20.00", "20.00")
