"""The Lambda service: functions from our zips, run for real in warm child processes.

Asynchronous invocations are queued durably. Known differences from AWS: no versions, aliases,
layers or code from S3; at most four children per function, further calls wait.
"""

import base64
import binascii
import hashlib
import json
import logging
import uuid
from collections.abc import Callable, Iterable
from dataclasses import astuple
from datetime import UTC, datetime
from typing import Any

import orjson

from localaws.errors import AwsError, arn_of
from localaws.invocations import RETRY_SECONDS, Invocations, Queued
from localaws.lambda_code import Code, CodeFolder
from localaws.lambda_pool import Pool
from localaws.lambda_process import Answer, ChildError, Program
from localaws.logs import WriteLog
from localaws.store import Store

_LOG = logging.getLogger(__name__)
_MAX_PAYLOAD_BYTES = 6 * 1024 * 1024
_MAX_EVENT_BYTES = 1024 * 1024
_CONFIGURABLE = ("Handler", "Role", "Runtime", "Description", "Timeout", "MemorySize")
_SCHEMA = """
CREATE TABLE IF NOT EXISTS lambda_functions (
    name TEXT PRIMARY KEY, config TEXT NOT NULL,
    sha256 TEXT NOT NULL, packages TEXT NOT NULL, size_bytes INTEGER NOT NULL
) WITHOUT ROWID;
"""


class Functions:
    """`environment` gives the endpoint and credentials that every function gets."""

    service_name = "lambda"

    def __init__(
        self,
        store: Store,
        write_log: WriteLog,
        environment: Callable[[], dict[str, str]],
        retry_seconds: tuple[float, ...] = RETRY_SECONDS,
    ):
        store.ensure(_SCHEMA)
        self._store = store
        self._environment = environment
        self._code = CodeFolder(store.home / "lambda")
        self._pool = Pool(write_log)
        self._events = Invocations(store, self._deliver, retry_seconds)
        rows = store.read().execute("SELECT sha256, packages, size_bytes FROM lambda_functions")
        self._code.keep_only(Code(*row) for row in rows.fetchall())

    def start(self) -> None:
        """Begins to deliver queued invocations."""
        self._events.start()

    def close(self) -> None:
        self._events.close()
        self._pool.close()

    def pending(self) -> int:
        return self._events.pending()

    def prewarm(self, names: Iterable[str]) -> None:
        """Starts one child for each; a function that fails to load says so when it is invoked."""
        for name in names:
            try:
                self._pool.warm(self._program(*self._find(name)))
            except (ChildError, AwsError) as error:
                _LOG.warning("%s could not be warmed: %s", name, error)

    def enqueue(self, name: str, event: Any) -> None:
        """An asynchronous invocation, in the caller's transaction."""
        self._events.enqueue(_function_name(name), orjson.dumps(event))

    def create_function(self, request: dict[str, Any]) -> dict[str, Any]:
        name = _function_name(request["FunctionName"])
        if not request.get("Handler"):
            message = "Handler is mandatory for functions created with deployment package type Zip"
            raise AwsError("InvalidParameterValueException", f"{message}.")
        code = self._code.add(_zip_file(request["Code"]))
        config = {
            "FunctionName": name,
            "FunctionArn": _arn(name),
            "Runtime": request.get("Runtime"),
            "Role": request["Role"],
            "Handler": request["Handler"],
            "Description": request.get("Description", ""),
            "Timeout": request.get("Timeout") or 3,
            "MemorySize": request.get("MemorySize") or 128,
            "Environment": {"Variables": _variables(request)},
            "Version": "$LATEST",
            "PackageType": "Zip",
            "Architectures": ["x86_64"],
            "State": "Active",
            "LastUpdateStatus": "Successful",
        }
        with self._store.write():
            if self._row(name) is not None:
                raise AwsError("ResourceConflictException", f"Function already exist: {name}", 409)
            return self._save(config, code)

    def update_function_code(self, request: dict[str, Any]) -> dict[str, Any]:
        code = self._code.add(_zip_file(request))
        with self._store.write():
            config, _ = self._find(request["FunctionName"])
            return self._save(config, code)

    def update_function_configuration(self, request: dict[str, Any]) -> dict[str, Any]:
        with self._store.write():
            config, code = self._find(request["FunctionName"])
            config |= {key: request[key] for key in _CONFIGURABLE if key in request}
            if "Environment" in request:
                config["Environment"] = {"Variables": _variables(request)}
            return self._save(config, code)

    def get_function(self, request: dict[str, Any]) -> dict[str, Any]:
        config, _ = self._find(request["FunctionName"])
        return {"Configuration": config, "Code": {"RepositoryType": "S3"}}

    def get_function_configuration(self, request: dict[str, Any]) -> dict[str, Any]:
        return self._find(request["FunctionName"])[0]

    def list_functions(self, request: dict[str, Any]) -> dict[str, Any]:
        limit = min(int(request.get("MaxItems") or 50), 50)
        query = "SELECT config FROM lambda_functions WHERE name > ? ORDER BY name LIMIT ?"
        page = (request.get("Marker") or "", limit + 1)
        rows = self._store.read().execute(query, page).fetchall()
        found = [json.loads(row[0]) for row in rows[:limit]]
        more = {"NextMarker": found[-1]["FunctionName"]} if len(rows) > limit else {}
        return {"Functions": found, **more}

    def delete_function(self, request: dict[str, Any]) -> dict[str, Any]:
        with self._store.write() as db:
            config, _ = self._find(request["FunctionName"])
            db.execute("DELETE FROM lambda_functions WHERE name = ?", (config["FunctionName"],))
        return {}

    def invoke(self, request: dict[str, Any]) -> dict[str, Any]:
        config, code = self._find(request["FunctionName"])
        kind = request.get("InvocationType") or "RequestResponse"
        payload = request.get("Payload") or b"{}"
        event = _event(payload, _MAX_EVENT_BYTES if kind == "Event" else _MAX_PAYLOAD_BYTES)
        context = _client_context(request.get("ClientContext"))
        if kind == "DryRun":
            return {"StatusCode": 204}
        if kind == "Event":
            sent = json.dumps(context) if context else None
            self._events.enqueue(config["FunctionName"], payload, sent)
            return {"StatusCode": 202}
        answer = self._run(config, code, event, context, str(uuid.uuid4()))
        failed = {"FunctionError": "Unhandled"} if answer.failed else {}
        done = {"StatusCode": 200, "ExecutedVersion": "$LATEST", "Payload": answer.payload}
        return done | failed

    def _deliver(self, queued: Queued) -> bool:
        if self._row(queued.function) is None:
            return True
        config, code = self._find(queued.function)
        context = json.loads(queued.client_context) if queued.client_context else None
        event = orjson.loads(queued.payload)
        return not self._run(config, code, event, context, queued.id).failed

    def _run(
        self, config: dict[str, Any], code: Code, event: Any, context: Any, request_id: str
    ) -> Answer:
        request = {"event": event, "client_context": context, "request_id": request_id}
        return self._pool.run(self._program(config, code), request)

    def _program(self, config: dict[str, Any], code: Code) -> Program:
        variables = config["Environment"]["Variables"] | self._environment()
        return Program(
            name=config["FunctionName"],
            arn=config["FunctionArn"],
            handler=config["Handler"],
            import_path=self._code.import_path(code),
            scratch=self._code.scratch,
            environment=tuple(sorted(variables.items())),
            timeout_seconds=config["Timeout"],
            memory_mb=config["MemorySize"],
        )

    def _row(self, name: str) -> tuple[Any, ...] | None:
        query = "SELECT config, sha256, packages, size_bytes FROM lambda_functions WHERE name = ?"
        return self._store.read().execute(query, (_function_name(name),)).fetchone()

    def _find(self, name: str) -> tuple[dict[str, Any], Code]:
        row = self._row(name)
        if row is None:
            message = f"Function not found: {_arn(_function_name(name))}"
            raise AwsError("ResourceNotFoundException", message, 404, Type="User")
        return json.loads(row[0]), Code(*row[1:])

    def _save(self, config: dict[str, Any], code: Code) -> dict[str, Any]:
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.000+0000")
        config |= {
            "CodeSha256": base64.b64encode(bytes.fromhex(code.sha256)).decode(),
            "CodeSize": code.size_bytes,
            "LastModified": now,
            "RevisionId": str(uuid.uuid4()),
        }
        with self._store.write() as db:
            row = (config["FunctionName"], json.dumps(config), *astuple(code))
            db.execute("INSERT OR REPLACE INTO lambda_functions VALUES (?, ?, ?, ?, ?)", row)
        return config


def code_sha256(content: bytes) -> str:
    """CodeSha256 as Lambda states it, to tell whether an update is needed."""
    return base64.b64encode(hashlib.sha256(content).digest()).decode()


def _function_name(name: str) -> str:
    """From a name, an ARN or a partial ARN (account:function:name), without qualifier."""
    parts = name.split(":")
    return parts[parts.index("function") + 1] if "function" in parts[:-1] else parts[0]


def _arn(name: str) -> str:
    return arn_of("lambda", f"function:{name}")


def _variables(request: dict[str, Any]) -> dict[str, str]:
    return dict((request.get("Environment") or {}).get("Variables") or {})


def _zip_file(code: dict[str, Any]) -> bytes:
    if not code.get("ZipFile"):
        message = "Only ZipFile is part of the embedded AWS; code from S3 or an image is not."
        raise AwsError("InvalidParameterValueException", message)
    return code["ZipFile"]


def _event(payload: bytes, limit: int) -> Any:
    if len(payload) > limit:
        message = f"Request must be smaller than {limit} bytes for the InvokeFunction operation"
        raise AwsError("RequestTooLargeException", message, 413, Type="User")
    try:
        return orjson.loads(payload)
    except orjson.JSONDecodeError as error:
        message = f"Could not parse request body into json: {error}"
        raise AwsError("InvalidRequestContentException", message, Type="User") from error


def _client_context(encoded: str | None) -> Any:
    if not encoded:
        return None
    try:
        return json.loads(base64.b64decode(encoded, validate=True))
    except (binascii.Error, ValueError) as error:
        message = "Client context must be a valid Base64-encoded JSON object."
        raise AwsError("InvalidRequestContentException", message, Type="User") from error
