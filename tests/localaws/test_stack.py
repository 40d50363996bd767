"""The server process as its users meet it: started on demand, found, shared, killed, emptied."""

import io
import json
import os
import signal
import socket
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from localaws import confinement, stack
from localaws import home as data
from mlops.errors import RequestError
from tests.patience import PATIENCE_SECONDS, eventually
from tests.ports import claim_with_port

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    home = tmp_path_factory.mktemp("stack") / "home"
    claim_with_port(home)
    yield home
    stack.stop(home)


def client(endpoint: stack.Endpoint, service: str) -> Any:
    environ = endpoint.environ
    return boto3.Session().client(
        service,
        endpoint_url=environ["AWS_ENDPOINT_URL"],
        region_name=environ["AWS_DEFAULT_REGION"],
        aws_access_key_id=environ["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environ["AWS_SECRET_ACCESS_KEY"],
    )


def test_two_starters_get_one_server_that_outlives_a_starter(home: Path):
    code = "import sys; from pathlib import Path; from localaws import stack; print(stack.ensure(Path(sys.argv[1])).pid)"
    starters = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(home)], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        for _ in range(3)
    ]
    pids = {starter.communicate(timeout=PATIENCE_SECONDS)[0].strip() for starter in starters}
    assert len(pids) == 1
    endpoint = stack.ensure(home)
    assert {str(endpoint.pid)} == pids
    assert (home / "endpoint.json").stat().st_mode & 0o777 == 0o600
    status = stack.status(home)
    assert (status.running, status.endpoint, status.pid) == (True, endpoint.url, endpoint.pid)
    assert {"endpoint", "pid", "running"} <= json.loads(status.model_dump_json()).keys()


def test_the_limits_of_who_started_it_are_not_the_functions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("LLMOPS_MONTHLY_LIMIT_USD", "7")
    monkeypatch.setenv("LLMOPS_TEAM", "nlp")
    try:
        functions = client(stack.ensure(tmp_path / "home"), "lambda")
        found = functions.get_function_configuration(FunctionName="llmops-watchdog")
    finally:
        stack.stop(tmp_path / "home")
    variables = found["Environment"]["Variables"]
    assert variables["LLMOPS_MONTHLY_LIMIT_USD"] == "50" and "LLMOPS_TEAM" not in variables


def test_everything_the_product_needs_is_there(home: Path):
    endpoint = stack.ensure(home)
    buckets = {b["Name"] for b in client(endpoint, "s3").list_buckets()["Buckets"]}
    assert buckets == {"llmops-datasets", "llmops-models"}
    assert "llmops-jobs" in client(endpoint, "dynamodb").list_tables()["TableNames"]
    functions = client(endpoint, "lambda").list_functions()["Functions"]
    by_name = {f["FunctionName"]: f for f in functions}
    assert {"llmops-tool-plan-training", "llmops-on-training-event"} <= by_name.keys()
    variables = by_name["llmops-tool-plan-training"]["Environment"]["Variables"]
    archive = variables["LLMOPS_TRAINING_ARCHIVE"]
    assert archive.startswith("s3://llmops-models/code/")
    client(endpoint, "s3").head_object(Bucket="llmops-models", Key=archive.split("/", 3)[3])
    rules = client(endpoint, "events").list_rules()["Rules"]
    assert {rule["Name"] for rule in rules} == {"llmops-on-training-event", "llmops-watchdog"}


def test_tools_answer_through_lambda(home: Path):
    functions = client(stack.ensure(home), "lambda")
    answer = functions.invoke(FunctionName="llmops-tool-list-s3-datasets", Payload=b"{}")
    assert "FunctionError" not in answer, answer["Payload"].read()
    assert "cier-small" in answer["Payload"].read().decode()


def test_kill_loses_nothing_and_the_job_goes_on_from_its_checkpoint(home: Path):
    endpoint = stack.ensure(home)
    s3, sagemaker = client(endpoint, "s3"), client(endpoint, "sagemaker")
    s3.put_object(Bucket="llmops-models", Key="kept", Body=b"acknowledged")
    _launch_counting_job(s3, sagemaker)
    eventually(lambda: "count" in _keys(s3, "checkpoints/counting/"))
    note = home / "jobs" / "counting" / "process.json"
    left_over = json.loads(note.read_text())["pid"]
    os.kill(endpoint.pid, signal.SIGKILL)
    eventually(lambda: data.lock_holder(home) is None)
    assert not stack.status(home).running

    again = stack.ensure(home)
    assert again.pid != endpoint.pid
    s3, sagemaker = client(again, "s3"), client(again, "sagemaker")
    assert s3.get_object(Bucket="llmops-models", Key="kept")["Body"].read() == b"acknowledged"
    eventually(lambda: not _runs(left_over))
    job = eventually(lambda: _final(sagemaker, "counting"))
    assert job["TrainingJobStatus"] == "Completed", job.get("FailureReason")
    statuses = [t["Status"] for t in job["SecondaryStatusTransitions"]]
    assert statuses.count("Restarting") == 1
    assert job["FinalMetricDataList"][0]["Value"] == 2
    assert job["BillableTimeInSeconds"] >= 2


def test_a_deleted_sample_stays_deleted_and_a_restart_changes_nothing(home: Path):
    endpoint = stack.ensure(home)
    s3 = client(endpoint, "s3")
    for key in _keys(s3, "raw/cier-small/", "llmops-datasets"):
        s3.delete_object(Bucket="llmops-datasets", Key=f"raw/cier-small/{key}")
    before = _shas(endpoint)
    assert stack.stop(home)
    assert not stack.stop(home)
    assert not (home / "endpoint.json").exists()
    again = stack.ensure(home)
    assert _keys(client(again, "s3"), "raw/cier-small/", "llmops-datasets") == set()
    assert "train.tsv" in _keys(client(again, "s3"), "raw/cier/", "llmops-datasets")
    assert _shas(again) == before


def test_reset_empties_it(home: Path):
    stack.ensure(home)
    stack.reset(home)
    assert not stack.status(home).running
    assert not (home / "state.sqlite3").exists()
    assert data.is_ours(home)


def test_strange_and_newer_directories_are_left_alone(tmp_path: Path):
    strange = tmp_path / "strange"
    strange.mkdir()
    (strange / "thesis.tex").write_text("mine")
    with pytest.raises(RequestError, match="holds other files"):
        stack.ensure(strange)
    with pytest.raises(RequestError, match="nothing done"):
        stack.reset(strange)
    assert (strange / "thesis.tex").read_text() == "mine"
    newer = tmp_path / "newer"
    newer.mkdir()
    (newer / "format.json").write_text('{"format": 99}')
    with pytest.raises(RequestError, match="written in format 99"):
        stack.ensure(newer)


def test_a_server_of_other_code_is_started_anew_unless_it_is_busy(
    home: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    before = stack.ensure(home)
    assert stack.status(home).outdated is False
    assert stack.ensure(home).pid == before.pid
    database = client(before, "dynamodb")
    reservation = {"plan_id": {"S": "p"}, "part": {"S": "approval"}}
    times = {"open": {"S": "yes"}, "created_at": {"S": "2026-11-22T00:00:00Z"}}
    database.put_item(TableName="llmops-plans", Item=reservation | times)
    monkeypatch.setattr(stack, "source_digest", lambda root: "other")
    assert stack.status(home).outdated
    assert stack.ensure(home).pid == before.pid
    assert "runs other code than is installed now. It is busy and is kept" in caplog.text

    database.delete_item(TableName="llmops-plans", Key=reservation)
    after = stack.ensure(home)
    assert after.pid != before.pid
    assert after.url == before.url
    assert "llmops-plans" in database.list_tables()["TableNames"]  # clients of before go on


def test_status_says_how_jobs_are_confined(home: Path):
    stack.ensure(home)
    assert stack.status(home).confinement == confinement.kind()


def test_another_port_is_taken_when_the_last_one_is_not_free(tmp_path: Path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        data.claim(tmp_path)
        (tmp_path / "port").write_text(str(taken.getsockname()[1]))
        try:
            assert stack.ensure(tmp_path).port not in (0, taken.getsockname()[1])
        finally:
            stack.stop(tmp_path)


def test_it_ends_when_idle(tmp_path: Path):
    command = [sys.executable, "-m", "localaws", "--home", str(tmp_path), "--idle-minutes", "0.02"]
    server = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    _, log = server.communicate(timeout=PATIENCE_SECONDS)
    assert server.returncode == 0
    assert "idle" in log


def _runs(pid: int) -> bool:
    """A zombie that nobody has reaped has ended too."""
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"


def _launch_counting_job(s3: Any, sagemaker: Any) -> None:
    """Writes its count as checkpoint; the first start waits to be killed, the second ends."""
    script = (
        "import os, pathlib, threading\n"
        "path = pathlib.Path(os.environ['SAGEMAKER_BASE_DIR'], 'checkpoints', 'count')\n"
        "count = int(path.read_text()) + 1 if path.exists() else 1\n"
        "path.write_text(str(count))\nprint(f'count={count}', flush=True)\n"
        "threading.Event().wait(60 if count == 1 else 0)\n"
    )
    _upload_code(s3, script)
    sagemaker.create_training_job(
        TrainingJobName="counting",
        AlgorithmSpecification={
            "TrainingImage": "image",
            "TrainingInputMode": "File",
            "MetricDefinitions": [{"Name": "count", "Regex": r"count=(\d+)"}],
        },
        RoleArn="arn:aws:iam::000000000000:role/training",
        OutputDataConfig={"S3OutputPath": "s3://llmops-models/final"},
        ResourceConfig={"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
        StoppingCondition={"MaxRuntimeInSeconds": 60},
        CheckpointConfig={"S3Uri": "s3://llmops-models/checkpoints/counting"},
        HyperParameters={
            "sagemaker_program": "train.py",
            "sagemaker_submit_directory": "s3://llmops-models/code/test.tar.gz",
        },
    )


def _upload_code(s3: Any, script: str) -> None:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as tar:
        info = tarfile.TarInfo("train.py")
        info.size = len(script)
        tar.addfile(info, io.BytesIO(script.encode()))
    s3.put_object(Bucket="llmops-models", Key="code/test.tar.gz", Body=content.getvalue())


def _keys(s3: Any, prefix: str, bucket: str = "llmops-models") -> set[str]:
    found = s3.list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", [])
    return {item["Key"].removeprefix(prefix) for item in found}


def _final(sagemaker: Any, name: str) -> dict[str, Any] | None:
    job = sagemaker.describe_training_job(TrainingJobName=name)
    return job if job["TrainingJobStatus"] not in ("InProgress", "Stopping") else None


def _shas(endpoint: stack.Endpoint) -> dict[str, tuple[str, str]]:
    functions = client(endpoint, "lambda").list_functions()["Functions"]
    return {f["FunctionName"]: (f["CodeSha256"], f["RevisionId"]) for f in functions}
