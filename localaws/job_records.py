"""Training job records: the JSON that DescribeTrainingJob returns, kept as after-images in SQLite.

A change of TrainingJobStatus and its EventBridge event are committed in one transaction.
"""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from localaws.errors import arn_of, invalid
from localaws.events import envelope
from localaws.paging import text_of, token_of
from localaws.records import Record, decode, encode
from localaws.store import Store

FINAL = ("Completed", "Failed", "Stopped")
_SORT_COLUMNS = {"Name": "name", "CreationTime": "created", "Status": "status"}
_FILTERS = {
    "NameContains": "instr(lower(name), lower(?)) > 0",
    "StatusEquals": "status = ?",
    "CreationTimeAfter": "created > ?",
    "CreationTimeBefore": "created < ?",
    "LastModifiedTimeAfter": "modified > ?",
    "LastModifiedTimeBefore": "modified < ?",
}
_SCHEMA = """
CREATE TABLE IF NOT EXISTS training_jobs (
    name TEXT PRIMARY KEY, arn TEXT NOT NULL, status TEXT NOT NULL, created REAL NOT NULL,
    modified REAL NOT NULL, used_seconds REAL NOT NULL DEFAULT 0, record TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS training_jobs_created ON training_jobs (created, name);
CREATE INDEX IF NOT EXISTS training_jobs_status ON training_jobs (status, name);
"""


def utc_now() -> datetime:
    """In whole milliseconds, as DescribeTrainingJob tells times: a bill agrees with those shown."""
    now = datetime.now(UTC)
    return now.replace(microsecond=now.microsecond // 1000 * 1000)


def job_arn(name: str) -> str:
    return arn_of("sagemaker", f"training-job/{name}")


class JobRecords:
    """All training jobs; `publish` gets each state-change event inside the transaction."""

    def __init__(
        self,
        store: Store,
        publish: Callable[[dict[str, Any]], None],
        clock: Callable[[], datetime] = utc_now,
    ):
        store.ensure(_SCHEMA)
        self.store = store
        self.now = clock
        self._publish = publish

    def get(self, name: str) -> Record | None:
        row = (
            self.store.read()
            .execute("SELECT record FROM training_jobs WHERE name = ?", (name,))
            .fetchone()
        )
        return None if row is None else decode(row[0])

    def insert(self, record: Record) -> None:
        """In the caller's transaction, after its checks."""
        with self.store.write() as db:
            created = record["CreationTime"].timestamp()
            db.execute(
                "INSERT INTO training_jobs (name, arn, status, created, modified, record)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (record["TrainingJobName"], record["TrainingJobArn"])
                + (record["TrainingJobStatus"], created, created, encode(record)),
            )
            self._publish(_event(record, record["CreationTime"]))

    def change(self, name: str, apply: Callable[[Record, datetime], None]) -> Record:
        """Read, apply and write in one transaction; a final record is never changed."""
        with self.store.write() as db:
            record = self.get(name)
            if record is None:
                raise KeyError(name)
            before, now = record["TrainingJobStatus"], self.now()
            if before in FINAL:
                return record
            apply(record, now)
            record["LastModifiedTime"] = now
            status = record["TrainingJobStatus"]
            db.execute(
                "UPDATE training_jobs SET status = ?, modified = ?, record = ? WHERE name = ?",
                (status, now.timestamp(), encode(record), name),
            )
            if status != before:
                self._publish(_event(record, now))
            return record

    def unfinished(self) -> list[Record]:
        rows = self.store.read().execute(
            "SELECT record FROM training_jobs WHERE status IN ('InProgress', 'Stopping')"
        )
        return [decode(row[0]) for row in rows.fetchall()]

    def used_seconds(self, name: str) -> float:
        """Training seconds spent so far, over all starts of the job."""
        query = "SELECT used_seconds FROM training_jobs WHERE name = ?"
        return self.store.read().execute(query, (name,)).fetchone()[0]

    def set_used_seconds(self, name: str, seconds: float) -> None:
        with self.store.write() as db:
            db.execute("UPDATE training_jobs SET used_seconds = ? WHERE name = ?", (seconds, name))

    def select(self, request: Mapping[str, Any]) -> tuple[list[Record], dict[str, str]]:
        """One page of ListTrainingJobs, and what the answer adds when there is more."""
        column = _SORT_COLUMNS.get(request.get("SortBy") or "CreationTime")
        if column is None:
            raise invalid(f"Jobs are not sorted by {request['SortBy']}")
        order, after = ("DESC", "<") if request.get("SortOrder") == "Descending" else ("ASC", ">")
        used = [(text, request[name]) for name, text in _FILTERS.items() if request.get(name)]
        values = [v.timestamp() if isinstance(v, datetime) else v for _, v in used]
        conditions = ["TRUE", *(text for text, _ in used)]
        if request.get("NextToken"):
            conditions.append(f"({column}, name) {after} (?, ?)")
            values += _position(request["NextToken"])
        size = int(request.get("MaxResults") or 10)
        query = (
            f"SELECT {column}, name, record FROM training_jobs WHERE {' AND '.join(conditions)}"
            f" ORDER BY {column} {order}, name {order} LIMIT ?"
        )
        rows = self.store.read().execute(query, (*values, size + 1)).fetchall()
        is_more = len(rows) > size
        more = {"NextToken": token_of(json.dumps(rows[size - 1][:2]))} if is_more else {}
        return [decode(row[2]) for row in rows[:size]], more


def enter(record: Record, now: datetime, secondary: str, message: str) -> None:
    """Closes the present secondary status and opens the next."""
    transitions = record["SecondaryStatusTransitions"]
    if transitions:
        transitions[-1]["EndTime"] = now
    opened = {"Status": secondary, "StartTime": now, "StatusMessage": message}
    if record["TrainingJobStatus"] in FINAL:
        opened["EndTime"] = now
    transitions.append(opened)
    record["SecondaryStatus"] = secondary


def _position(token: str) -> list[Any]:
    """Sort value and name of the last page's end."""
    try:
        value, name = json.loads(text_of(token, "ValidationException"))
    except (TypeError, ValueError) as error:
        raise invalid("Invalid NextToken.") from error
    return [value, name]


def _event(record: Record, now: datetime) -> dict[str, Any]:
    """As EventBridge delivers it: times inside `detail` are epoch milliseconds."""
    kind = "SageMaker Training Job State Change"
    detail = json.loads(json.dumps(record, default=_milliseconds))
    return envelope("aws.sagemaker", kind, record["TrainingJobArn"], detail, now)


def _milliseconds(value: datetime) -> int:
    return int(value.timestamp() * 1000)
