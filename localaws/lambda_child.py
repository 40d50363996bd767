"""Runs inside a Lambda child process: imports one handler, then answers one JSON line per request.

argv: request descriptor, result descriptor, handler, then the folders of the import path.
Stands alone: only the standard library, the function's own zip and the runtime's boto3.
"""

import importlib
import json
import logging
import os
import resource
import signal
import sys
import time
import traceback
from collections.abc import Callable
from typing import Any, BinaryIO

Handler = Callable[[Any, Any], Any]
MAX_RESULT_BYTES = 6 * 1024 * 1024 + 100


class ClientContext:
    """What the caller sent in X-Amz-Client-Context."""

    def __init__(self, sent: dict[str, Any]):
        self.custom = sent.get("custom")
        self.env = sent.get("env")
        self.client = sent.get("client")


class Context:
    """The second argument of a handler."""

    def __init__(self, request: dict[str, Any]):
        environ = os.environ
        self.aws_request_id: str = request["request_id"]
        self.function_name = environ["AWS_LAMBDA_FUNCTION_NAME"]
        self.function_version = environ["AWS_LAMBDA_FUNCTION_VERSION"]
        self.invoked_function_arn: str = request["arn"]
        self.memory_limit_in_mb = environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]
        self.log_group_name = environ["AWS_LAMBDA_LOG_GROUP_NAME"]
        self.log_stream_name = environ["AWS_LAMBDA_LOG_STREAM_NAME"]
        sent = request["client_context"]
        self.client_context = ClientContext(sent) if sent else None
        self.identity = None
        self._ends = time.monotonic() + request["timeout_seconds"]

    def get_remaining_time_in_millis(self) -> int:
        return max(0, int((self._ends - time.monotonic()) * 1000))


def main(argv: list[str]) -> int:
    requests = os.fdopen(int(argv[1]), "rb")
    results = os.fdopen(int(argv[2]), "wb")
    sys.path[:0] = argv[4:]
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    logging.basicConfig(stream=sys.stdout, format="[%(levelname)s]\t%(asctime)s\t%(message)s")
    try:
        handler = _load(argv[3])
    except BaseException as error:
        _send(results, {"failed": _describe(_not_loaded(error, argv[3]))})
        return 1
    _send(results, {"ready": True})
    for line in requests:
        _send(results, _answer(handler, json.loads(line)))
    return 0


def _load(name: str) -> Handler:
    module, _, function = name.rpartition(".")
    return getattr(importlib.import_module(module.replace("/", ".")), function)


def _not_loaded(error: BaseException, handler: str) -> BaseException:
    """In AWS's words where it has some."""
    module, _, function = handler.rpartition(".")
    if isinstance(error, SyntaxError):
        return UserCodeSyntaxError(f"Syntax error in module '{module}': {error}")
    if isinstance(error, ImportError):
        return ImportModuleError(f"Unable to import module '{module}': {error}")
    if isinstance(error, AttributeError) and getattr(error, "name", None) == function:
        return HandlerNotFound(f"Handler '{function}' missing on module '{module}'")
    return error


def _answer(handler: Handler, request: dict[str, Any]) -> dict[str, Any]:
    request_id = request["request_id"]
    _log(f"START RequestId: {request_id} Version: $LATEST")
    started = time.perf_counter()
    try:
        answer = {"result": _marshal(handler(request["event"], Context(request)))}
    except MemoryError:
        _log(f"RequestId: {request_id} Error: out of memory")
        os.kill(os.getpid(), signal.SIGKILL)  # as AWS does
        raise
    except Exception as error:
        answer = {"failed": _describe(error) | {"requestId": request_id}}
        _log(f"[ERROR] {''.join(traceback.format_exception(error)).rstrip()}")
    _print_end(request_id, (time.perf_counter() - started) * 1000)
    return answer


def _marshal(result: Any) -> str:
    try:
        text = json.dumps(result)
    except (TypeError, ValueError) as error:
        raise MarshalError(f"Unable to marshal response: {error}") from error
    if len(text) > MAX_RESULT_BYTES:
        message = "Response payload size exceeded maximum allowed payload size"
        raise ResponseSizeTooLarge(f"{message} ({MAX_RESULT_BYTES} bytes).")
    return text


class MarshalError(Exception):
    """The handler returned something that JSON cannot say."""


class ResponseSizeTooLarge(Exception):
    """The handler returned more than an answer holds."""


class ImportModuleError(Exception):
    """The handler's module, or one that it needs, is not there."""


class HandlerNotFound(Exception):
    """The module has no such function."""


class UserCodeSyntaxError(Exception):
    """The module is not Python."""


_NAMED: dict[type[BaseException], str] = {
    MarshalError: "Runtime.MarshalError",
    ResponseSizeTooLarge: "Function.ResponseSizeTooLarge",
    ImportModuleError: "Runtime.ImportModuleError",
    HandlerNotFound: "Runtime.HandlerNotFound",
    UserCodeSyntaxError: "Runtime.UserCodeSyntaxError",
}


def _describe(error: BaseException) -> dict[str, Any]:
    frames = traceback.extract_tb(error.__traceback__)[1:]
    return {
        "errorMessage": str(error),
        "errorType": _NAMED.get(type(error), type(error).__name__),
        "stackTrace": traceback.format_list(frames),
    }


def _print_end(request_id: str, milliseconds: float) -> None:
    used_mb = _peak_kib() // 1024
    _log(f"END RequestId: {request_id}")
    _log(
        f"REPORT RequestId: {request_id}\tDuration: {milliseconds:.2f} ms\t"
        f"Billed Duration: {int(milliseconds) + 1} ms\t"
        f"Memory Size: {os.environ['AWS_LAMBDA_FUNCTION_MEMORY_SIZE']} MB\t"
        f"Max Memory Used: {used_mb} MB"
    )


def _peak_kib() -> int:
    """Linux: of this program alone; getrusage also counts the parent's size before exec."""
    try:
        with open("/proc/self/status") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
    except (OSError, StopIteration):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _log(line: str) -> None:
    sys.stdout.write(f"{line}\n")


def _send(results: BinaryIO, message: dict[str, Any]) -> None:
    results.write(json.dumps(message).encode() + b"\n")
    results.flush()


if __name__ == "__main__":
    raise SystemExit(main(sys.argv))
