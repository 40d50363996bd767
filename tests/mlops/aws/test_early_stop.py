"""A running stage whose curve cannot reach the target is stopped, said, and followed by the next stage."""

import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from mlops.aws.clients import Aws
from mlops.aws.follow import follow
from mlops.aws.jobs import Jobs
from mlops.aws.launch import launch
from mlops.aws.plans import Plans
from mlops.events import EventKind
from mlops.job import EndReason, JobState
from mlops.metrics import METRIC_NAMESPACE
from mlops.plan import Plan
from mlops.report import Report
from tests.factories import a_market, a_plan, an_asker, an_offer
from tests.mlops.aws.embedded import Clock, Embedded, FakeSageMaker
from tests.mlops.aws.scenes import approved, books, logged, name_of

HOPELESS = (0.5, 0.6, 0.61, 0.612, 0.611, 0.612)
HOPEFUL = (0.3, 0.45, 0.55, 0.63, 0.7, 0.76)
SECONDS = 60


def running(aws: Aws, clock: Clock, sagemaker: FakeSageMaker, plan: Plan) -> str:
    approved(aws, clock, plan)
    launch(aws, plan, 1, clock())
    sagemaker.train(name_of(plan))
    return name_of(plan)


def a_ladder(number: int = 0, **said: object) -> Plan:
    """Two encoder stages of twelve epochs; `number` keeps the curves of tests apart."""
    offers = [an_offer("ml.g4dn.xlarge"), an_offer("ml.g5.xlarge")]
    clauses: dict[str, Any] = {"budget_usd": "30.00", "metric": "f1", "target": 0.85}
    clauses |= {"epochs": 12, **said}
    return a_plan(a_market(offers), an_asker(turn=f"t{number}"), **clauses)


def prints(aws: Aws, clock: Clock, job: str, values: Sequence[float], metric: str = "eval_f1"):
    """One value per epoch, a minute each."""
    for value in values:
        clock.advance(SECONDS)
        point = {
            "MetricName": metric,
            "Dimensions": [{"Name": "TrainingJobName", "Value": job}],
            "Timestamp": clock() - timedelta(seconds=1),
            "Value": value,
        }
        aws.client("cloudwatch").put_metric_data(Namespace=METRIC_NAMESPACE, MetricData=[point])


def test_a_hopeless_stage_is_stopped_and_the_next_one_starts(
    aws: Aws, clock: Clock, sagemaker: FakeSageMaker
):
    plan = a_ladder(1)
    name = running(aws, clock, sagemaker, plan)
    prints(aws, clock, name, HOPELESS)
    stopped = follow(aws, name, clock)
    assert stopped is not None and stopped.state is JobState.STOPPING
    assert float(stopped.saved_usd or 0) == pytest.approx(6 * 60 * 0.7364 / 3600, abs=1e-4)
    sagemaker.end(name, seconds=360, status="Stopped")
    follow(aws, name, clock)
    ended = Jobs(aws).get(name)
    assert (ended.state, ended.end_reason) == (JobState.STOPPED, EndReason.OUT_OF_REACH)
    assert sagemaker.creations == [name, name_of(plan, 2)]
    [said] = logged(aws, clock, EventKind.THINKING)
    assert "0.85 is missed" in said.data["text"] and "saves about $0.0737" in said.data["text"]
    sagemaker.end(name_of(plan, 2), seconds=100, metrics={"eval_f1": 0.9, "test_f1": 0.88})
    follow(aws, name_of(plan, 2), clock)
    [event] = logged(aws, clock, EventKind.REPORT)
    report = Report.model_validate(event.data)
    assert report.reported_stage == 2
    assert books(aws, plan)[0].reserved_micro == 0


def test_looking_again_says_and_stops_nothing_twice(
    aws: Aws, clock: Clock, sagemaker: FakeSageMaker
):
    name = running(aws, clock, sagemaker, a_ladder(2))
    prints(aws, clock, name, HOPELESS)
    for _ in range(3):
        follow(aws, name, clock)
    assert len(logged(aws, clock, EventKind.THINKING)) == 1


def test_a_crash_between_marking_and_stopping_is_made_good(
    aws: Aws, clock: Clock, sagemaker: FakeSageMaker
):
    name = running(aws, clock, sagemaker, a_ladder(3))
    follow(aws, name, clock)
    job = Jobs(aws).get(name)
    marked = job.model_copy(update={"stop_reason": EndReason.OUT_OF_REACH})
    Jobs(aws).save(job, marked)
    follow(aws, name, clock)
    assert sagemaker.jobs[name]["TrainingJobStatus"] == "Stopping"


@pytest.mark.parametrize(
    ("number", "said", "values", "metric"),
    [
        (4, {}, HOPEFUL, "eval_f1"),
        (5, {"early_stop": False}, HOPELESS, "eval_f1"),
        (6, {}, HOPELESS, "eval_token_f1"),
        (7, {"target_comparator": "<="}, HOPELESS, "eval_f1"),
        (8, {}, HOPELESS[:2], "eval_f1"),
        (9, {"epochs": 6}, HOPELESS, "eval_f1"),
    ],
    ids=["hopeful", "person says no", "another metric", "at most", "too early", "nearly done"],
)
def test_what_goes_on(
    aws: Aws,
    clock: Clock,
    sagemaker: FakeSageMaker,
    number: int,
    said: dict[str, object],
    values: Sequence[float],
    metric: str,
):
    name = running(aws, clock, sagemaker, a_ladder(number, **said))
    prints(aws, clock, name, values, metric)
    found = follow(aws, name, clock)
    assert found is not None and found.state is JobState.TRAINING
    assert logged(aws, clock, EventKind.THINKING) == []


def test_a_setting_turns_it_off(embedded: Embedded, clock: Clock):
    sagemaker = FakeSageMaker(clock)
    aws = embedded.connect(sagemaker, early_stop=False)
    name = running(aws, clock, sagemaker, a_ladder(10))
    prints(aws, clock, name, HOPELESS)
    found = follow(aws, name, clock)
    assert found is not None and found.state is JobState.TRAINING
    assert json.loads(Plans(aws).get(found.plan_id).model_dump_json())["early_stop"] is True
