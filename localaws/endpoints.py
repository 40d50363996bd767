"""SageMaker endpoints that really run the trained model, each in a warm process of its own.

Known differences: one process per endpoint whatever the instance count, weights or concurrency;
an endpoint is deleted at once; it is not updated or scaled, and costs nothing.
"""

import logging
import shutil
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from localaws.child_process import WriteEvents
from localaws.endpoint_process import Inference, ModelError, ModelFolder, ModelServer
from localaws.errors import ACCOUNT_ID, AwsError, arn_of, invalid
from localaws.hosting import Hosting
from localaws.job_storage import StorageError, download_code
from localaws.logs import WriteLog
from localaws.records import Record, Records, listed, now, picked
from localaws.store import Store
from mlops.instances import catalog

_LOG = logging.getLogger(__name__)
_SUMMARY = ("EndpointName", "EndpointArn", "CreationTime", "LastModifiedTime", "EndpointStatus")
_HIDDEN = ("Container", "MemoryMb")
_OTHER_INSTANCE_GIB = 4
_PROGRAM, _CODE = "SAGEMAKER_PROGRAM", "SAGEMAKER_SUBMIT_DIRECTORY"


class Endpoints:
    """`s3` gives a client; `folder` holds the unpacked models."""

    service_name = "sagemaker"

    def __init__(
        self,
        store: Store,
        hosting: Hosting,
        s3: Callable[[], Any],
        write_log: WriteLog,
        folder: Path,
    ):
        self._store = store
        self._endpoints = Records(store, "endpoint")
        self._hosting = hosting
        self._s3 = s3
        self._write_log = write_log
        self._folder = folder
        self._lock = threading.Lock()
        self._starting: dict[str, threading.Lock] = {}
        self._servers: dict[str, ModelServer] = {}
        self._closed = False

    def start(self) -> None:
        """Goes on with endpoints that were being created when the last server ended."""
        for record in self._endpoints.all():
            if record["EndpointStatus"] == "Creating":
                self._create_later(record["EndpointName"])

    def close(self) -> None:
        with self._lock:
            self._closed = True
            servers = list(self._servers.values())
        for server in servers:
            server.close()

    def create_endpoint(self, request: dict[str, Any]) -> dict[str, Any]:
        name = request["EndpointName"]
        config = self._hosting.describe_endpoint_config(request)
        variant = config["ProductionVariants"][0]
        model = self._hosting.describe_model(variant)
        created = now()
        record = {
            "EndpointName": name,
            "EndpointArn": _arn(name),
            "EndpointConfigName": request["EndpointConfigName"],
            "ProductionVariants": [_summary(variant, model["PrimaryContainer"])],
            "EndpointStatus": "Creating",
            "CreationTime": created,
            "LastModifiedTime": created,
            "Container": model["PrimaryContainer"],
            "MemoryMb": _memory_mb(variant),
        }
        if not self._endpoints.add(name, record):
            raise invalid(f'Cannot create already existing endpoint "{record["EndpointArn"]}".')
        self._create_later(name)
        return {"EndpointArn": record["EndpointArn"]}

    def describe_endpoint(self, request: dict[str, Any]) -> dict[str, Any]:
        record = self._find(request["EndpointName"])
        return {member: value for member, value in record.items() if member not in _HIDDEN}

    def list_endpoints(self, request: dict[str, Any]) -> dict[str, Any]:
        found, more = listed(self._endpoints.all(), request, "EndpointName", "EndpointStatus")
        return {"Endpoints": [picked(record, *_SUMMARY) for record in found], **more}

    def delete_endpoint(self, request: dict[str, Any]) -> dict[str, Any]:
        name = request["EndpointName"]
        with self._store.write():
            record = self._find(name)
            if record["EndpointStatus"] == "Creating":
                raise invalid(f'Cannot update in-progress endpoint "{record["EndpointArn"]}".')
            self._endpoints.delete(name)
        with self._lock:
            server = self._servers.pop(name, None)
        if server is not None:
            server.close()
        shutil.rmtree(self._folder / name, ignore_errors=True)
        return {}

    def invoke(self, name: str, body: bytes, content_type: str, accept: str) -> Inference:
        """Raises ModelError when the model fails; an endpoint that is not in service is not found."""
        record = self._endpoints.get(name)
        if record is None or record["EndpointStatus"] != "InService":
            message = f"Endpoint {name} of account {ACCOUNT_ID} not found."
            raise AwsError("ValidationError", message)
        return self._server(record).invoke(body, content_type, accept)

    def variant(self, name: str) -> str:
        return self._find(name)["ProductionVariants"][0]["VariantName"]

    def _find(self, name: str) -> Record:
        found = self._endpoints.get(name)
        if found is None:
            raise invalid(f'Could not find endpoint "{_arn(name)}".')
        return found

    def _create_later(self, name: str) -> None:
        work = threading.Thread(target=self._create, args=(name,), daemon=True)
        work.start()

    def _create(self, name: str) -> None:
        changes: Record = {"EndpointStatus": "InService"}
        try:
            self._server(self._find(name))
        except (ModelError, StorageError) as error:
            changes = {"EndpointStatus": "Failed", "FailureReason": _failure(name, str(error))}
        except Exception as error:  # the thread's edge: an endpoint must not stay Creating unseen
            _LOG.exception("endpoint %s", name)
            changes = {"EndpointStatus": "Failed", "FailureReason": f"InternalFailure: {error}"}
        if self._closed:
            return
        with self._store.write():
            record = self._find(name) | changes | {"LastModifiedTime": now()}
            self._endpoints.put(name, record)

    def _server(self, record: Record) -> ModelServer:
        """The warm process; made from the files on disk, or from S3 when these are not there."""
        name = record["EndpointName"]
        with self._lock:
            starting = self._starting.setdefault(name, threading.Lock())
        with starting:
            server = self._servers.get(name)
            if server is None or not server.is_alive():
                if server is not None:
                    server.close()
                server = ModelServer(self._fetched(record), self._log_writer(record))
                with self._lock:
                    self._servers[name] = server
            return server

    def _fetched(self, record: Record) -> ModelFolder:
        container, folder = record["Container"], self._folder / record["EndpointName"]
        settings = container.get("Environment") or {}
        model, code = folder / "model", folder / "model" / "code"
        if not (folder / "complete").exists():
            shutil.rmtree(folder, ignore_errors=True)
            code.mkdir(parents=True)
            download_code(self._s3(), container["ModelDataUrl"], model, folder)
            if settings.get(_CODE, "").startswith("s3://"):
                download_code(self._s3(), settings[_CODE], code, folder)
            (folder / "complete").touch()
        program = settings.get(_PROGRAM, "inference.py")
        if not (code / program).is_file():
            raise StorageError(f"{program} is neither in {_CODE} nor in code/ of the model")
        return ModelFolder(model, code, program, settings, record["MemoryMb"])

    def _log_writer(self, record: Record) -> WriteEvents:
        group = f"/aws/sagemaker/Endpoints/{record['EndpointName']}"
        stream = f"{record['ProductionVariants'][0]['VariantName']}/local"
        return partial(self._write_log, group, stream)


def _summary(variant: Record, container: Record) -> Record:
    image = {"SpecifiedImage": container["Image"], "ResolutionTime": now()}
    weight = variant["InitialVariantWeight"]
    common = {
        "VariantName": variant["VariantName"],
        "DeployedImages": [image],
        "CurrentWeight": weight,
        "DesiredWeight": weight,
    }
    serverless = variant.get("ServerlessConfig")
    if serverless:
        return {**common, "CurrentServerlessConfig": serverless, "CurrentInstanceCount": 0}
    count = variant["InitialInstanceCount"]
    return {**common, "CurrentInstanceCount": count, "DesiredInstanceCount": count}


def _memory_mb(variant: Record) -> int:
    if variant.get("ServerlessConfig"):
        return variant["ServerlessConfig"]["MemorySizeInMB"]
    instance = catalog().get(variant["InstanceType"])
    return 1024 * ((instance.memory_gib if instance else None) or _OTHER_INSTANCE_GIB)


def _failure(name: str, reason: str) -> str:
    return (
        "The primary container did not pass the ping health check. Please check the CloudWatch"
        f" logs of this endpoint (/aws/sagemaker/Endpoints/{name}). {reason}"
    )


def _arn(name: str) -> str:
    return arn_of("sagemaker", f"endpoint/{name}")
