"""One Lambda child process: a handler loaded once, answering one invocation at a time.

Isolation is by process, environment, import path (the zip and boto3, nothing else) and Landlock: a
function reads its code and writes its TMPDIR only (AWS gives it /tmp). A MemoryError that the handler
lets through kills the process, as AWS does.
"""

import os
import shutil
import signal
import sys
import tempfile
import time
import uuid
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import orjson

from localaws.child_process import ChildProcess
from localaws.confinement import confined
from localaws.logs import WriteLog

_INIT_SECONDS = 30.0
_EXIT_SECONDS = 1.0
_BOOTSTRAP = Path(__file__).with_name("lambda_child.py")


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
        self._group = f"/aws/lambda/{program.name}"
        self._stream = f"{time.strftime('%Y/%m/%d', time.gmtime())}/[$LATEST]{uuid.uuid4().hex}"
        self._temporary = Path(tempfile.mkdtemp(dir=program.scratch))
        self._process = ChildProcess(
            self._command,
            program.import_path[0],
            self._environment(),
            program.memory_mb,
            partial(write_log, self._group, self._stream),
        )

    def is_alive(self) -> bool:
        return self._process.is_alive()

    def wait_ready(self) -> None:
        message = self._ask(b"", _INIT_SECONDS, "")
        if "failed" in message:
            failed = message["failed"]
            raise ChildError(failed["errorType"], failed["errorMessage"])

    def invoke(self, request: dict[str, Any]) -> Answer:
        limit = self.program.timeout_seconds
        line = orjson.dumps({**request, "arn": self.program.arn, "timeout_seconds": limit})
        message = self._ask(line + b"\n", limit, request["request_id"])
        if "failed" in message:
            return Answer(orjson.dumps(message["failed"]), failed=True)
        return Answer(message["result"].encode())

    def kill(self) -> None:
        self._process.close()
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

    def _ask(self, line: bytes, seconds: float, request_id: str) -> dict[str, Any]:
        try:
            return orjson.loads(self._process.ask(line, seconds))
        except TimeoutError as error:
            text = f"RequestId: {request_id} Error: Task timed out after {seconds:.2f} seconds"
            self._process.log([text])
            raise ChildError("Sandbox.Timedout", text) from error
        except EOFError as error:
            raise self._exited(request_id) from error

    def _exited(self, request_id: str) -> ChildError:
        """In AWS's words; its pipe is closed, so it has ended or is about to."""
        code = self._process.exit_code(_EXIT_SECONDS) or 0
        how = {0: "without providing a reason", -signal.SIGKILL: "with error: signal: killed"}
        reason = how.get(code) or f"with error: exit status {code}"
        text = f"RequestId: {request_id} Error: Runtime exited {reason}"
        self._process.log([text])
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
