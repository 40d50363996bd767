"""SNS: what is published can be seen in the outbox, also when the server died in between."""

import json
from pathlib import Path
from typing import Any

import pytest

from localaws.sns import Sns
from localaws.store import Store
from tests.localaws.things import code


@pytest.fixture(scope="module")
def sns(local: Any) -> Any:
    return local.client("sns")


@pytest.fixture
def arn(sns: Any, request: pytest.FixtureRequest) -> str:
    return sns.create_topic(Name=request.node.name)["TopicArn"]


def outbox(local: Any, arn: str) -> list[dict[str, Any]]:
    path = local.home / "outbox" / f"{arn.rpartition(':')[2]}.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_published_messages_are_in_the_outbox(sns: Any, local: Any, arn: str):
    sent = [
        sns.publish(TopicArn=arn, Subject="Limit", Message=f"line {n}\nä")["MessageId"]
        for n in range(3)
    ]
    attribute = {"DataType": "String", "StringValue": "v"}
    sns.publish(TargetArn=arn, Message="plain", MessageAttributes={"k": attribute})
    found = outbox(local, arn)
    assert [message["MessageId"] for message in found[:3]] == sent
    assert (found[1]["Subject"], found[1]["Message"]) == ("Limit", "line 1\nä")
    assert "Subject" not in found[3]
    assert found[3]["MessageAttributes"]["k"]["StringValue"] == "v"


def test_topics_are_made_once(sns: Any, arn: str):
    name = arn.rpartition(":")[2]
    assert sns.create_topic(Name=name)["TopicArn"] == arn
    assert {"TopicArn": arn} in sns.list_topics()["Topics"]
    assert sns.get_topic_attributes(TopicArn=arn)["Attributes"]["TopicArn"] == arn
    assert sns.list_subscriptions_by_topic(TopicArn=arn)["Subscriptions"] == []
    sns.delete_topic(TopicArn=arn)
    sns.delete_topic(TopicArn=arn)
    assert code(sns.publish, TopicArn=arn, Message="m") == "NotFound"


def test_what_is_refused(sns: Any, arn: str):
    for wrong in (
        {"TopicArn": arn, "Message": ""},
        {"TopicArn": arn, "Message": "x" * (256 * 1024 + 1)},
        {"TopicArn": arn, "Message": "m", "Subject": "x" * 101},
        {"TopicArn": "arn:aws:sns:eu-west-1:1:topic", "Message": "m"},
        {"TopicArn": f"{arn}/../../x", "Message": "m"},
        {"PhoneNumber": "+491", "Message": "m"},
    ):
        assert code(sns.publish, **wrong) == "InvalidParameter"
    assert code(sns.create_topic, Name="a/b") == "InvalidParameter"


def test_a_committed_message_reaches_the_outbox_after_a_crash(tmp_path: Path):
    store = Store(tmp_path)
    arn = Sns(store, tmp_path / "outbox").create_topic({"Name": "late"})["TopicArn"]
    with store.write() as db:
        row = ("late", json.dumps({"TopicArn": arn, "Message": "kept"}))
        db.execute("INSERT INTO sns_unsent(topic, line) VALUES(?,?)", row)
    Sns(store, tmp_path / "outbox")
    Sns(store, tmp_path / "outbox")
    lines = (tmp_path / "outbox/late.jsonl").read_text().splitlines()
    assert [json.loads(line)["Message"] for line in lines] == ["kept"]
    store.close()
