"""One Lambda child process: a handler loaded once, answering one invocation at a time.

Isolation is by process, environment, import path (the zip and boto3, nothing else) and Landlock: a
function reads its code and writes its TMPDIR only (AWS gives it /tmp). Memory is limited by
RLIMIT_DATA where the system has prlimit (Linux); a MemoryError that the handler lets through kills
the process, as AWS does.
"""

import logging
import os
import resource
import select
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from localaws.confinement import confined
from localaws.errors import AwsError

_INIT_SECONDS = 30.0
_EXIT_SECONDS = 1.0
_BOOTSTRAP = Path(__file__).with_name("lambda_child.py")
_LOG = logging.getLogger(__name__)

WriteLog = Callable[[str, str, list[tuple[int, str]]], None]
"""(group, stream, [(epoch milliseconds, line)])"""


@dataclass(frozen=True)
class Program:
    """Everything that a child is started from; a change of any part makes new children."""

    name: str
    arn: str
    handler: str
    import_path: tuple[Path, ...]
    scratch: Path
    environment: tuple[tuple[str, str], ...]
    timeout_seconds: int
    memory_mb: int


@dataclass(frozen=True)
class Answer:
    """The payload as JSON bytes; `failed` is AWS's FunctionError=Unhandled."""

    payload: bytes
    failed: bool = False


class ChildError(Exception):
    """The child gave no answer; `answer` is what AWS reports for it."""

    def __init__(self, error_type: str, message: str):
        super().__init__(message)
        body = {"errorType": error_type, "errorMessage": message}
        self.answer = Answer(orjson.dumps(body), failed=True)


class Child:
    """One process with one handler loaded; answers one invocation at a time."""

    def __init__(self, program: Program, write_log: WriteLog):
        self.program = program
        self._write_log = write_log
        self._group = f"/aws/lambda/{program.name}"
        self._stream = f"{time.strftime('%Y/%m/%d', time.gmtime())}/[$LATEST]{uuid.uuid4().hex}"
        their_requests, self._requests = os.pipe()
        self._results, their_results = os.pipe()
        self._temporary = Path(tempfile.mkdtemp(dir=program.scratch))
        self._process = subprocess.Popen(
            self._command(their_requests, their_results),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=program.import_path[0],
            env=self._environment(),
            pass_fds=(their_requests, their_results),
            start_new_session=True,
        )
        os.close(their_requests)
        os.close(their_results)
        self._poll = select.poll()
        self._poll.register(self._results, select.POLLIN)
        _limit_memory(self._process.pid, program.memory_mb)
        threading.Thread(target=self._copy_output, daemon=True).start()

    def is_alive(self) -> bool:
        return self._process.poll() is None

    def wait_ready(self) -> None:
        message = self._receive(time.monotonic() + _INIT_SECONDS, "", _INIT_SECONDS)
        if "failed" in message:
            failed = message["failed"]
            raise ChildError(failed["errorType"], failed["errorMessage"])

    def invoke(self, request: dict[str, Any]) -> Answer:
        limit = self.program.timeout_seconds
        line = orjson.dumps({**request, "arn": self.program.arn, "timeout_seconds": limit})
        deadline = time.monotonic() + limit
        try:
            _write_all(self._requests, line + b"\n")
        except BrokenPipeError as error:
            raise self._exited(request["request_id"]) from error
        message = self._receive(deadline, request["request_id"], limit)
        if "failed" in message:
            return Answer(orjson.dumps(message["failed"]), failed=True)
        return Answer(message["result"].encode())

    def kill(self) -> None:
        if self._requests < 0:
            return
        if self.is_alive():
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        os.close(self._requests)
        os.close(self._results)
        self._requests = self._results = -1
        shutil.rmtree(self._temporary, ignore_errors=True)

    def _command(self, requests: int, results: int) -> list[str]:
        program = self.program
        interpreter = [sys.executable, "-I", "-S", str(_BOOTSTRAP)]
        arguments = [str(requests), str(results), program.handler, *map(str, program.import_path)]
        return confined(
            [*interpreter, *arguments],
            write=[self._temporary],
            read=[_BOOTSTRAP, *program.import_path],
        )

    def _receive(self, deadline: float, request_id: str, limit: float) -> dict[str, Any]:
        parts: list[bytes] = []
        while not (parts and parts[-1].endswith(b"\n")):
            if not self._poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
                text = f"RequestId: {request_id} Error: Task timed out after {limit:.2f} seconds"
                self._log([text])
                raise ChildError("Sandbox.Timedout", text)
            part = os.read(self._results, 1 << 16)
            if not part:
                raise self._exited(request_id)
            parts.append(part)
        return orjson.loads(b"".join(parts))

    def _exited(self, request_id: str) -> ChildError:
        """In AWS's words; its pipe is closed, so it has ended or is about to."""
        try:
            code = self._process.wait(_EXIT_SECONDS)
        except subprocess.TimeoutExpired:
            code = 0
        how = {0: "without providing a reason", -signal.SIGKILL: "with error: signal: killed"}
        reason = how.get(code) or f"with error: exit status {code}"
        text = f"RequestId: {request_id} Error: Runtime exited {reason}"
        self._log([text])
        return ChildError("Runtime.ExitError", text)

    def _environment(self) -> dict[str, str]:
        program = self.program
        own = {
            "AWS_LAMBDA_FUNCTION_NAME": program.name,
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(program.memory_mb),
            "AWS_LAMBDA_LOG_GROUP_NAME": self._group,
            "AWS_LAMBDA_LOG_STREAM_NAME": self._stream,
            "LAMBDA_TASK_ROOT": str(program.import_path[0]),
            "_HANDLER": program.handler,
            "PATH": os.environ.get("PATH", os.defpath),
            "LANG": "C.UTF-8",
            "TZ": "UTC",
            "TMPDIR": str(self._temporary),
        }
        return own | dict(program.environment)

    def _copy_output(self) -> None:
        """Everything that the function prints becomes log lines, until it ends."""
        pipe = self._process.stdout
        assert pipe is not None
        with pipe:
            rest = b""
            while chunk := os.read(pipe.fileno(), 1 << 16):
                *lines, rest = (rest + chunk).split(b"\n")
                self._log([line.decode(errors="replace") for line in lines])
            self._log([rest.decode(errors="replace")] if rest else [])

    def _log(self, lines: list[str]) -> None:
        now = int(time.time() * 1000)
        try:
            self._write_log(self._group, self._stream, [(now, line) for line in lines if line])
        except (sqlite3.Error, AwsError):
            _LOG.warning("%s: %d log lines lost", self.program.name, len(lines))


def _limit_memory(pid: int, memory_mb: int) -> None:
    if not hasattr(resource, "prlimit"):
        return
    limit = memory_mb * 1024 * 1024
    try:
        resource.prlimit(pid, resource.RLIMIT_DATA, (limit, limit))
    except ProcessLookupError:
        return


def _write_all(descriptor: int, content: bytes) -> None:
    view = memoryview(content)
    while view:
        view = view[os.write(descriptor, view) :]
