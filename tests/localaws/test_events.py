"""EventBridge rules: patterns, rates, delivery in the transaction of the cause."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from localaws.errors import AwsError
from localaws.events import Events
from localaws.store import Store
from tests.patience import eventually

FUNCTION = "arn:aws:lambda:us-east-1:000000000000:function:handler"


class Bus:
    """Events, and what it queued."""

    def __init__(self, home: Path):
        self.store = Store(home)
        self.seconds = 1_800_000_000.0
        self.sent: list[tuple[str, Any]] = []
        self.events = Events(
            self.store, lambda arn, event: self.sent.append((arn, event)), lambda: self.seconds
        )

    def rule(self, name: str, **rule: Any) -> None:
        self.events.put_rule({"Name": name, **rule})
        self.events.put_targets({"Rule": name, "Targets": [{"Id": "1", "Arn": FUNCTION}]})


@pytest.fixture
def bus(tmp_path: Path) -> Iterator[Bus]:
    bus = Bus(tmp_path)
    yield bus
    bus.events.close()
    bus.store.close()


def job_event(status: str) -> dict[str, Any]:
    detail = {"TrainingJobName": "j", "TrainingJobStatus": status}
    kind = "SageMaker Training Job State Change"
    return {"source": "aws.sagemaker", "detail-type": kind, "detail": detail}


def pattern(**extra: Any) -> str:
    return json.dumps({"source": ["aws.sagemaker"], **extra})


def test_pattern_chooses_events(bus: Bus):
    final = {"TrainingJobStatus": ["Completed", "Failed"]}
    bus.rule("final", EventPattern=pattern(detail=final))
    bus.events.publish(job_event("InProgress"))
    bus.events.publish(job_event("Completed"))
    bus.events.publish(job_event("Completed") | {"source": "aws.batch"})
    assert bus.sent == [(FUNCTION, job_event("Completed"))]


def test_disabled_rule_is_silent_and_put_again_replaces(bus: Bus):
    bus.rule("r", EventPattern=pattern(), State="DISABLED")
    bus.events.publish(job_event("Failed"))
    assert bus.sent == []
    bus.rule("r", EventPattern=pattern())
    bus.events.publish(job_event("Failed"))
    assert len(bus.sent) == 1
    assert [rule["Name"] for rule in bus.events.list_rules({})["Rules"]] == ["r"]
    targets = bus.events.list_targets_by_rule({"Rule": "r"})["Targets"]
    assert targets == [{"Id": "1", "Arn": FUNCTION}]


@pytest.mark.parametrize(
    "rule",
    [
        {},
        {"EventPattern": "{not json"},
        {"EventPattern": '{"source": [{"prefix": "aws."}]}'},
        {"ScheduleExpression": "cron(0 12 * * ? *)"},
        {"ScheduleExpression": "rate(0 minutes)"},
    ],
)
def test_what_is_not_understood_is_refused(bus: Bus, rule: dict[str, str]):
    with pytest.raises(AwsError):
        bus.events.put_rule({"Name": "bad", **rule})


def test_unknown_rule_and_target_are_refused(bus: Bus):
    with pytest.raises(AwsError, match="does not exist"):
        bus.events.put_targets({"Rule": "none", "Targets": [{"Id": "1", "Arn": FUNCTION}]})
    bus.events.put_rule({"Name": "r", "EventPattern": pattern()})
    queue = {"Id": "1", "Arn": "arn:aws:sqs:us-east-1:000000000000:q"}
    with pytest.raises(AwsError, match="only Lambda"):
        bus.events.put_targets({"Rule": "r", "Targets": [queue]})


def test_rates_fire_when_they_are_due(bus: Bus):
    bus.rule("every", ScheduleExpression="rate(1 minute)")
    bus.rule("off", ScheduleExpression="rate(1 minute)", State="DISABLED")
    fired = []
    for passed in (59, 1, 59, 600, 0):
        bus.seconds += passed
        bus.events.fire_due()
        fired.append(len(bus.sent))
    assert fired == [0, 1, 1, 2, 2]
    arn, event = bus.sent[0]
    assert arn == FUNCTION
    assert (event["detail-type"], event["time"]) == ("Scheduled Event", "2027-01-15T08:01:00Z")
    assert event["resources"] == ["arn:aws:events:us-east-1:000000000000:rule/every"]


def test_a_clock_that_is_set_back_stops_no_rate(bus: Bus):
    bus.rule("every", ScheduleExpression="rate(1 minute)")
    bus.seconds -= 3600
    bus.events.fire_due()
    bus.events.fire_due()
    assert len(bus.sent) == 1


def test_rates_fire_by_themselves(bus: Bus):
    bus.rule("every", ScheduleExpression="rate(1 minute)")
    bus.seconds += 3600
    bus.events.start()
    bus.seconds += 60
    eventually(lambda: bus.sent)
    bus.events.close()
    assert len(bus.sent) == 1


def test_rules_survive_a_restart(tmp_path: Path):
    first = Bus(tmp_path)
    first.rule("kept", EventPattern=pattern())
    first.store.close()
    second = Bus(tmp_path)
    second.events.publish(job_event("Stopped"))
    assert len(second.sent) == 1
    second.store.close()
