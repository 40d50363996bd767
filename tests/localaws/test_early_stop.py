"""A real process prints the target's metric epoch by epoch, and is stopped when it cannot get there."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from mlops.aws.clients import Aws
from mlops.aws.follow import follow
from mlops.aws.jobs import Jobs
from mlops.aws.launch import launch
from mlops.aws.plans import Plans
from mlops.job import EndReason
from mlops.plan import Plan
from tests.factories import a_market, a_plan, an_asker, an_offer, training_data
from tests.localaws.jobs import BUCKET, Stack
from tests.mlops.aws.embedded import Embedded
from tests.mlops.aws.scenes import name_of
from tests.patience import eventually

PLATEAU = """
import signal, sys, threading
signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
for score in (0.6, 0.601, 0.602, 0.601, 0.602):
    print(f"eval_f1={score}", flush=True)
    threading.Event().wait(1.1)
threading.Event().wait(600)
"""


class Live(Stack):
    """Its points go to the CloudWatch of another server."""

    def __init__(self, home: Path, metrics: Any):
        super().__init__(home)
        self._metrics = metrics

    def _put_points(self, namespace: str, points: list[Any]) -> None:
        self._metrics.put_points(namespace, points)


def now() -> datetime:
    return datetime.now(UTC)


def a_ladder() -> Plan:
    """Encoder stages of forty epochs; here a script of ours stands for them."""
    market = a_market([an_offer("ml.g4dn.xlarge"), an_offer("ml.g5.xlarge")], startup_seconds=0)
    data = training_data(prepared_uri=f"s3://{BUCKET}/prepared/set/")
    said = {"budget_usd": "30.00", "metric": "f1", "target": 0.85, "epochs": 40}
    return a_plan(market, an_asker(now=now()), data, **said)


@pytest.fixture
def live(tmp_path: Path):
    embedded = Embedded(tmp_path / "data")
    embedded.reset()
    stack = Live(tmp_path / "jobs", embedded.metrics)
    yield embedded, stack
    stack.close()
    embedded.close()


def test_a_plateau_is_left_for_the_next_stage(live: tuple[Embedded, Live]):
    embedded, stack = live
    stack.upload_code("plateau", PLATEAU)
    archive = f"s3://{BUCKET}/code/plateau.tar.gz"
    aws: Aws = embedded.connect(stack.sagemaker, training_archive_uri=archive)
    stack.s3.create_bucket(Bucket=aws.settings.models_bucket)
    plan = a_ladder()
    Plans(aws).save(plan)
    Plans(aws).approve(plan, "ada", now())
    launch(aws, plan, 1, now())

    def is_followed_by_another() -> bool:
        follow(aws, name_of(plan), now)
        return Jobs(aws).find(name_of(plan, 2)) is not None

    eventually(is_followed_by_another)
    ended = Jobs(aws).get(name_of(plan))
    assert ended.end_reason is EndReason.OUT_OF_REACH
    assert ended.metrics["eval_f1"] < 0.85
    assert float(ended.saved_usd or 0) > 0
    stack.sagemaker.stop_training_job(TrainingJobName=name_of(plan, 2))
    stack.wait(name_of(plan, 2))
