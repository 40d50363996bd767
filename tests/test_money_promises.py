"""What a person stakes a budget on, shown with the shipped defaults: the cap trips, and a job whose
watchers are all killed still ends at its clamp and is settled."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.money import connect, one_stage, upload_script
from localaws import home as data
from localaws import stack
from mlops import budget
from mlops.aws.clients import Aws
from mlops.aws.jobs import Jobs
from mlops.aws.ledger import Ledger
from mlops.aws.plans import Plans
from mlops.errors import RefusedError
from mlops.job import EndReason, JobState
from mlops.ledger import disagreements, person_scope, plan_scope
from mlops.money import cost_of_seconds, parse_usd, seconds_for, to_cents, to_usd
from mlops.plan import Plan
from tests.patience import eventually
from workbench import boot
from workbench.workbench import Workbench

ROOT = Path(__file__).resolve().parents[1]
CLAMP_SECONDS, SHORT_SECONDS = 3, 25
ENDLESS = "import threading\nprint('train_loss=1', flush=True)\nthreading.Event().wait()\n"
LAUNCH = """
import json, os, sys
from datetime import UTC, datetime
from benchmarks.money import connect
from mlops.aws.launch import launch
from mlops.aws.plans import Plans
aws = connect(json.loads(sys.argv[1]))
print(launch(aws, Plans(aws).get(sys.argv[2]), 1, datetime.now(UTC)).job.job_name, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    made = tmp_path / "home"
    yield made
    stack.stop(made)


def costing(plan: Plan, usd: str) -> Plan:
    """The same plan with so much time that it can cost this much."""
    stage = plan.stages[0]
    seconds = seconds_for(parse_usd(usd), stage.running_micro) - budget.STOP_GRACE_SECONDS
    longer = stage.lasting(seconds, None)
    changes = {"stages": (longer,), "ceiling_usd": longer.ceiling_usd, "budget_usd": usd}
    return plan.model_copy(update=changes)


def test_the_cap_of_fifty_dollars_trips_with_nothing_configured(home: Path):
    """Three plans that may cost $20 each, by the launch tool, in the shipped configuration."""
    services = boot.services(home, {})
    bench = Workbench(services)
    plans = Plans(services.aws)
    assert bench.costs().limit_usd == "50.00"
    answers = []
    for number in range(3):
        made = bench.plan("Train NER on cier, at most $20")
        plan = costing(made, "20").model_copy(update={"plan_id": f"plan-{number:016x}"})
        plans.save(plan)
        plans.approve(plan, plan.person, plan.created_at)
        arguments = {"plan_id": plan.plan_id, "max_cost_cents": 2_000}
        try:
            services.gateway.invoke_tool("launch_sagemaker_training", arguments)
            answers.append("launched")
        except RefusedError as error:
            answers.append(error.code)
            assert "monthly limit" in error.message
            assert [a.cost_usd for a in error.alternatives if a.kind == "raise_budget"]
    assert answers == ["launched", "launched", "over_budget"]
    assert bench.verify_ledger() == []
    for job in bench.jobs():
        bench.stop(job.job_name)
    boot.close(services)


def test_with_every_watcher_killed_a_job_ends_at_its_clamp_and_is_settled(home: Path):
    endpoint = stack.ensure(home)
    environ = dict(endpoint.environ)
    aws = connect(environ)
    environ["LLMOPS_TRAINING_ARCHIVE"] = upload_script(aws, ENDLESS)
    plan = _clamped(one_stage(home))
    Plans(aws).save(plan)
    Plans(aws).approve(plan, plan.person, plan.created_at)
    name = _launch_and_kill(environ, plan.plan_id)
    os.kill(endpoint.pid, signal.SIGKILL)
    eventually(lambda: data.lock_holder(home) is None)

    aws = connect(dict(stack.ensure(home).environ))
    eventually(lambda: Jobs(aws).get(name).settled)
    job = Jobs(aws).get(name)
    assert job.end_reason is EndReason.TIME_LIMIT
    assert job.billed_seconds is not None and job.billed_seconds >= CLAMP_SECONDS
    assert job.cost_usd is not None
    assert job.cost_usd == to_usd(cost_of_seconds(job.billed_seconds, job.running_micro))
    assert job.storage_usd is not None and 0 < parse_usd(job.storage_usd)
    assert parse_usd(job.cost_usd) <= plan.ceiling_micro
    eventually(lambda: _reserved(aws, plan) == 0)


def test_a_clamp_too_short_for_all_iterations_still_ends_with_a_model_and_a_score(home: Path):
    """The trainer is told its time: the job completes instead of being killed at its clamp."""
    services = boot.services(home, {})
    bench = Workbench(services)
    made = bench.plan("Train NER on cier, at most $1, 1000 epochs")
    stage = made.stages[0]
    hyperparameters = {**stage.hyperparameters, "epochs": "1000", "c1": "0"}
    short = stage.model_copy(update={"hyperparameters": hyperparameters}).lasting(
        SHORT_SECONDS, None
    )
    plan = made.model_copy(
        update={
            "plan_id": "plan-00000000000000aa",
            "stages": (short,),
            "ceiling_usd": short.ceiling_usd,
        }
    )
    Plans(services.aws).save(plan)
    Plans(services.aws).approve(plan, plan.person, plan.created_at)
    arguments = {"plan_id": plan.plan_id, "max_cost_cents": to_cents(plan.ceiling_micro)}
    name = services.gateway.invoke_tool("launch_sagemaker_training", arguments)["job"]["job_name"]
    eventually(lambda: Jobs(services.aws).get(name).settled)
    job = Jobs(services.aws).get(name)
    assert (job.state, job.end_reason) == (JobState.COMPLETED, EndReason.FINISHED)
    assert job.metrics["test_f1"] > 0 and job.model_uri is not None
    assert any("stopped_early=max_training_seconds" in entry.text for entry in bench.logs(name))
    assert bench.verify_ledger() == []
    boot.close(services)


def _clamped(plan: Plan) -> Plan:
    stage = plan.stages[0]
    short = stage.lasting(CLAMP_SECONDS, None)
    return plan.model_copy(update={"stages": (short,), "ceiling_usd": short.ceiling_usd})


def _launch_and_kill(environ: dict[str, str], plan_id: str) -> str:
    """The process that launched dies right after it has the job's name."""
    process = subprocess.Popen(
        [sys.executable, "-c", LAUNCH, json.dumps(environ), plan_id],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        name = process.stdout.readline().strip()
        process.kill()
    return name


def _reserved(aws: Aws, plan: Plan) -> int:
    """In the request and in the month; both add up."""
    ledger, reserved = Ledger(aws), 0
    for scope in (plan_scope(plan.plan_id), person_scope(plan.person, plan.created_at)):
        totals = ledger.totals(scope)
        assert totals is not None and disagreements(totals, ledger.entries(scope)) == []
        reserved += totals.reserved_micro
    return reserved
