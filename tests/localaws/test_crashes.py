"""The server process killed again and again under load: what it acknowledged is there, every job ends."""

import itertools
import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from localaws import home as data
from localaws import stack
from localaws.store import Store
from tests.localaws.jobs import FINAL, job_request, packed_script
from tests.patience import PATIENCE_SECONDS, eventually
from tests.ports import claim_with_port

ROUNDS, WRITES = 20, 10
LOAD_SECONDS = 0.25
BUCKET, GROUP, NAMESPACE, TABLE = "llmops-models", "/crash/lines", "Crash", "crash"
CODE = f"s3://{BUCKET}/code/crash.tar.gz"
SCRIPT = (
    "import os, pathlib, threading\n"
    "path = pathlib.Path(os.environ['SAGEMAKER_BASE_DIR'], 'checkpoints', 'starts')\n"
    "starts = int(path.read_text()) + 1 if path.exists() else 1\n"
    "path.write_text(str(starts))\nprint(f'train_loss={starts}', flush=True)\n"
    "threading.Event().wait(1.5)\n"
)


class Clients:
    """A restarted server answers at the same port, so that its clients go on."""

    def __init__(self, endpoint: stack.Endpoint):
        self._environ = endpoint.environ
        self._made: dict[str, Any] = {}
        self._lock = threading.Lock()

    def __getattr__(self, name: str) -> Any:
        with self._lock:
            if name not in self._made:
                self._made[name] = self._new(name)
            return self._made[name]

    def _new(self, service: str) -> Any:
        environ = self._environ
        return boto3.Session().client(
            service,
            endpoint_url=environ["AWS_ENDPOINT_URL"],
            region_name=environ["AWS_DEFAULT_REGION"],
            aws_access_key_id=environ["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=environ["AWS_SECRET_ACCESS_KEY"],
            config=Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}),
        )


class Acknowledged:
    """What six writers were told is stored; each entry is noted after the answer came."""

    def __init__(self):
        self.puts: list[str] = []
        self.updates = 0
        self.pairs: list[str] = []
        self.objects: dict[str, bytes] = {}
        self.points: list[datetime] = []
        self.lines: list[str] = []
        self.jobs: list[str] = []
        self._numbers = itertools.count()
        self._epoch = int(time.time()) - 3000

    def put(self, aws: Clients) -> None:
        key = f"put-{next(self._numbers)}"
        aws.dynamodb.put_item(TableName=TABLE, Item={"id": {"S": key}, "body": {"S": "x" * 500}})
        self.puts.append(key)

    def update(self, aws: Clients) -> None:
        aws.dynamodb.update_item(
            TableName=TABLE,
            Key={"id": {"S": "counter"}},
            UpdateExpression="ADD n :one",
            ExpressionAttributeValues={":one": {"N": "1"}},
        )
        self.updates += 1

    def transact(self, aws: Clients) -> None:
        key = f"pair-{next(self._numbers)}"
        puts = [
            {"Put": {"TableName": TABLE, "Item": {"id": {"S": f"{key}-{side}"}}}} for side in "ab"
        ]
        aws.dynamodb.transact_write_items(TransactItems=puts)
        self.pairs.append(key)

    def upload(self, aws: Clients) -> None:
        key = f"crash/{next(self._numbers)}"
        body = os.urandom(random.choice((100, 20_000, 300_000)))
        aws.s3.put_object(Bucket=BUCKET, Key=key, Body=body)
        self.objects[key] = body

    def measure(self, aws: Clients) -> None:
        at = datetime.fromtimestamp(self._epoch + len(self.points), UTC)
        point = {"MetricName": "loss", "Value": float(len(self.points)), "Timestamp": at}
        aws.cloudwatch.put_metric_data(Namespace=NAMESPACE, MetricData=[point])
        self.points.append(at)

    def log(self, aws: Clients) -> None:
        line = f"line {next(self._numbers)}"
        event = {"timestamp": int(time.time() * 1000), "message": line}
        aws.logs.put_log_events(logGroupName=GROUP, logStreamName="s", logEvents=[event])
        self.lines.append(line)

    def launch(self, aws: Clients) -> None:
        """Keeps two jobs running."""
        while _running(aws, self.jobs) < 2:
            name = f"crash-{len(self.jobs)}"
            aws.sagemaker.create_training_job(**_request(name))
            self.jobs.append(name)

    @property
    def writers(self) -> list[Callable[[Clients], None]]:
        return [self.put, self.update, self.transact, self.upload, self.measure, self.log]

    def count(self) -> int:
        lists = (self.puts, self.pairs, self.objects, self.points, self.lines, self.jobs)
        return self.updates + sum(map(len, lists))


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    made = tmp_path / "home"
    claim_with_port(made)
    yield made
    stack.stop(made)


def test_twenty_kills_lose_nothing_acknowledged(home: Path):
    endpoint = stack.ensure(home)
    aws, known = Clients(endpoint), Acknowledged()
    _prepare(aws)
    for _ in range(ROUNDS):
        known.launch(aws)
        _load_until_killed(endpoint, aws, known)
        _tear(home)
        restarted = stack.ensure(home)
        assert restarted.url == endpoint.url
        endpoint = restarted
    _check_items(aws, known)
    _check_rest(aws, known)
    for name in known.jobs:
        job = eventually(lambda name=name: _ended(aws, name))
        assert job["TrainingJobStatus"] == "Completed" or "runner died" in job["FailureReason"]
        assert job["BillableTimeInSeconds"] >= 1
    assert known.count() >= WRITES * ROUNDS


def test_a_torn_write_ahead_log_costs_its_last_transaction_at_most(tmp_path: Path):
    """As a power cut leaves it: after a kill of the process nothing is torn."""
    for torn_bytes in (1, 700, 4096, 4119):  # a frame of the log is a page and 24 bytes
        home = tmp_path / str(torn_bytes)
        store = Store(home)
        _fill(store, 30)
        repaired = Store(_torn_copy(home, torn_bytes))
        numbers = [row[0] for row in repaired.read().execute("SELECT n FROM t ORDER BY n")]
        assert numbers == list(range(29))
        assert repaired.read().execute("PRAGMA integrity_check").fetchone() == ("ok",)
        _fill(repaired, 29, 30)
        for each in (store, repaired):
            each.close()


def _torn_copy(home: Path, torn_bytes: int) -> Path:
    """The files of a store that is still open, so that nothing moved out of the log yet."""
    copy = home / "copy"
    copy.mkdir()
    for name in ("state.sqlite3", "state.sqlite3-wal"):
        content = (home / name).read_bytes()
        (copy / name).write_bytes(content[:-torn_bytes] if name.endswith("wal") else content)
    return copy


def _prepare(aws: Clients) -> None:
    aws.dynamodb.create_table(
        TableName=TABLE,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
    )
    aws.logs.create_log_group(logGroupName=GROUP)
    aws.logs.create_log_stream(logGroupName=GROUP, logStreamName="s")
    aws.s3.put_object(Bucket=BUCKET, Key="code/crash.tar.gz", Body=packed_script(SCRIPT))


def _load_until_killed(endpoint: stack.Endpoint, aws: Clients, known: Acknowledged) -> None:
    def write(writer: Callable[[Clients], None]) -> None:
        while True:
            try:
                writer(aws)
            except (BotoCoreError, ClientError):
                return

    threads = [threading.Thread(target=write, args=(writer,)) for writer in known.writers]
    wanted = known.count() + WRITES
    for thread in threads:
        thread.start()
    eventually(lambda: known.count() >= wanted)
    threading.Event().wait(random.uniform(0.5, 1.5) * LOAD_SECONDS)
    os.kill(endpoint.pid, signal.SIGKILL)
    for thread in threads:
        thread.join(PATIENCE_SECONDS)
        assert not thread.is_alive()


def _tear(home: Path) -> None:
    """Half a record at the end of the log, as a write that was cut off leaves it."""
    eventually(lambda: data.lock_holder(home) is None)
    with (home / "state.sqlite3-wal").open("ab") as wal:
        wal.write(os.urandom(random.randrange(1, 6000)))


def _check_items(aws: Clients, known: Acknowledged) -> None:
    pages = aws.dynamodb.get_paginator("scan").paginate(TableName=TABLE)
    items = {item["id"]["S"]: item for page in pages for item in page["Items"]}
    assert set(known.puts) <= items.keys()
    counted = int(items["counter"]["n"]["N"])
    assert known.updates <= counted <= known.updates + ROUNDS  # one a round was unanswered
    assert {f"{key}-{side}" for key in known.pairs for side in "ab"} <= items.keys()
    pairs = sorted(key[:-2] for key in items if key.startswith("pair-"))
    assert pairs[0::2] == pairs[1::2]  # never one half


def _check_rest(aws: Clients, known: Acknowledged) -> None:
    for key, body in known.objects.items():
        assert aws.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() == body
    pages = aws.logs.get_paginator("filter_log_events").paginate(logGroupName=GROUP)
    assert set(known.lines) <= {event["message"] for page in pages for event in page["events"]}
    query = {"Namespace": NAMESPACE, "MetricName": "loss"}
    statistic = {"Metric": query, "Period": 1, "Stat": "Sum"}
    pages = aws.cloudwatch.get_paginator("get_metric_data").paginate(
        MetricDataQueries=[{"Id": "q", "MetricStat": statistic}],
        StartTime=known.points[0],
        EndTime=datetime.now(UTC),
    )
    found = {at for page in pages for at in page["MetricDataResults"][0]["Timestamps"]}
    assert set(known.points) <= found


def _request(name: str) -> dict[str, Any]:
    program = {"sagemaker_program": "train.py", "sagemaker_submit_directory": CODE}
    request = job_request(name) | {
        "HyperParameters": program,
        "OutputDataConfig": {"S3OutputPath": f"s3://{BUCKET}/final"},
        "CheckpointConfig": {"S3Uri": f"s3://{BUCKET}/checkpoints/{name}"},
    }
    del request["InputDataConfig"]
    return request


def _running(aws: Clients, names: list[str]) -> int:
    found = aws.sagemaker.list_training_jobs(StatusEquals="InProgress", MaxResults=100)
    return len({job["TrainingJobName"] for job in found["TrainingJobSummaries"]} & set(names))


def _ended(aws: Clients, name: str) -> dict[str, Any] | None:
    job = aws.sagemaker.describe_training_job(TrainingJobName=name)
    return job if job["TrainingJobStatus"] in FINAL else None


def _fill(store: Store, *span: int) -> None:
    """One transaction each."""
    store.ensure("CREATE TABLE IF NOT EXISTS t (n INTEGER PRIMARY KEY)")
    for number in range(*span):
        with store.write() as db:
            db.execute("INSERT INTO t VALUES (?)", (number,))
