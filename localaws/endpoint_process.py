"""The model server of one endpoint: a child process with a model loaded, one request at a time.

Its own environment; memory limited by RLIMIT_DATA where the system has prlimit; confined, where the
kernel can, to reading its model and code, without TCP.
"""

import base64
import os
import resource
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from localaws.confinement import confined

_CHILD = Path(__file__).with_name("endpoint_child.py")
_LOAD_SECONDS = 60.0
_ANSWER_SECONDS = 60.0
_READ_BYTES = 1 << 16
_ENDED = "The model's process ended."

WriteLine = Callable[[str], None]


@dataclass(frozen=True)
class ModelFolder:
    """An unpacked model, the code that serves it, and the container's own settings."""

    model: Path
    code: Path
    program: str
    environment: Mapping[str, str]
    memory_mb: int


@dataclass(frozen=True)
class Inference:
    body: bytes
    content_type: str


class ModelError(Exception):
    """The model's own code failed, or its process did."""


class ModelServer:
    """Started at once; `invoke` waits for its turn."""

    def __init__(self, folder: ModelFolder, write_line: WriteLine):
        self._write_line = write_line
        self._turn = threading.Lock()
        their_requests, self._requests = os.pipe()
        self._results, their_results = os.pipe()
        command = [sys.executable, "-I", str(_CHILD), str(their_requests), str(their_results)]
        command += [str(folder.model), str(folder.code), folder.program]
        readable = [folder.model, folder.code, _CHILD]
        self._process = subprocess.Popen(
            confined(command, write=[], read=readable, network=False),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=folder.model,
            env={"PATH": os.environ.get("PATH", os.defpath), "LANG": "C.UTF-8"}
            | dict(folder.environment),
            pass_fds=(their_requests, their_results),
            start_new_session=True,
        )
        os.close(their_requests)
        os.close(their_results)
        _limit_memory(self._process.pid, folder.memory_mb)
        threading.Thread(target=self._copy_output, daemon=True).start()
        try:
            self._receive(_LOAD_SECONDS)
        except ModelError:
            self.close()
            raise

    def is_alive(self) -> bool:
        return self._process.poll() is None

    def invoke(self, body: bytes, content_type: str, accept: str) -> Inference:
        """Raises ModelError; after a time-out the process is gone."""
        sent = {"body": base64.b64encode(body).decode()}
        line = orjson.dumps({**sent, "content_type": content_type, "accept": accept})
        with self._turn:
            self._send(line + b"\n")
            answer = self._receive(_ANSWER_SECONDS)
        return Inference(base64.b64decode(answer["body"]), answer["content_type"])

    def close(self) -> None:
        self._end()
        with self._turn:
            if self._requests >= 0:
                os.close(self._requests)
                os.close(self._results)
                self._requests = self._results = -1

    def _receive(self, seconds: float) -> dict[str, Any]:
        deadline, parts = time.monotonic() + seconds, [b""]
        poll = select.poll()
        poll.register(self._results, select.POLLIN)
        while not parts[-1].endswith(b"\n"):
            if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
                self._end()
                raise ModelError(f"The model gave no answer within {seconds:g} seconds.")
            part = os.read(self._results, _READ_BYTES)
            if not part:
                self._end()
                raise ModelError(_ENDED)
            parts.append(part)
        answer = orjson.loads(b"".join(parts))
        if "failed" in answer:
            raise ModelError(answer["failed"])
        return answer

    def _send(self, content: bytes) -> None:
        view = memoryview(content)
        try:
            while view:
                view = view[os.write(self._requests, view) :]
        except OSError as error:
            self._end()
            raise ModelError(_ENDED) from error

    def _end(self) -> None:
        """So that `is_alive` tells at once that another is needed."""
        if self.is_alive():
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def _copy_output(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as pipe:
            for line in pipe:
                self._write_line(line.decode(errors="replace").rstrip("\n"))


def _limit_memory(pid: int, memory_mb: int) -> None:
    if not hasattr(resource, "prlimit"):
        return
    limit = memory_mb * 1024 * 1024
    try:
        resource.prlimit(pid, resource.RLIMIT_DATA, (limit, limit))
    except ProcessLookupError:
        return
