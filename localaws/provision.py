"""Brings the embedded AWS to what the product expects, at every start; what is there already stays.

Buckets, tables, functions with their rules, the training archive, and the sample data of a first
start. Content is hashed first and uploaded only when it changed.
"""

import hashlib
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from infra.package import lambda_zips, training_archive
from localaws.functions import code_sha256
from localaws.home import SEEDED, replace
from mlops.datasets import Metadata
from mlops.samples import SAMPLES, Sample, to_conll
from mlops.settings import Settings

# Functions run on the Python of the server.
_RUNTIME = f"python{sys.version_info.major}.{sys.version_info.minor}"
_MEMORY_MB = 512
_TIMEOUT_SECONDS = 60
_LARGER: Mapping[str, dict[str, int]] = {"prepare_dataset": {"Timeout": 300, "MemorySize": 3008}}
_JOB_CHANGED = {
    "source": ["aws.sagemaker"],
    "detail-type": ["SageMaker Training Job State Change"],
}
_RULES: Mapping[str, dict[str, str]] = {
    "on_training_event": {"EventPattern": json.dumps(_JOB_CHANGED)},
    "watchdog": {"ScheduleExpression": "rate(1 minute)"},
}


@dataclass(frozen=True)
class Services:
    """The services to provision, called in process; `s3` makes or gives a client of S3."""

    dynamodb: Any
    functions: Any
    events: Any
    s3: Callable[[], Any]


@dataclass(frozen=True)
class Wanted:
    """What there must be: handlers as function name → module under lambdas/, tables, settings."""

    root: Path
    settings: Settings
    handlers: Mapping[str, str]
    tables: Sequence[Mapping[str, Any]]
    ttl_attributes: Mapping[str, str]


def provision(services: Services, wanted: Wanted, home: Path) -> None:
    settings, s3 = wanted.settings, services.s3()
    _make_buckets(s3, (settings.datasets_bucket, settings.models_bucket))
    _make_tables(services.dynamodb, wanted)
    archive = _upload_archive(s3, settings.models_bucket, wanted.root)
    environ = settings.model_copy(update={"training_archive_uri": archive}).to_env()
    _make_functions(services.functions, wanted, environ)
    _make_rules(services, wanted)
    _seed(s3, settings.datasets_bucket, home / SEEDED)


def _make_buckets(s3: Any, names: Sequence[str]) -> None:
    present = {bucket["Name"] for bucket in s3.list_buckets()["Buckets"]}
    for name in names:
        if name not in present:
            s3.create_bucket(Bucket=name)


def _make_tables(dynamodb: Any, wanted: Wanted) -> None:
    present = set(dynamodb.list_tables({})["TableNames"])
    for spec in wanted.tables:
        if spec["TableName"] not in present:
            dynamodb.create_table(dict(spec))
    for name, attribute in wanted.ttl_attributes.items():
        found = dynamodb.describe_time_to_live({"TableName": name})["TimeToLiveDescription"]
        if found["TimeToLiveStatus"] == "DISABLED":
            ttl = {"Enabled": True, "AttributeName": attribute}
            dynamodb.update_time_to_live({"TableName": name, "TimeToLiveSpecification": ttl})


def _upload_archive(s3: Any, bucket: str, root: Path) -> str:
    content = training_archive(root)
    key = f"code/{hashlib.sha256(content).hexdigest()}/sourcedir.tar.gz"
    if not _exists(s3, bucket, key):
        s3.put_object(Bucket=bucket, Key=key, Body=content)
    return f"s3://{bucket}/{key}"


def _make_functions(functions: Any, wanted: Wanted, environ: dict[str, str]) -> None:
    present = {found["FunctionName"]: found for found in _all_functions(functions)}
    zips = lambda_zips(wanted.root, wanted.handlers.values())
    for name, module in wanted.handlers.items():
        config = _function_config(name, module, wanted.settings.role_arn, environ)
        found = present.get(name)
        if found is None:
            functions.create_function({**config, "Code": {"ZipFile": zips[module]}})
            continue
        if found["CodeSha256"] != code_sha256(zips[module]):
            functions.update_function_code({"FunctionName": name, "ZipFile": zips[module]})
        if any(found.get(key) != value for key, value in config.items()):
            functions.update_function_configuration(config)


def _all_functions(functions: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    marker: str | None = ""
    while marker is not None:
        page = functions.list_functions({"Marker": marker})
        found += page["Functions"]
        marker = page.get("NextMarker")
    return found


def _function_config(
    name: str, module: str, role_arn: str, environ: dict[str, str]
) -> dict[str, Any]:
    return {
        "FunctionName": name,
        "Runtime": _RUNTIME,
        "Role": role_arn,
        "Handler": f"{module}.lambda_handler",
        "Timeout": _TIMEOUT_SECONDS,
        "MemorySize": _MEMORY_MB,
        "Environment": {"Variables": environ},
        **_LARGER.get(module, {}),
    }


def _make_rules(services: Services, wanted: Wanted) -> None:
    modules = {module: name for name, module in wanted.handlers.items()}
    for module, rule in _RULES.items():
        if module not in modules:
            continue
        name = modules[module]
        arn = services.functions.get_function_configuration({"FunctionName": name})["FunctionArn"]
        services.events.put_rule({"Name": name, **rule})
        services.events.put_targets({"Rule": name, "Targets": [{"Id": "function", "Arn": arn}]})


def _seed(s3: Any, bucket: str, marker: Path) -> None:
    """Each sample once in the life of a data directory: what a person deletes stays deleted."""
    seeded = set(json.loads(marker.read_text())) if marker.exists() else set()
    for name, make in SAMPLES.items():
        if name in seeded:
            continue
        if not _exists(s3, bucket, f"raw/{name}/metadata.json"):
            _upload_sample(s3, bucket, make())
        seeded.add(name)
        replace(marker, json.dumps(sorted(seeded)))


def _upload_sample(s3: Any, bucket: str, sample: Sample) -> None:
    for split, sentences in sample.splits.items():
        body = to_conll(sentences).encode()
        s3.put_object(Bucket=bucket, Key=f"raw/{sample.name}/{split}.tsv", Body=body)
    metadata = Metadata(
        title=sample.title,
        synthetic=sample.synthetic,
        source="generated by this project",
        license=sample.license,
        language=sample.language,
        note=sample.note,
    )
    key = f"raw/{sample.name}/metadata.json"
    s3.put_object(Bucket=bucket, Key=key, Body=metadata.model_dump_json().encode())


def _exists(s3: Any, bucket: str, key: str) -> bool:
    try:
        s3.head_object(Bucket=bucket, Key=key)
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] == 404:
            return False
        raise
    return True
