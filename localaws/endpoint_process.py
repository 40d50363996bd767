"""The model server of one endpoint: a child process with a model loaded, one request at a time.

Its own environment; confined, where the kernel can, to reading its model and code, without TCP.
"""

import base64
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from localaws.child_process import ChildProcess, WriteEvents
from localaws.confinement import confined

_CHILD = Path(__file__).with_name("endpoint_child.py")
_LOAD_SECONDS = 60.0
_ANSWER_SECONDS = 60.0


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

    def __init__(self, folder: ModelFolder, write_events: WriteEvents):
        self._folder = folder
        environ = {"PATH": os.environ.get("PATH", os.defpath), "LANG": "C.UTF-8"}
        self._process = ChildProcess(
            self._command,
            folder.model,
            environ | dict(folder.environment),
            folder.memory_mb,
            write_events,
        )
        try:
            self._ask(b"", _LOAD_SECONDS)
        except ModelError:
            self.close()
            raise

    def is_alive(self) -> bool:
        return self._process.is_alive()

    def invoke(self, body: bytes, content_type: str, accept: str) -> Inference:
        """Raises ModelError; after a time-out the process is gone."""
        sent = {"body": base64.b64encode(body).decode()}
        line = orjson.dumps({**sent, "content_type": content_type, "accept": accept})
        answer = self._ask(line + b"\n", _ANSWER_SECONDS)
        return Inference(base64.b64decode(answer["body"]), answer["content_type"])

    def close(self) -> None:
        self._process.close()

    def _command(self, requests: int, results: int) -> list[str]:
        folder = self._folder
        interpreter = [sys.executable, "-I", str(_CHILD)]
        arguments = [str(requests), str(results), str(folder.model), str(folder.code)]
        return confined(
            [*interpreter, *arguments, folder.program],
            write=[],
            read=[folder.model, folder.code, _CHILD],
            network=False,
        )

    def _ask(self, line: bytes, seconds: float) -> dict[str, Any]:
        try:
            answer = orjson.loads(self._process.ask(line, seconds))
        except (TimeoutError, EOFError) as error:
            self._process.end()  # so that `is_alive` tells at once that another is needed
            late = isinstance(error, TimeoutError)
            why = f"gave no answer within {seconds:g} seconds" if late else "ended"
            raise ModelError(f"The model's process {why}.") from error
        if "failed" in answer:
            raise ModelError(answer["failed"])
        return answer
