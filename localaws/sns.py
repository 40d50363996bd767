"""SNS: topics, and an outbox in place of subscribers: home/outbox/<topic>.jsonl, one line per message.

A message is committed with its Publish and then appended to the outbox; one that a crash kept from
it is appended at the next start, so a line may come twice but never not at all.
"""

import json
import re
import threading
import uuid
from pathlib import Path
from typing import Any

from localaws.errors import ACCOUNT_ID, AwsError, arn_of
from localaws.paging import page
from localaws.records import Records, now
from localaws.store import Store

_SCHEMA = """
CREATE TABLE IF NOT EXISTS sns_unsent(
  n INTEGER PRIMARY KEY, topic TEXT NOT NULL, line TEXT NOT NULL);
"""
_NAME = re.compile(r"[A-Za-z0-9_-]{1,256}")
_ARN = arn_of("sns", "")
_MAX_MESSAGE_BYTES = 256 * 1024
_MAX_SUBJECT_CHARS = 100
_PAGE_SIZE = 100


class Sns:
    """`outbox` is the folder that a person can look into."""

    service_name = "sns"

    def __init__(self, store: Store, outbox: Path):
        store.ensure(_SCHEMA)
        self._store = store
        self._topics = Records(store, "topic")
        self._outbox = outbox
        self._appending = threading.Lock()
        self._flush()

    def create_topic(self, request: dict[str, Any]) -> dict[str, Any]:
        """One that is there already is no error, as on AWS."""
        name = request["Name"]
        if _NAME.fullmatch(name) is None:
            raise _invalid("Topic Name")
        self._topics.add(name, {"TopicArn": _ARN + name, "CreationTime": now()})
        return {"TopicArn": _ARN + name}

    def delete_topic(self, request: dict[str, Any]) -> dict[str, Any]:
        """The outbox file stays."""
        self._topics.delete(_topic_name(request["TopicArn"]))
        return {}

    def list_topics(self, request: dict[str, Any]) -> dict[str, Any]:
        topics = [{"TopicArn": record["TopicArn"]} for record in self._topics.all()]
        found, more = page(topics, request.get("NextToken"), _PAGE_SIZE, "InvalidParameter")
        return {"Topics": found, **more}

    def get_topic_attributes(self, request: dict[str, Any]) -> dict[str, Any]:
        name = self._find(request["TopicArn"])
        counts = {"SubscriptionsConfirmed": "0", "SubscriptionsPending": "0"}
        return {"Attributes": {"TopicArn": _ARN + name, "Owner": ACCOUNT_ID, **counts}}

    def list_subscriptions_by_topic(self, request: dict[str, Any]) -> dict[str, Any]:
        """Nobody can subscribe here."""
        self._find(request["TopicArn"])
        return {"Subscriptions": []}

    def publish(self, request: dict[str, Any]) -> dict[str, Any]:
        arn = request.get("TopicArn") or request.get("TargetArn")
        if not arn:
            raise _invalid("TopicArn Reason: only topics are part of the embedded AWS")
        _check_message(request)
        message_id = str(uuid.uuid4())
        message = {
            "MessageId": message_id,
            "TopicArn": arn,
            "Timestamp": now().isoformat(timespec="milliseconds"),
            "Subject": request.get("Subject"),
            "Message": request["Message"],
            "MessageAttributes": request.get("MessageAttributes"),
        }
        line = json.dumps({k: v for k, v in message.items() if v is not None}, default=str)
        with self._store.write() as db:
            row = (self._find(arn), line)
            db.execute("INSERT INTO sns_unsent(topic, line) VALUES(?,?)", row)
        self._flush()
        return {"MessageId": message_id}

    def _find(self, arn: str) -> str:
        name = _topic_name(arn)
        if self._topics.get(name) is None:
            raise AwsError("NotFound", "Topic does not exist", 404)
        return name

    def _flush(self) -> None:
        """Appends what is committed and not yet in the outbox."""
        with self._appending:
            query = "SELECT n, topic, line FROM sns_unsent ORDER BY n"
            rows = self._store.read().execute(query).fetchall()
            if not rows:
                return
            self._outbox.mkdir(exist_ok=True)
            for _, topic, line in rows:
                with (self._outbox / f"{topic}.jsonl").open("a", encoding="utf-8") as file:
                    file.write(line + "\n")
            with self._store.write() as db:
                db.execute("DELETE FROM sns_unsent WHERE n <= ?", (rows[-1][0],))


def _topic_name(arn: str) -> str:
    if not arn.startswith(_ARN) or _NAME.fullmatch(arn.removeprefix(_ARN)) is None:
        raise _invalid(f"TopicArn Reason: {arn} is not a topic of this account")
    return arn.removeprefix(_ARN)


def _check_message(request: dict[str, Any]) -> None:
    message, subject = request["Message"], request.get("Subject")
    if not message:
        raise _invalid("Empty message")
    if len(message.encode()) > _MAX_MESSAGE_BYTES:
        raise _invalid("Message too long")
    if subject is not None and not (
        0 < len(subject) <= _MAX_SUBJECT_CHARS and "\n" not in subject
    ):
        raise _invalid("Subject")


def _invalid(what: str) -> AwsError:
    return AwsError("InvalidParameter", f"Invalid parameter: {what}")
