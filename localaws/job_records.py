"""Training job records: the JSON that DescribeTrainingJob returns, kept as after-images in SQLite.

A change of TrainingJobStatus and its EventBridge event are committed in one transaction.
"""

import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from localaws.errors import ACCOUNT_ID, REGION
from localaws.store import Store

Record = dict[str, Any]
FINAL = ("Completed", "Failed", "Stopped")
_TIME = "__time__"
_SORT_COLUMNS = {"Name": "name", "CreationTime": "created", "Status": "status"}
_SCHEMA = """
CREATE TABLE IF NOT EXISTS training_jobs (
    name TEXT PRIMARY KEY, arn TEXT NOT NULL, status TEXT NOT NULL, created REAL NOT NULL,
    modified REAL NOT NULL, used_seconds REAL NOT NULL DEFAULT 0, record TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS training_jobs_created ON training_jobs (created, name);
CREATE INDEX IF NOT EXISTS training_jobs_status ON training_jobs (status, name);
"""


@dataclass(frozen=True)
class Listing:
    """Filters and order of ListTrainingJobs; `after` is (sort value, name) of the last page's end."""

    limit: int
    sort_by: str = "CreationTime"
    descending: bool = False
    name_contains: str | None = None
    status: str | None = None
    created_after: float | None = None
    created_before: float | None = None
    modified_after: float | None = None
    modified_before: float | None = None
    after: tuple[Any, str] | None = None


def utc_now() -> datetime:
    return datetime.now(UTC)


def job_arn(name: str) -> str:
    return f"arn:aws:sagemaker:{REGION}:{ACCOUNT_ID}:training-job/{name}"


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
        return None if row is None else _decode(row[0])

    def insert(self, record: Record) -> None:
        """In the caller's transaction, after its checks."""
        with self.store.write() as db:
            created = record["CreationTime"].timestamp()
            db.execute(
                "INSERT INTO training_jobs (name, arn, status, created, modified, record)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (record["TrainingJobName"], record["TrainingJobArn"])
                + (record["TrainingJobStatus"], created, created, _encode(record)),
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
                (status, now.timestamp(), _encode(record), name),
            )
            if status != before:
                self._publish(_event(record, now))
            return record

    def unfinished(self) -> list[Record]:
        rows = self.store.read().execute(
            "SELECT record FROM training_jobs WHERE status IN ('InProgress', 'Stopping')"
        )
        return [_decode(row[0]) for row in rows.fetchall()]

    def used_seconds(self, name: str) -> float:
        """Training seconds spent so far, over all starts of the job."""
        query = "SELECT used_seconds FROM training_jobs WHERE name = ?"
        return self.store.read().execute(query, (name,)).fetchone()[0]

    def set_used_seconds(self, name: str, seconds: float) -> None:
        with self.store.write() as db:
            db.execute("UPDATE training_jobs SET used_seconds = ? WHERE name = ?", (seconds, name))

    def select(self, listing: Listing) -> list[Record]:
        where, values = _conditions(listing)
        column = _SORT_COLUMNS[listing.sort_by]
        order = "DESC" if listing.descending else "ASC"
        names = f"{column} {order}, name {order}" if column != "name" else f"name {order}"
        rows = self.store.read().execute(
            f"SELECT record FROM training_jobs {where} ORDER BY {names} LIMIT ?",
            (*values, listing.limit),
        )
        return [_decode(row[0]) for row in rows.fetchall()]


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


def sort_value(record: Record, sort_by: str) -> Any:
    """What `Listing.after` holds for a record."""
    if sort_by == "CreationTime":
        return record["CreationTime"].timestamp()
    return record["TrainingJobName" if sort_by == "Name" else "TrainingJobStatus"]


def _conditions(listing: Listing) -> tuple[str, list[Any]]:
    column = _SORT_COLUMNS[listing.sort_by]
    sign = "<" if listing.descending else ">"
    parts: list[tuple[str, list[Any]]] = [
        ("instr(lower(name), lower(?)) > 0", [listing.name_contains]),
        ("status = ?", [listing.status]),
        ("created > ?", [listing.created_after]),
        ("created < ?", [listing.created_before]),
        ("modified > ?", [listing.modified_after]),
        ("modified < ?", [listing.modified_before]),
        (f"({column}, name) {sign} (?, ?)", [*(listing.after or (None,))]),
    ]
    used = [(text, values) for text, values in parts if values[0] is not None]
    where = " AND ".join(text for text, _ in used)
    return (f"WHERE {where}" if where else ""), [v for _, values in used for v in values]


def _event(record: Record, now: datetime) -> dict[str, Any]:
    """As EventBridge delivers it: times inside `detail` are epoch milliseconds."""
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": "SageMaker Training Job State Change",
        "source": "aws.sagemaker",
        "account": ACCOUNT_ID,
        "time": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": REGION,
        "resources": [record["TrainingJobArn"]],
        "detail": json.loads(json.dumps(record, default=_milliseconds)),
    }


def _milliseconds(value: datetime) -> int:
    return int(value.timestamp() * 1000)


def _encode(record: Record) -> str:
    return json.dumps(record, default=lambda value: {_TIME: value.isoformat()})


def _decode(text: str) -> Record:
    return json.loads(text, object_hook=_revive)


def _revive(value: dict[str, Any]) -> Any:
    return datetime.fromisoformat(value[_TIME]) if value.keys() == {_TIME} else value
