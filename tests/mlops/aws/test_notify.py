"""Notices reach their channels once, whatever the other side does, and never hinder what they tell of."""

import json
import logging
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest

from localaws.dynamodb import DynamoDb
from localaws.s3 import S3
from localaws.server import Server
from localaws.sns import Sns
from localaws.store import Store
from localaws.wire import create_app
from mlops.aws import notify
from mlops.aws.clients import Aws
from mlops.aws.events import EventLog
from mlops.aws.ledger import Ledger
from mlops.aws.notices import GIVEN_UP_AFTER, Notices
from mlops.aws.notify import Round, deliver_due, warn_of_budget
from mlops.aws.tables import EVENTS, LEDGER, NOTICES, SESSIONS, SPECS
from mlops.aws.webhook import post
from mlops.events import EventKind
from mlops.ledger import Entry, EntryKind, person_scope
from mlops.notices import person_inbox
from mlops.settings import Settings
from tests.mlops.aws.embedded import Clock
from tests.mlops.aws.receiver import Receiver

TOPIC = "arn:aws:sns:us-east-1:000000000000:notices"
WAITING = {"plan_id": "plan-1", "status": "waiting", "ceiling_usd": "0.50", "budget_usd": None}
USED = (SESSIONS, EVENTS, LEDGER, NOTICES)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def back_end(home: Path) -> Iterator[Server]:
    store = Store(home)
    sns = Sns(store, home / "outbox")
    server = Server(create_app([DynamoDb(store), sns], S3(store)))
    server.start()
    sns.create_topic({"Name": "notices"})
    yield server
    server.stop()
    store.close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def aws(back_end: Server, receiver: Receiver) -> Aws:
    return connect(back_end, notify_webhook=receiver.url)


def connect(server: Server, **settings: Any) -> Aws:
    made = Settings.from_env({}, endpoint_url=server.endpoint, person="ada", **settings)
    aws = Aws(made, boto3.Session("local", "local", region_name="us-east-1"))
    present = aws.dynamodb.list_tables()["TableNames"]
    for spec in (spec for spec in SPECS if spec["TableName"] in USED):
        if spec["TableName"] in present:
            aws.dynamodb.delete_table(TableName=spec["TableName"])
        aws.dynamodb.create_table(**spec)
    return aws


def ask(aws: Aws, clock: Clock, once: str = "waiting#1") -> None:
    EventLog(aws, clock).append("s1", "t1", EventKind.APPROVAL, WAITING, once, person="ada")


def stored(aws: Aws) -> list[Any]:
    return Notices(aws).latest([person_inbox("ada")])


def test_it_is_sent_once_however_often_it_is_written_and_looked_for(
    aws: Aws, clock: Clock, receiver: Receiver
):
    for _ in range(3):
        ask(aws, clock)
        deliver_due(aws, clock)
    [body] = receiver.got
    assert "plan-1" in body["text"]
    assert {block["type"] for block in body["blocks"]} == {"header", "section", "context"}
    [one] = stored(aws)
    assert one.read_at is None
    assert "sent at" in one.deliveries["webhook"]


def test_both_channels_get_it(back_end: Server, receiver: Receiver, clock: Clock, home: Path):
    aws = connect(back_end, notify_webhook=receiver.url, notify_topic_arn=TOPIC)
    ask(aws, clock)
    assert deliver_due(aws, clock) == Round(sent=2)
    line = (home / "outbox" / "notices.jsonl").read_text().splitlines()[-1]
    message = json.loads(line)
    assert message["Subject"] == "A plan waits for your approval"
    assert "llmops approve plan-1" in message["Message"]
    assert len(receiver.got) == 1


def test_without_a_channel_it_is_in_the_inbox_alone(back_end: Server, clock: Clock):
    aws = connect(back_end)
    ask(aws, clock)
    assert len(stored(aws)) == 1
    assert deliver_due(aws, clock) == Round()


def test_a_process_without_the_secret_leaves_it_to_one_that_has_it(
    back_end: Server, receiver: Receiver, clock: Clock
):
    """As a Lambda does: it knows that there is a webhook, and not where."""
    worker = connect(back_end, notify_webhook=receiver.url)
    environ = worker.settings.to_env()
    assert receiver.url not in str(environ)
    function = Aws(Settings.from_env(environ, person="ada"), worker.session)
    ask(function, clock)
    assert deliver_due(function, clock) == Round()
    assert deliver_due(worker, clock) == Round(sent=1)


@pytest.mark.parametrize(("status", "why"), [(500, "500"), (302, "302"), (404, "404")])
def test_a_refusal_is_tried_again_later(
    aws: Aws, clock: Clock, receiver: Receiver, status: int, why: str
):
    receiver.status = status
    ask(aws, clock)
    assert deliver_due(aws, clock) == Round(failed=1)
    assert len(receiver.paths) == 1  # a redirect is not followed
    assert deliver_due(aws, clock) == Round()
    [row] = Notices(aws).due("webhook", clock() + timedelta(minutes=1))
    assert (row.attempts, why in row.error) == (1, True)
    receiver.status = 200
    clock.advance(31)
    assert deliver_due(aws, clock) == Round(sent=1)


def test_nobody_there_is_given_up_after_a_day(back_end: Server, clock: Clock):
    gone = Receiver()
    aws = connect(back_end, notify_webhook=gone.url)
    gone.close()
    ask(aws, clock)
    assert deliver_due(aws, clock) == Round(failed=1)
    clock.advance(GIVEN_UP_AFTER.total_seconds())
    assert deliver_due(aws, clock) == Round(given_up=1)
    clock.advance(GIVEN_UP_AFTER.total_seconds())
    assert deliver_due(aws, clock) == Round()
    assert "given up after 2 attempts" in stored(aws)[0].deliveries["webhook"]


def test_a_receiver_that_drips_is_left(receiver: Receiver):
    receiver.hang = True
    assert "no answer within" in post(receiver.url, {"text": "x"}, seconds=0.3)


def test_a_crash_after_the_event_loses_nothing(aws: Aws, clock: Clock, receiver: Receiver):
    """The row is written with the event, so whoever comes next delivers it."""
    ask(aws, clock)
    other = Aws(aws.settings, aws.session)
    assert deliver_due(other, clock) == Round(sent=1)
    assert len(receiver.got) == 1


def test_a_crash_while_sending_is_made_good_after_the_claim(
    aws: Aws, clock: Clock, receiver: Receiver
):
    ask(aws, clock)
    notices = Notices(aws)
    [row] = notices.due("webhook", clock())
    assert notices.claim(row, clock())
    assert not notices.claim(row, clock())
    assert deliver_due(aws, clock) == Round()
    clock.advance(121)
    assert deliver_due(aws, clock) == Round(sent=1)


def test_a_round_is_bounded(aws: Aws, clock: Clock, receiver: Receiver):
    for number in range(3):
        ask(aws, clock, f"waiting#{number}")
    ticks = iter([0.0, 0.0, 21.0])
    assert deliver_due(aws, clock, lambda: next(ticks)) == Round(sent=1)
    assert deliver_due(aws, clock) == Round(sent=2)


def test_a_broken_outbox_hinders_nothing(aws: Aws, clock: Clock):
    aws.dynamodb.delete_table(TableName=NOTICES)
    assert deliver_due(aws, clock) == Round()
    spend(aws, clock, 45_000_000)
    warn_of_budget(aws, [person_scope("ada", clock())], clock())


def spend(aws: Aws, clock: Clock, micro: int, key: str = "job") -> str:
    scope = person_scope("ada", clock())
    Ledger(aws).open_scope(scope, 50_000_000)
    entry = Entry(
        scope=scope,
        kind=EntryKind.SETTLE,
        key=key,
        at=clock(),
        spent_micro=micro,
        reserved_micro=0,
    )
    Ledger(aws).book([entry])
    return scope


def test_a_budget_warns_once_at_each_threshold(aws: Aws, clock: Clock, receiver: Receiver):
    scope = spend(aws, clock, 39_999_999, "a")
    warn_of_budget(aws, [scope, "plan#x"], clock())
    assert stored(aws) == []
    for key, micro in (("b", 1), ("c", 1), ("d", 9_999_999), ("e", 5)):
        spend(aws, clock, micro, key)
        for _ in range(2):
            warn_of_budget(aws, [scope], clock())
        clock.advance(1)
    titles = [one.notice.title for one in stored(aws)]
    assert titles == [
        "Your limit for 2026-11 is 100 % spent",
        "Your limit for 2026-11 is 80 % spent",
    ]
    assert deliver_due(aws, clock) == Round(sent=2)


def test_the_secret_is_in_no_log_and_no_error(
    aws: Aws, clock: Clock, receiver: Receiver, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.DEBUG)
    receiver.status = 500
    ask(aws, clock)
    deliver_due(aws, clock)
    assert "did not take" in caplog.text
    # botocore logs what is stored; the address is not among it.
    assert "B0/secret" not in caplog.text
    assert "B0/secret" not in repr(aws.settings)


def test_marking_as_read_is_kept(aws: Aws, clock: Clock):
    ask(aws, clock)
    [one] = stored(aws)
    for _ in range(2):
        Notices(aws).mark_read(one.notice, clock())
        clock.advance(60)
    assert stored(aws)[0].read_at == one.notice.at


def test_nothing_of_a_lost_race_is_told(aws: Aws, clock: Clock):
    """A second writer of the same key writes neither event nor notice."""
    first, second = EventLog(aws, clock), EventLog(aws, clock)
    for log in (first, second):
        log.append("s1", "t1", EventKind.APPROVAL, WAITING, "waiting#1", person="ada")
    assert len(first.tail("s1")) == len(stored(aws)) == 1


def test_own_channels_are_those_with_an_address(back_end: Server):
    aws = connect(back_end, notify_by_webhook=True, notify_topic_arn=TOPIC)
    assert notify.own_channels(aws) == ["sns"]
    assert aws.settings.notify_channels == ("sns", "webhook")
