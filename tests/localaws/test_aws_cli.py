"""The stock AWS command line against the embedded AWS, by --endpoint-url alone.

AWS_CLI names its program, in an environment of its own; without it the tests are skipped, or fail
where REQUIRE_AWSCLI=1.
"""

import hashlib
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.localaws.archives import ROLE, zipped
from tests.localaws.parity import Parity
from tests.localaws.things import TABLE, key, spec
from tests.patience import PATIENCE_SECONDS

BUCKET = "cli-bucket"


class Cli:
    """Runs `aws` with nothing of the person's own configuration."""

    def __init__(self, program: str, endpoint: str, home: Path):
        self._command = [program, "--endpoint-url", endpoint]
        self.home = home
        self._environ = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_ACCESS_KEY_ID": "local",
            "AWS_SECRET_ACCESS_KEY": "local",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_DEFAULT_OUTPUT": "json",
            "AWS_PAGER": "",
        }

    def __call__(self, *arguments: str) -> str:
        done = self.run(*arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [*self._command, *arguments],
            env=self._environ,
            cwd=self.home,
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )


@pytest.fixture(scope="module")
def parity(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Parity]:
    with pytest.MonkeyPatch.context() as patch:
        parity = Parity(tmp_path_factory.mktemp("stack"), patch)
        yield parity
        parity.close()


@pytest.fixture(scope="module")
def aws(parity: Parity, tmp_path_factory: pytest.TempPathFactory) -> Cli:
    program = os.environ.get("AWS_CLI")
    if not program and os.environ.get("REQUIRE_AWSCLI") == "1":
        pytest.fail("REQUIRE_AWSCLI=1, but AWS_CLI is not set")
    if not program:
        pytest.skip("AWS_CLI is not set: no environment with the AWS command line")
    return Cli(program, parity.stack.server.endpoint, tmp_path_factory.mktemp("cli"))


def test_s3_copies_large_files_in_parts_and_lists_them(aws: Cli):
    content = os.urandom(1 << 20) * 20
    (aws.home / "large.bin").write_bytes(content)
    aws("s3", "mb", f"s3://{BUCKET}")
    aws("s3", "cp", "large.bin", f"s3://{BUCKET}/deep/large.bin", "--no-progress")
    assert BUCKET in aws("s3", "ls")
    assert "20971520 large.bin" in aws("s3", "ls", f"s3://{BUCKET}/deep/")
    aws("s3", "cp", f"s3://{BUCKET}/deep/large.bin", "back.bin", "--no-progress")
    back = (aws.home / "back.bin").read_bytes()
    assert hashlib.sha256(back).digest() == hashlib.sha256(content).digest()
    (aws.home / "folder").mkdir()
    for name in ("a.txt", "ä b.txt"):
        (aws.home / "folder" / name).write_text(name)
    for path in (aws.home / "folder").iterdir():
        # LastModified is in whole seconds: a file of this very second would look newer.
        os.utime(path, (0, 0))
    aws("s3", "sync", "folder", f"s3://{BUCKET}/folder", "--no-progress")
    assert aws("s3", "sync", "folder", f"s3://{BUCKET}/folder", "--no-progress") == ""
    aws("s3", "rm", f"s3://{BUCKET}", "--recursive")
    aws("s3", "rb", f"s3://{BUCKET}")
    assert BUCKET not in aws("s3", "ls")


def test_sagemaker_lists_training_jobs(aws: Cli):
    listed = json.loads(aws("sagemaker", "list-training-jobs", "--max-items", "5"))
    assert listed == {"TrainingJobSummaries": []}


def test_dynamodb_queries(aws: Cli, parity: Parity):
    table = parity.client("dynamodb")
    table.create_table(**spec(TABLE))
    for number in range(5):
        table.put_item(TableName=TABLE, Item=key("a", number))
    wanted = ["--key-condition-expression", "pk = :p AND sk > :n"]
    values = json.dumps({":p": {"S": "a"}, ":n": {"N": "2"}})
    wanted += ["--expression-attribute-values", values, "--page-size", "1"]
    found = json.loads(aws("dynamodb", "query", "--table-name", TABLE, *wanted))
    assert [item["sk"]["N"] for item in found["Items"]] == ["3", "4"]


def test_logs_are_filtered(aws: Cli, parity: Parity):
    logs: Any = parity.client("logs")
    logs.create_log_group(logGroupName="/cli")
    logs.create_log_stream(logGroupName="/cli", logStreamName="s")
    lines = [{"timestamp": n, "message": m} for n, m in enumerate(("fine", "ERROR disk"))]
    logs.put_log_events(logGroupName="/cli", logStreamName="s", logEvents=lines)
    group = ["--log-group-name", "/cli", "--filter-pattern", "ERROR"]
    found = json.loads(aws("logs", "filter-log-events", *group))
    assert [event["message"] for event in found["events"]] == ["ERROR disk"]


def test_lambda_is_invoked(aws: Cli, parity: Parity):
    parity.client("lambda").create_function(
        FunctionName="echo",
        Runtime="python3.11",
        Role=ROLE,
        Handler="handler.lambda_handler",
        Code={"ZipFile": zipped("def lambda_handler(event, context): return event")},
    )
    (aws.home / "payload.json").write_text('{"a": "ä"}')
    payload = ["--payload", "file://payload.json", "out.json"]
    answer = json.loads(aws("lambda", "invoke", "--function-name", "echo", *payload))
    assert answer["StatusCode"] == 200
    assert json.loads((aws.home / "out.json").read_text()) == {"a": "ä"}


def test_what_is_missing_says_so(aws: Cli):
    done = aws.run("sagemaker", "list-pipelines")
    assert done.returncode != 0
    assert "(NotImplemented)" in done.stderr
    assert "ListPipelines is not part of the embedded AWS" in done.stderr
