"""The embedded AWS as it fills: latency and memory at three sizes, restarts, Lambda; bare moto beside it."""

import io
import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from benchmarks import workload
from benchmarks.back_end import ROOT, temporary_home
from benchmarks.tables import TIME_COLUMNS, Table, Target, duration, p50, p95, time_row, timed
from localaws import home as data
from localaws import stack
from localaws.cloudwatch import CloudWatch
from localaws.dynamodb import DynamoDb
from localaws.s3 import S3
from localaws.store import Store

SIZES = (1_000, 10_000, 100_000)
LARGE_MIB, LARGE_OBJECTS = 1024, 64
RESTART_SIZE, RESTARTS = 10_000, 3
WARM_CALLS, COLD_CALLS = 100, 5
POINT, RESTART, WARM = Target("p50", 0.010), Target("p95", 3.0), Target("p50", 0.010)
_FLAT = ("GetItem", "PutItem", "Query by index, 5 of a team", "TransactWriteItems of 2")
_BUDGET_SECONDS = 2.0
_MOTO_SECONDS = 60.0
_BATCH = 25


@dataclass
class Results:
    """Samples in seconds and memory in MiB, by size; None where it took too long."""

    ours: dict[int, dict[str, list[float]]] = field(default_factory=dict)
    moto: dict[int, dict[str, list[float]] | None] = field(default_factory=dict)
    ours_mib: dict[int, float] = field(default_factory=dict)
    moto_mib: dict[int, float] = field(default_factory=dict)
    metric: list[float] = field(default_factory=list)
    restarts: list[float] = field(default_factory=list)
    warm: list[float] = field(default_factory=list)
    cold: list[float] = field(default_factory=list)


def run() -> Iterator[Table]:
    results = Results()
    with temporary_home() as home:
        stored = 0
        for size in SIZES:
            _fill(home, stored, size)
            stored = size
            _measure(home, size, results)
            results.moto[size] = _moto(size, results)
    yield _latencies(results)
    yield _others(results)
    yield _memory(results)


def _measure(home: Path, size: int, results: Results) -> None:
    endpoint = stack.ensure(home)
    dynamodb, s3, cloudwatch, functions = (
        _client(endpoint.url, name) for name in ("dynamodb", "s3", "cloudwatch", "lambda")
    )
    results.ours[size] = {
        name: workload.sampled(call, _BUDGET_SECONDS)
        for name, call in workload.calls(dynamodb, s3, size).items()
    }
    results.ours_mib[size] = workload.resident_mib(endpoint.pid)
    if size == RESTART_SIZE:
        now = workload.utc_now()
        results.restarts = [_restart(home) for _ in range(RESTARTS)]
        url = stack.ensure(home).url
        cloudwatch, functions = (_client(url, name) for name in ("cloudwatch", "lambda"))
        results.metric = workload.sampled(workload.metric_call(cloudwatch, now), _BUDGET_SECONDS)
        _invoke(functions, results)
    stack.stop(home)


def _fill(home: Path, stored: int, size: int) -> None:
    """With the server stopped, through the services' own code: by requests it would take minutes."""
    url = stack.ensure(home).url
    if not stored:
        _client(url, "dynamodb").create_table(**workload.TABLE_SPEC)
        _client(url, "s3").create_bucket(Bucket=workload.BUCKET)
    stack.stop(home)
    store = Store(home)
    dynamodb, objects = DynamoDb(store), S3(store).objects
    for start in range(stored, size, _BATCH):
        puts = [
            {"PutRequest": {"Item": workload.item(number)}}
            for number in range(start, start + _BATCH)
        ]
        dynamodb.batch_write_item({"RequestItems": {workload.TABLE: puts}})
    for number in range(stored, size):
        _put(objects, workload.object_key(number), workload.OBJECT, 1)
    if size == RESTART_SIZE:
        _fill_more(store, objects)
    store.close()


def _fill_more(store: Store, objects: Any) -> None:
    """A gigabyte of objects, and the points of one long job."""
    mebibyte = os.urandom(1 << 20)
    for number in range(LARGE_OBJECTS):
        _put(objects, f"models/{number:03}.bin", mebibyte, LARGE_MIB // LARGE_OBJECTS)
    dimensions = {each["Name"]: each["Value"] for each in workload.DIMENSIONS}
    measured = [
        (workload.METRIC, dimensions, value, at)
        for at, value in workload.points(workload.utc_now())
    ]
    CloudWatch(store).put_points(workload.NAMESPACE, measured)


def _put(objects: Any, key: str, body: bytes, times: int) -> None:
    blob = objects.new_blob()
    for _ in range(times):
        blob.write(body)
    objects.put(workload.BUCKET, key, blob, {})


def _restart(home: Path) -> float:
    """From kill -9 of the server to the answer of the next."""
    pid = stack.ensure(home).pid
    os.kill(pid, signal.SIGKILL)
    while data.lock_holder(home) is not None:
        time.sleep(0.005)
    return timed(lambda: stack.ensure(home))


def _invoke(functions: Any, results: Results) -> None:
    """Cold: a new process for new code, loaded by the call itself."""
    name = "benchmark-echo"
    functions.create_function(
        FunctionName=name,
        Runtime="python3.11",
        Role="arn:aws:iam::000000000000:role/benchmark",
        Handler="handler.lambda_handler",
        Code={"ZipFile": _zipped(-1)},
    )
    for number in range(COLD_CALLS):
        functions.update_function_code(FunctionName=name, ZipFile=_zipped(number))
        results.cold.append(timed(lambda: functions.invoke(FunctionName=name, Payload=b"{}")))
    for _ in range(WARM_CALLS):
        results.warm.append(timed(lambda: functions.invoke(FunctionName=name, Payload=b"{}")))


def _zipped(number: int) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("handler.py", f"def lambda_handler(event, context): return {number}")
    return buffer.getvalue()


def _moto(size: int, results: Results) -> dict[str, list[float]] | None:
    """A process of its own; None when it needs more than a minute."""
    command = [sys.executable, "-m", "benchmarks.bare_moto", str(size)]
    command += ["metric"] if size == RESTART_SIZE else []
    try:
        done = subprocess.run(
            command, cwd=ROOT, capture_output=True, timeout=_MOTO_SECONDS, check=True
        )
    except subprocess.TimeoutExpired:
        return None
    answer = json.loads(done.stdout)
    results.moto_mib[size] = answer["mib"]
    return answer["samples"]


def _client(endpoint: str, name: str) -> Any:
    return boto3.Session().client(
        name,
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id="local",
        aws_secret_access_key="local",
        config=Config(s3={"addressing_style": "path"}),
    )


def _latencies(results: Results) -> Table:
    rows = []
    for name in results.ours[SIZES[0]]:
        for size in SIZES:
            ours, moto = results.ours[size][name], results.moto[size]
            beside = duration(p50(moto[name])) if moto else f"> {_MOTO_SECONDS:g} s in all"
            verdict = (str(POINT), POINT.verdict(ours)) if name in _FLAT else ("", "")
            cells = (str(len(ours)), duration(p50(ours)), duration(p95(ours)))
            rows.append((name, f"{size:,}", *cells, *verdict, beside))
    return Table(
        title="The embedded AWS by stored items and objects, one client",
        columns=("call", "stored", "n", "p50", "p95", "target", "verdict", "bare moto p50"),
        rows=tuple(rows),
        notes=(
            "Ours: boto3 over HTTP to a process of its own, every write committed before its answer.",
            "Bare moto: the same boto3 calls within its own process, no HTTP, nothing on disk.",
        ),
    )


def _others(results: Results) -> Table:
    moto = results.moto[RESTART_SIZE]
    slow = f"GetMetricData over {workload.POINTS:,} points"
    rows = [time_row(f"{slow}, per ten minutes", results.metric)]
    if moto:
        rows.append(time_row(f"{slow}, bare moto", moto["metric"]))
    stored = f"{RESTART_SIZE:,} items, {LARGE_MIB} MiB of large objects"
    rows += [
        time_row(f"restart after kill -9 with {stored}", results.restarts, RESTART),
        time_row("Lambda, warm", results.warm, WARM),
        time_row("Lambda, cold", results.cold),
    ]
    return Table(title="Metrics, restarts, functions", columns=TIME_COLUMNS, rows=tuple(rows))


def _memory(results: Results) -> Table:
    rows = [
        (f"{size:,}", f"{results.ours_mib[size]:.0f}", f"{results.moto_mib.get(size, 0):.0f}")
        for size in SIZES
    ]
    return Table(
        title="Resident memory after the calls above, MiB",
        columns=("stored", "embedded AWS", "bare moto"),
        rows=tuple(rows),
        notes=("Bare moto's is that of its whole process with boto3; 0: it was stopped.",),
    )
