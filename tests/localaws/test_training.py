"""SageMaker training jobs through boto3, with tiny real scripts: life cycle, ends, quotas, listing."""

import io
import json
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.confinement import Confinement, kind
from tests.localaws.jobs import BUCKET, OK, WAITING, Stack, channel, seconds_of, statuses
from tests.patience import eventually


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    stack = Stack(tmp_path_factory.mktemp("training"))
    yield stack
    stack.close()


def test_a_job_runs_to_its_model(stack: Stack):
    stack.launch("good", OK)
    job = stack.wait("good")
    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Completed", "Completed")
    assert statuses(job) == ["Starting", "Downloading", "Training", "Uploading", "Completed"]
    assert job["BillableTimeInSeconds"] == job["TrainingTimeInSeconds"] == seconds_of(job)
    [metric] = job["FinalMetricDataList"]
    assert (metric["MetricName"], metric["Value"]) == ("train_loss", 1.5)
    uri = job["ModelArtifacts"]["S3ModelArtifacts"]
    assert uri == f"s3://{BUCKET}/final/good/output/model.tar.gz"
    assert stack.keys("final/good/") == {
        "final/good/output/model.tar.gz",
        "final/good/output/output.tar.gz",
    }
    body = stack.s3.get_object(Bucket=BUCKET, Key="final/good/output/model.tar.gz")["Body"].read()
    with tarfile.open(fileobj=io.BytesIO(body)) as tar:
        assert tar.getnames() == ["model.txt"]
    assert job["HyperParameters"]["epochs"] == "3"
    assert job["Environment"] == {"MINE": "1"}
    assert not (stack.store.home / "jobs" / "good").exists()


def test_its_lines_and_metrics_arrive(stack: Stack):
    stack.launch("lines", OK)
    stack.wait("lines")
    lines = stack.printed("lines")
    assert "args ['--engine', 'crf', '--epochs', '3', '--use_peft', 'True']" in lines
    assert "data a\tO" in lines
    assert "secret None 1" in lines
    [(group, stream)] = [key for key in stack.logs.lines if key[1].startswith("lines/algo-1-")]
    assert (group, stream.partition("/")[0]) == ("/aws/sagemaker/TrainingJobs", "lines")
    points = [p for p in stack.points if p[2] == {"TrainingJobName": "lines"}]
    assert [value for *_, value in points] == [3.5, 2.5, 1.5]


def test_each_change_of_status_is_an_event(stack: Stack):
    stack.launch("evented", OK)
    stack.wait("evented")
    mine = [e for e in stack.events if e["detail"]["TrainingJobName"] == "evented"]
    assert [e["detail"]["TrainingJobStatus"] for e in mine] == ["InProgress", "Completed"]
    last = mine[-1]
    assert last["source"] == "aws.sagemaker"
    assert last["detail-type"] == "SageMaker Training Job State Change"
    assert last["resources"] == [stack.describe("evented")["TrainingJobArn"]]
    assert isinstance(last["detail"]["TrainingEndTime"], int)
    json.dumps(last)


def test_failure_file_is_the_reason(stack: Stack):
    stack.launch(
        "failing",
        "import os, pathlib\n"
        "pathlib.Path(os.environ['SAGEMAKER_BASE_DIR'], 'output', 'failure').write_text('No label column. ' + 'x' * 5000)\n"
        "raise SystemExit(1)\n",
    )
    job = stack.wait("failing")
    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Failed", "Failed")
    assert job["FailureReason"].startswith("AlgorithmError: No label column. xxx")
    assert job["FailureReason"].endswith("exit code: 1")
    assert len(job["FailureReason"]) <= 1024
    assert job["BillableTimeInSeconds"] == seconds_of(job)
    assert "ModelArtifacts" not in job or not job["ModelArtifacts"]


@pytest.mark.parametrize(
    ("name", "script", "more", "reason"),
    [
        ("crash", "import os\nos.kill(os.getpid(), 9)\n", {}, "exit code: 137"),
        ("nodata", OK, {"InputDataConfig": [channel("training", f"s3://{BUCKET}/none/")]}, "No S3 objects found"),
        ("nobucket", OK, {"InputDataConfig": [channel("training", "s3://nowhere/x")]}, "NoSuchBucket"),
        ("nocode", OK, {"HyperParameters": {"sagemaker_program": "train.py", "sagemaker_submit_directory": f"s3://{BUCKET}/nope.tar.gz"}}, "could not be read"),
        ("noentry", OK, {"HyperParameters": {}}, "sagemaker_program"),
        ("wrongentry", OK, {"HyperParameters": {"sagemaker_program": "other.py", "sagemaker_submit_directory": f"s3://{BUCKET}/code/wrongentry.tar.gz"}}, "other.py is not in"),
    ],
)  # fmt: skip
def test_other_failures_say_why(
    stack: Stack, name: str, script: str, more: dict[str, Any], reason: str
):
    stack.launch(name, script, **more)
    job = stack.wait(name)
    assert job["TrainingJobStatus"] == "Failed"
    assert reason in job["FailureReason"]
    assert job["BillableTimeInSeconds"] == seconds_of(job)


def test_stop_ends_politely_and_keeps_the_model(stack: Stack):
    stack.launch("stopped", WAITING)
    eventually(lambda: "train_loss=1.0" in stack.printed("stopped"))
    assert stack.describe("stopped")["SecondaryStatus"] == "Training"
    stack.sagemaker.stop_training_job(TrainingJobName="stopped")
    job = stack.wait("stopped")
    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Stopped", "Stopped")
    assert statuses(job)[-2:] == ["Stopping", "Stopped"]
    assert "stopping" in stack.printed("stopped")
    assert "final/stopped/output/model.tar.gz" in stack.keys("final/stopped/")
    with pytest.raises(ClientError, match="the training job is in status Stopped"):
        stack.sagemaker.stop_training_job(TrainingJobName="stopped")
    mine = [e["detail"] for e in stack.events if e["detail"]["TrainingJobName"] == "stopped"]
    assert [d["TrainingJobStatus"] for d in mine] == ["InProgress", "Stopping", "Stopped"]


@pytest.mark.skipif(kind() is Confinement.NONE, reason="this system has no Landlock")
def test_a_script_sees_its_own_folder_only(stack: Stack, tmp_path: Path):
    secret = tmp_path / "secret"
    secret.write_text("mine")
    script = (
        "import os, pathlib\n"
        "def attempt(what):\n"
        "    try: return what()\n"
        "    except PermissionError as error: return error.strerror\n"
        f"print(attempt(pathlib.Path({str(secret)!r}).read_text))\n"
        f"print(attempt(lambda: os.listdir({str(stack.store.home)!r})))\n"
        "print(attempt(lambda: open('notes', 'w').write('12345')))\n"
        "print(attempt(lambda: os.kill(os.getppid(), 0)))\n"
    )
    stack.launch("nosy", script)
    assert stack.wait("nosy")["TrainingJobStatus"] == "Completed"
    refused = ["Permission denied", "Permission denied"]
    assert stack.printed("nosy")[:3] == [*refused, "5"]
    assert stack.printed("nosy")[3] in ("Operation not permitted", "None")  # None: an older kernel


def test_checkpoints_come_back(stack: Stack):
    script = (
        "import os, pathlib\n"
        "path = pathlib.Path(os.environ['SAGEMAKER_BASE_DIR'], 'checkpoints', 'count')\n"
        "count = int(path.read_text()) + 1 if path.exists() else 1\n"
        "path.write_text(str(count))\nprint(f'train_loss={count}')\n"
    )
    for attempt in (1, 2):
        config = {"S3Uri": f"s3://{BUCKET}/checkpoints/shared"}
        stack.launch(f"checkpointed-{attempt}", script, CheckpointConfig=config)
        job = stack.wait(f"checkpointed-{attempt}")
        assert job["FinalMetricDataList"][0]["Value"] == attempt
    assert stack.keys("checkpoints/") == {"checkpoints/shared/count"}


def test_names_and_requests_are_checked(stack: Stack):
    stack.launch("taken", OK)
    with pytest.raises(ClientError, match=r"ResourceInUse.*must be unique.*training-job/taken"):
        stack.launch("taken", OK)
    with pytest.raises(ClientError, match="regular expression pattern"):
        stack.launch("bad_name", OK)
    resources = {"InstanceType": "ml.none.large", "InstanceCount": 1, "VolumeSizeInGB": 1}
    with pytest.raises(ClientError, match="enum value set"):
        stack.launch("badtype", OK, ResourceConfig=resources)
    with pytest.raises(ClientError, match="Requested resource not found"):
        stack.describe("nothing")
    with pytest.raises(ClientError, match="Invalid MaxWaitTimeInSeconds"):
        stack.launch("badspot", OK, EnableManagedSpotTraining=True)
    stack.wait("taken")


def test_tags(stack: Stack):
    stack.launch("tagged", OK, Tags=[{"Key": "llmops:plan", "Value": "p1"}])
    arn = stack.describe("tagged")["TrainingJobArn"]
    stack.sagemaker.add_tags(ResourceArn=arn, Tags=[{"Key": "more", "Value": "2"}])
    tags = stack.sagemaker.list_tags(ResourceArn=arn)["Tags"]
    assert {tag["Key"]: tag["Value"] for tag in tags} == {"llmops:plan": "p1", "more": "2"}
    stack.wait("tagged")


def test_quota_is_exact_under_parallel_creation(tmp_path: Path):
    stack = Stack(tmp_path, {"ml.g5.xlarge for training job usage": 1})
    try:
        stack.launch("first", OK)
        stack.wait("first")
        resources = {"InstanceType": "ml.g5.xlarge", "InstanceCount": 1, "VolumeSizeInGB": 1}
        refused: list[str] = []

        def create(number: int) -> None:
            try:
                stack.launch(f"gpu-{number}", WAITING, ResourceConfig=resources)
            except ClientError as error:
                refused.append(str(error))

        threads = [threading.Thread(target=create, args=(n,)) for n in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(refused) == 5
        assert (
            "The account-level service limit 'ml.g5.xlarge for training job usage' is 1 Instances,"
            " with current utilization of 1 Instances and a request delta of 1 Instances."
        ) in refused[0]
    finally:
        stack.close()


LINKS = """
import os, pathlib, shutil, sys, tempfile
secret = pathlib.Path(os.environ["SECRET"])
model, output = pathlib.Path(os.environ["SM_MODEL_DIR"]), pathlib.Path(os.environ["SM_OUTPUT_DIR"])
model.rmdir()
model.symlink_to(secret.parent)
(output / "failure").symlink_to(secret)
(output / "data").rmdir()
(output / "data").symlink_to(secret.parent)
for name in ("model.tar.gz", "output.tar.gz"):
    (pathlib.Path(tempfile.gettempdir()) / name).symlink_to(secret)
sys.exit(int(os.environ["MINE"]))
"""


@pytest.mark.parametrize("code", [0, 1])
def test_no_link_leads_the_server_out_of_the_job_folder(stack: Stack, tmp_path: Path, code: int):
    secret = tmp_path / "outside" / "secret"
    secret.parent.mkdir()
    secret.write_text("mine")
    name = f"links-{code}"
    stack.launch(name, LINKS, Environment={"SECRET": str(secret), "MINE": str(code)})
    job = stack.wait(name)
    assert job["TrainingJobStatus"] == ("Failed" if code else "Completed")
    assert "mine" not in job.get("FailureReason", "")
    assert stack.keys(f"final/{name}/") == set()
    assert secret.read_text() == "mine"


def test_listing_filters_before_it_pages(stack: Stack):
    for number in range(4):
        stack.records.insert(_finished(stack, f"listed-{number}"))
    pages = stack.sagemaker.get_paginator("list_training_jobs").paginate(
        NameContains="listed", StatusEquals="Completed", PaginationConfig={"PageSize": 2}
    )
    found = [[job["TrainingJobName"] for job in page["TrainingJobSummaries"]] for page in pages]
    assert found == [["listed-0", "listed-1"], ["listed-2", "listed-3"]]
    newest = stack.sagemaker.list_training_jobs(
        NameContains="listed", SortBy="Name", SortOrder="Descending", MaxResults=1
    )["TrainingJobSummaries"]
    assert [job["TrainingJobName"] for job in newest] == ["listed-3"]
    assert "ResourceConfig" not in newest[0]


@pytest.mark.parametrize("wrong", [{"SortBy": "Cost"}, {"NextToken": "NQ=="}, {"NextToken": "?"}])
def test_a_listing_that_cannot_be_is_refused(stack: Stack, wrong: dict[str, Any]):
    with pytest.raises(ClientError, match="ValidationException"):
        stack.sagemaker.list_training_jobs(**wrong)


def _finished(stack: Stack, name: str) -> dict[str, Any]:
    now = stack.records.now()
    return {
        "TrainingJobName": name,
        "TrainingJobArn": f"arn:aws:sagemaker:us-east-1:000000000000:training-job/{name}",
        "TrainingJobStatus": "Completed",
        "SecondaryStatus": "Completed",
        "CreationTime": now,
        "LastModifiedTime": now,
    }
