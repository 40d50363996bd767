"""Runs inside an endpoint's process: loads a model once, then answers one JSON line per request.

argv: request descriptor, result descriptor, model folder, code folder, program. The program follows
the contract of SageMaker's inference containers: model_fn, input_fn, predict_fn, output_fn.
"""

import base64
import importlib
import json
import os
import sys
import traceback
from pathlib import Path
from typing import Any, BinaryIO

_FUNCTIONS = ("model_fn", "input_fn", "predict_fn", "output_fn")
_REASON_CHARACTERS = 1000


def main(argv: list[str]) -> int:
    requests = os.fdopen(int(argv[1]), "rb")
    results = os.fdopen(int(argv[2]), "wb")
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    sys.path.insert(0, argv[4])
    try:
        program = _load(argv[5])
        model = program.model_fn(argv[3])
    except BaseException as error:
        traceback.print_exc()
        _send(results, {"failed": _reason(error)})
        return 1
    _send(results, {"ready": True})
    for line in requests:
        _send(results, _answer(program, model, json.loads(line)))
    return 0


def _load(file: str) -> Any:
    program = importlib.import_module(Path(file).stem)
    missing = [name for name in _FUNCTIONS if not hasattr(program, name)]
    if missing:
        raise ImportError(f"{file} does not define {', '.join(missing)}")
    return program


def _answer(program: Any, model: Any, request: dict[str, Any]) -> dict[str, Any]:
    try:
        body = base64.b64decode(request["body"])
        data = program.input_fn(body, request["content_type"])
        answer = program.output_fn(program.predict_fn(data, model), request["accept"])
    except Exception as error:
        traceback.print_exc()
        return {"failed": _reason(error)}
    content, kind = answer if isinstance(answer, tuple) else (answer, request["accept"])
    content = content.encode() if isinstance(content, str) else content
    return {"body": base64.b64encode(content).decode(), "content_type": kind}


def _reason(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"[:_REASON_CHARACTERS]


def _send(results: BinaryIO, message: dict[str, Any]) -> None:
    results.write(json.dumps(message).encode() + b"\n")
    results.flush()


if __name__ == "__main__":
    raise SystemExit(main(sys.argv))
