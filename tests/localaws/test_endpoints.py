"""Endpoints really run the model: its program is loaded once, asked by InvokeEndpoint, and outlives restarts."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from infra.package import training_archive
from localaws.confinement import Confinement, kind
from localaws.endpoints import Endpoints
from localaws.hosting import Hosting
from localaws.inference import Inference
from localaws.logs import Logs
from localaws.registry import Registry
from localaws.s3 import S3
from localaws.server import Server
from localaws.store import Store
from localaws.wire import create_app
from tests.localaws.archives import ROLE, packed
from tests.localaws.conftest import Checked, new_client
from tests.localaws.things import refused
from tests.patience import eventually

ROOT = Path(__file__).parents[2]
BUCKET = "models"
PROGRAM = """
import os, pathlib
def model_fn(folder):
    print("loaded", os.environ.get("UNIT"), os.environ.get("PYTEST_CURRENT_TEST"))
    return int(pathlib.Path(folder, "weights.txt").read_text())
def input_fn(body, content_type):
    return body.decode()
def predict_fn(data, model):
    if data == "die":
        os._exit(1)
    if data == "pid":
        return os.getpid()
    if data.startswith("/"):
        return pathlib.Path(data).read_text()
    return int(data) * model
def output_fn(prediction, accept):
    return str(prediction), accept
"""


class Stack:
    """What serves models, behind one server."""

    def __init__(self, home: Path):
        self.store = Store(home)
        registry = Registry(self.store)
        hosting = Hosting(self.store, registry)
        logs = Logs(self.store)
        self.endpoints = Endpoints(
            self.store, hosting, lambda: self.s3, logs.append, home / "endpoints"
        )
        services = [registry, hosting, self.endpoints, Inference(self.endpoints), logs]
        checked = [Checked(service) for service in services]
        self.server = Server(create_app(checked, S3(self.store)))
        self.server.start()
        self.s3, self.sagemaker, self.runtime, self.logs = (
            new_client(self.server.endpoint, name)
            for name in ("s3", "sagemaker", "sagemaker-runtime", "logs")
        )
        self.endpoints.start()

    def upload(self, **files: bytes) -> None:
        if not self.s3.list_buckets()["Buckets"]:
            self.s3.create_bucket(Bucket=BUCKET)
        for name, content in files.items():
            self.s3.put_object(Bucket=BUCKET, Key=f"{name}.tar.gz", Body=content)

    def deploy(self, name: str, container: dict[str, Any], **variant: Any) -> str:
        """The status that the endpoint comes to."""
        self.sagemaker.create_model(
            ModelName=name, PrimaryContainer=container, ExecutionRoleArn=ROLE
        )
        hardware = variant or {"InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
        self.sagemaker.create_endpoint_config(
            EndpointConfigName=name,
            ProductionVariants=[{"VariantName": "all", "ModelName": name, **hardware}],
        )
        self.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)
        eventually(lambda: self.status(name) != "Creating")
        return self.status(name)

    def status(self, name: str) -> str:
        return self.sagemaker.describe_endpoint(EndpointName=name)["EndpointStatus"]

    def ask(self, name: str, body: str, **more: Any) -> str:
        answer = self.runtime.invoke_endpoint(EndpointName=name, Body=body, **more)
        return answer["Body"].read().decode()

    def close(self) -> None:
        for client in (self.s3, self.sagemaker, self.runtime, self.logs):
            client.close()
        self.endpoints.close()
        self.server.stop()
        self.store.close()


def container(model: str = "model", **environment: str) -> dict[str, Any]:
    url = f"s3://{BUCKET}/{model}.tar.gz"
    return {"Image": "image", "ModelDataUrl": url, "Environment": environment}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    stack = Stack(tmp_path_factory.mktemp("endpoints"))
    stack.upload(
        model=packed({"weights.txt": "2", "code/inference.py": PROGRAM}),
        bare=packed({"weights.txt": "3"}),
        code=packed({"serve.py": PROGRAM}),
        wrong=packed({"code/inference.py": "def model_fn(folder): raise OSError('no weights')"}),
    )
    yield stack
    stack.close()


@pytest.fixture(scope="module")
def served(stack: Stack) -> str:
    assert stack.deploy("served", container(UNIT="mg")) == "InService"
    return "served"


def test_a_model_with_its_own_code_answers(stack: Stack, served: str):
    assert stack.ask(served, "21", Accept="text/plain") == "42"
    answer = stack.runtime.invoke_endpoint(EndpointName=served, Body=b"1", Accept="text/plain")
    assert (answer["ContentType"], answer["InvokedProductionVariant"]) == ("text/plain", "all")
    assert stack.ask(served, "pid") == stack.ask(served, "pid")


def test_its_output_is_logged_and_its_environment_is_its_own(stack: Stack, served: str):
    group = f"/aws/sagemaker/Endpoints/{served}"

    def lines() -> list[str]:
        events = stack.logs.filter_log_events(logGroupName=group)["events"]
        return [event["message"] for event in events]

    eventually(lambda: "loaded mg None" in lines())


def test_code_from_s3_and_a_package_of_the_registry(stack: Stack):
    stack.sagemaker.create_model_package_group(ModelPackageGroupName="ner")
    source = f"s3://{BUCKET}/code.tar.gz"
    settings = {"SAGEMAKER_PROGRAM": "serve.py", "SAGEMAKER_SUBMIT_DIRECTORY": source}
    package = stack.sagemaker.create_model_package(
        ModelPackageGroupName="ner",
        InferenceSpecification={
            "Containers": [container("bare", **settings)],
            "SupportedContentTypes": ["text/csv"],
            "SupportedResponseMIMETypes": ["text/csv"],
        },
    )["ModelPackageArn"]
    serverless = {"MemorySizeInMB": 1024, "MaxConcurrency": 2}
    status = stack.deploy("packaged", {"ModelPackageName": package}, ServerlessConfig=serverless)
    assert (status, stack.ask("packaged", "5")) == ("InService", "15")
    found = stack.sagemaker.describe_endpoint(EndpointName="packaged")
    assert found["ProductionVariants"][0]["CurrentServerlessConfig"] == serverless
    stack.sagemaker.delete_endpoint(EndpointName="packaged")
    assert refused(stack.ask, name="packaged", body="1")["Error"]["Code"] == "ValidationError"
    gone = refused(stack.sagemaker.describe_endpoint, EndpointName="packaged")
    assert "Could not find" in gone["Error"]["Message"]


def test_an_unknown_endpoint_is_refused_as_by_aws(stack: Stack):
    answer = refused(stack.ask, name="nowhere", body="1")
    assert answer["Error"] == {
        "Code": "ValidationError",
        "Message": "Endpoint nowhere of account 000000000000 not found.",
    }


def test_a_failing_model_is_a_model_error_and_goes_on(stack: Stack, served: str):
    answer = refused(stack.ask, name=served, body="x")
    assert (answer["Error"]["Code"], answer["OriginalStatusCode"]) == ("ModelError", 500)
    assert "invalid literal" in answer["OriginalMessage"]
    first = stack.endpoints._servers[served]
    assert refused(stack.ask, name=served, body="die")["Error"]["Code"] == "ModelError"
    assert stack.ask(served, "4") == "8"
    assert first._process._requests < 0, "the pipes of the dead process are still open"


@pytest.mark.skipif(kind() is Confinement.NONE, reason="the kernel cannot confine")
def test_a_model_reads_nothing_else(stack: Stack, served: str, tmp_path: Path):
    secret = tmp_path / "secret.txt"
    secret.write_text("hidden")
    assert "PermissionError" in str(refused(stack.ask, name=served, body=str(secret)))


@pytest.mark.parametrize(
    ("model", "environment", "reason"),
    [
        ("wrong", {}, "ImportError: inference.py does not define input_fn"),
        ("bare", {}, "inference.py is neither"),
        ("model", {"SAGEMAKER_PROGRAM": "other.py"}, "other.py is neither"),
        ("absent", {}, "could not be read"),
    ],
)
def test_what_cannot_be_loaded_fails_with_the_reason(
    stack: Stack, model: str, environment: dict[str, str], reason: str
):
    name = f"failing-{model}{len(environment)}"
    assert stack.deploy(name, container(model, **environment)) == "Failed"
    found = stack.sagemaker.describe_endpoint(EndpointName=name)
    assert reason in found["FailureReason"]
    assert refused(stack.ask, name=name, body="1")["Error"]["Code"] == "ValidationError"
    assert stack.sagemaker.list_endpoints(StatusEquals="Failed", NameContains=name)["Endpoints"]


def test_names_and_parts_are_checked(stack: Stack, served: str):
    sagemaker = stack.sagemaker
    again = {"EndpointName": served, "EndpointConfigName": served}
    assert "already existing" in str(refused(sagemaker.create_endpoint, **again))
    absent = refused(sagemaker.create_endpoint, EndpointName="new", EndpointConfigName="absent")
    assert "Could not find endpoint configuration" in str(absent)
    variant = {"VariantName": "all", "ModelName": "absent"}
    config = {"EndpointConfigName": "new", "ProductionVariants": [variant]}
    assert "InstanceType" in str(refused(sagemaker.create_endpoint_config, **config))
    variant |= {"InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
    assert "Could not find model" in str(refused(sagemaker.create_endpoint_config, **config))
    config["ProductionVariants"] = [variant, variant]
    assert "One production variant" in str(refused(sagemaker.create_endpoint_config, **config))
    model = {"ModelName": "new", "ExecutionRoleArn": ROLE, "PrimaryContainer": {"Image": "i"}}
    assert "ModelDataUrl" in str(refused(sagemaker.create_model, **model))


def test_a_restart_serves_again_and_finishes_what_was_being_created(tmp_path: Path):
    first = Stack(tmp_path)
    first.upload(model=packed({"weights.txt": "2", "code/inference.py": PROGRAM}))
    first.deploy("kept", container())
    records = first.endpoints._endpoints
    half = {**(records.get("kept") or {}), "EndpointName": "half", "EndpointStatus": "Creating"}
    records.put("half", half)
    first.close()
    second = Stack(tmp_path)
    try:
        assert second.ask("kept", "21") == "42"
        eventually(lambda: second.status("half") == "InService")
        assert second.ask("half", "3") == "6"
    finally:
        second.close()


def test_the_trained_model_finds_entities(
    stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    model = _trained(tmp_path, monkeypatch)
    stack.upload(ner=model, training=training_archive(ROOT))
    settings = {
        "SAGEMAKER_PROGRAM": "inference.py",
        "SAGEMAKER_SUBMIT_DIRECTORY": f"s3://{BUCKET}/training.tar.gz",
    }
    assert stack.deploy("ner", container("ner", **settings)) == "InService"
    kind = {"ContentType": "application/json"}
    text = "Anna nahm Ramipril 5 mg.\nOtto nahm Ramipril"
    found = json.loads(stack.ask("ner", json.dumps({"text": text}), **kind))["entities"]
    assert [(e["type"], e["text"]) for e in found] == [("Drug", "Ramipril")] * 2
    assert [text[e["start"] : e["end"]] for e in found] == ["Ramipril"] * 2
    tokens = {"tokens": ["Anna", "nahm", "Ramipril"]}
    answer = json.loads(stack.ask("ner", json.dumps(tokens), **kind))
    assert answer["labels"] == ["O", "O", "B-Drug"]
    assert answer["entities"] == [{"type": "Drug", "text": "Ramipril", "start": 2, "end": 3}]
    for wrong in ("{", "[]", '{"text": 1}', '{"text": "a", "tokens": []}', '{"tokens": [1]}'):
        with pytest.raises(ClientError, match="ModelError"):
            stack.ask("ner", wrong, **kind)
    with pytest.raises(ClientError, match="text/csv is not known"):
        stack.ask("ner", "a", ContentType="text/csv")


def _trained(folder: Path, monkeypatch: pytest.MonkeyPatch) -> bytes:
    """A model.tar.gz with a CRF of the trainer's own features, trained on two sentences."""
    import pycrfsuite

    monkeypatch.syspath_prepend(str(ROOT / "training"))
    from ner_features import featurize  # pyright: ignore[reportMissingImports]

    trainer = pycrfsuite.Trainer(verbose=False)  # pyright: ignore[reportAttributeAccessIssue]
    for name in ("Anna", "Otto"):
        tokens = [name, "nahm", "Ramipril", "5", "mg", "."]
        trainer.append(featurize(tokens), ["O", "O", "B-Drug", "O", "O", "O"])
    path = folder / "model.crfsuite"
    trainer.train(str(path))
    sys.modules.pop("ner_features")
    return packed({"model.crfsuite": path.read_bytes()})
