"""One Lambda service behind a server, and what its functions printed."""

import io
import json
import zipfile
from collections import defaultdict
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from starlette.requests import Request
from starlette.responses import Response

from localaws.functions import Functions
from localaws.home import aws_environment, internal_environment
from localaws.server import Server
from localaws.store import Store
from localaws.wire import create_app

ROLE = "arn:aws:iam::000000000000:role/lambda"


class Stack:
    """One store, one Lambda service behind a server, and what the functions printed."""

    def __init__(self, home: Path):
        self.store = Store(home)
        self.logs: dict[tuple[str, str], list[str]] = defaultdict(list)
        self.functions = Functions(
            self.store,
            self._write_log,
            lambda: internal_environment(self.server.endpoint),
            retry_seconds=(0.0, 0.0),
        )
        self.server = Server(create_app([self.functions], _no_s3))
        self.server.start()
        environ = aws_environment(self.server.endpoint)
        self.client = boto3.client(
            "lambda",
            endpoint_url=self.server.endpoint,
            region_name=environ["AWS_DEFAULT_REGION"],
            aws_access_key_id=environ["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=environ["AWS_SECRET_ACCESS_KEY"],
            config=Config(retries={"total_max_attempts": 1}),
        )

    def create(self, name: str, source: str, timeout: int = 60, **more: Any) -> None:
        self.client.create_function(
            FunctionName=name,
            Runtime="python3.11",
            Role=ROLE,
            Handler=f"{name}.lambda_handler",
            Code={"ZipFile": packed(**{f"{name}.py": source})},
            Timeout=timeout,
            **more,
        )

    def call(self, name: str, event: Any = None, **more: Any) -> tuple[Any, str | None]:
        answer = self.client.invoke(FunctionName=name, Payload=json.dumps(event), **more)
        return json.loads(answer["Payload"].read() or b"null"), answer.get("FunctionError")

    def printed(self, name: str) -> str:
        return "\n".join(
            line for (group, _), lines in self.logs.items() if name in group for line in lines
        )

    def close(self) -> None:
        self.functions.close()
        self.server.stop()
        self.store.close()

    def _write_log(self, group: str, stream: str, events: list[tuple[int, str]]) -> None:
        self.logs[group, stream] += [line for _, line in events]


async def _no_s3(_: Request) -> Response:
    return Response(status_code=501)


def packed(**files: str) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return content.getvalue()
