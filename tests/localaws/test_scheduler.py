"""EventBridge Scheduler: fires once or by rate, with its input, over restarts, and says what it cannot."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from localaws.errors import AwsError
from localaws.scheduler import Scheduler
from localaws.store import Store
from tests.patience import eventually

ARN = "arn:aws:lambda:us-east-1:000000000000:function:watchdog"
NOW = datetime.now(UTC).replace(microsecond=0)


class Stage:
    """A scheduler on a clock of its own; `fired` holds what reached the function queue."""

    def __init__(self, home: Path):
        self.store = Store(home)
        self.seconds = 0.0
        self.fired: list[Any] = []
        self.scheduler = self.restarted()

    def restarted(self) -> Scheduler:
        self.scheduler = Scheduler(
            self.store, self._enqueue, lambda: NOW.timestamp() + self.seconds
        )
        return self.scheduler

    def create(self, expression: str, **more: Any) -> None:
        self.scheduler.create_schedule(request(expression, **more))

    def after(self, seconds: float) -> int:
        """How many firings there are when so much time has passed in all."""
        self.seconds = seconds
        self.scheduler.fire_due()
        return len(self.fired)

    def _enqueue(self, arn: str, event: Any) -> None:
        assert arn == ARN
        self.fired.append(event)


def request(expression: str, **more: Any) -> dict[str, Any]:
    target = {"Arn": ARN, "RoleArn": "arn:aws:iam::000000000000:role/r", **more.pop("target", {})}
    window = {"FlexibleTimeWindow": {"Mode": "OFF"}}
    return {"Name": "s", "ScheduleExpression": expression, "Target": target, **window, **more}


def at(seconds: float) -> str:
    return f"at({(NOW + timedelta(seconds=seconds)).strftime('%Y-%m-%dT%H:%M:%S')})"


@pytest.fixture
def stage(tmp_path: Path) -> Any:
    stage = Stage(tmp_path)
    yield stage
    stage.store.close()


def test_a_one_time_schedule_fires_once_and_stays(stage: Stage):
    stage.create(at(60), target={"Input": '{"at": "<aws.scheduler.scheduled-time>"}'})
    assert (stage.after(59), stage.scheduler.pending()) == (0, 1)
    assert (stage.after(61), stage.after(200), stage.scheduler.pending()) == (1, 1, 0)
    when = (NOW + timedelta(seconds=60)).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert stage.fired == [{"at": when}]
    assert stage.scheduler.get_schedule({"Name": "s"})["State"] == "ENABLED"


def test_it_may_delete_itself(stage: Stage):
    stage.create(at(5), ActionAfterCompletion="DELETE")
    assert stage.after(6) == 1
    with pytest.raises(AwsError, match="does not exist"):
        stage.scheduler.get_schedule({"Name": "s"})


def test_without_input_the_event_is_that_of_aws(stage: Stage):
    stage.create(at(0))
    stage.after(1)
    event = stage.fired[0]
    assert (event["source"], event["detail-type"]) == ("aws.scheduler", "Scheduled Event")
    assert event["resources"] == [stage.scheduler.get_schedule({"Name": "s"})["Arn"]]


def test_a_rate_begins_at_once_and_makes_up_nothing(stage: Stage):
    stage.create("rate(5 minutes)")
    assert [stage.after(seconds) for seconds in (5, 200, 310, 320, 2000)] == [1, 1, 2, 2, 3]
    assert stage.after(2120) == 4


def test_start_and_end_bound_a_rate(stage: Stage):
    end = NOW + timedelta(minutes=7)
    stage.create("rate(1 minute)", StartDate=NOW + timedelta(minutes=5), EndDate=end)
    fired = [stage.after(60 * minutes) for minutes in (4, 5, 6, 7, 8, 20)]
    assert fired == [0, 1, 2, 3, 3, 3]


def test_a_restart_keeps_schedules_and_fires_what_is_overdue(stage: Stage):
    stage.create(at(30))
    stage.restarted()
    assert stage.after(3600) == 1


def test_a_firing_and_its_invocation_are_one_transaction(stage: Stage):
    stage.create(at(30))

    def refuse(arn: str, event: Any) -> None:
        raise AwsError("InternalFailure", "queue")

    broken = Scheduler(stage.store, refuse, lambda: NOW.timestamp() + 60)
    with pytest.raises(AwsError):
        broken.fire_due()
    assert stage.after(60) == 1


def test_time_zones(stage: Stage):
    local = NOW + timedelta(seconds=90)
    zone = {"ScheduleExpressionTimezone": "Asia/Tokyo"}
    tokyo = (local + timedelta(hours=9)).strftime("%Y-%m-%dT%H:%M:%S")
    stage.create(f"at({tokyo})", **zone)
    assert (stage.after(80), stage.after(100)) == (0, 1)


def test_update_disables_and_moves(stage: Stage):
    stage.create(at(10))
    stage.scheduler.update_schedule(request(at(10), State="DISABLED"))
    assert (stage.after(20), stage.scheduler.pending()) == (0, 0)
    stage.scheduler.update_schedule(request(at(40)))
    assert (stage.after(30), stage.after(41)) == (0, 1)
    listed = stage.scheduler.list_schedules({"NamePrefix": "s", "State": "ENABLED"})["Schedules"]
    assert [schedule["Target"] for schedule in listed] == [{"Arn": ARN}]
    stage.scheduler.delete_schedule({"Name": "s"})
    assert stage.scheduler.list_schedules({})["Schedules"] == []


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (request("cron(0 12 * * ? *)"), "cron"),
        (request("rate(0 minutes)"), "Invalid Schedule Expression"),
        (request("at(2026-13-01T00:00:00)"), "Invalid Schedule Expression"),
        (request("rate(1 minute)", ScheduleExpressionTimezone="Mars/North"), "Timezone"),
        (request("rate(1 minute)", target={"Input": "{"}), "must be JSON"),
        (request("rate(1 minute)", target={"Arn": "arn:aws:sqs:us-east-1:0:q"}), "only target"),
        (request("rate(1 minute)", FlexibleTimeWindow={"Mode": "FLEXIBLE"}), "MaximumWindow"),
        (request("rate(1 minute)", GroupName="other"), "group other"),
    ],
)
def test_what_is_refused(stage: Stage, wrong: dict[str, Any], said: str):
    with pytest.raises(AwsError, match=said):
        stage.scheduler.create_schedule(wrong)


def test_names_are_unique(stage: Stage):
    stage.create("rate(1 day)")
    with pytest.raises(AwsError) as caught:
        stage.create("rate(1 day)")
    assert caught.value.code == "ConflictException"


def test_it_runs_by_itself(stage: Stage):
    stage.create(at(-1))
    stage.scheduler.start()
    eventually(lambda: stage.fired)
    stage.scheduler.close()
