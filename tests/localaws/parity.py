"""The whole embedded AWS, checked: a call counts only when what came back fits the operation's own model."""

from pathlib import Path
from typing import Any

from botocore import xform_name

from localaws import composition
from localaws.composition import Stack, compose
from localaws.router import Router
from localaws.s3 import S3
from tests.localaws.conftest import Checked, model, new_client, problems


class Parity:
    """A composed server whose outputs are checked, and what was called of it."""

    operations: dict[str, list[str]]

    def __init__(self, home: Path, monkeypatch: Any):
        build = composition.create_app

        def create_app(services: list[Any], s3: Any, *more: Any) -> Any:
            self.operations = Router(services).operations() | {"s3": S3.operations()}
            return build([Checked(service) for service in services], s3, *more)

        monkeypatch.setattr(composition, "create_app", create_app)
        self.stack: Stack = compose(home, "token")
        self.stack.server.start()
        self.stack.scheduler.start()
        self.called: dict[str, set[str]] = {}
        self._clients: dict[str, Any] = {}

    def close(self) -> None:
        for client in self._clients.values():
            client.close()
        self.stack.close()

    def client(self, service: str) -> Any:
        if service not in self._clients:
            self._clients[service] = new_client(self.stack.server.endpoint, service)
        return self._clients[service]

    def service(self, name: str) -> "Calls":
        return Calls(self, name)


class Calls:
    """One service: `calls(operation, **parameters)`; boto3 checks the request on its way."""

    def __init__(self, parity: Parity, service: str):
        self._parity = parity
        self._service = service

    def __call__(self, operation: str, **parameters: Any) -> dict[str, Any]:
        client = self._parity.client(self._service)
        answer = getattr(client, xform_name(operation))(**parameters)
        shape: Any = model(self._service).operation_model(operation).output_shape
        plain = {k: v for k, v in answer.items() if k != "ResponseMetadata" and v is not None}
        assert not problems(plain, shape)
        self._parity.called.setdefault(self._service, set()).add(operation)
        return answer
