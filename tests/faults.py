"""Faults on the wire between boto3 and AWS: one API call of many meets a throttle, a failure, silence or a cut.

Everything above `URLLib3Session.send` is the real boto3, its retries included.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse
from botocore.exceptions import ConnectionClosedError
from botocore.httpsession import URLLib3Session
from urllib3.exceptions import ProtocolError

Send = Callable[[URLLib3Session, Any], Any]

_INVOCATION = "amz-sdk-invocation-id"


class Fault(StrEnum):
    """What one call meets, in all its attempts."""

    THROTTLE = "throttle"
    SERVER_ERROR = "server error"
    LOST_REQUEST = "no answer, nothing done"
    LOST_ANSWER = "no answer, but done"
    CUT = "cut in mid-answer"


class Wire:
    """Numbers the API calls of this process; the armed one, counted by operation, meets its fault."""

    def __init__(self, send: Send):
        self._send = send
        self._lock = threading.Lock()
        self._seen: dict[str, int] = {}
        self._numbers: dict[bytes | str, tuple[str, int]] = {}
        self._armed: tuple[str, int, Fault] | None = None
        self._unseen = threading.local()
        self.met = False

    @contextmanager
    def unseen(self) -> Iterator[None]:
        """What this thread calls inside is neither counted nor hindered."""
        before, self._unseen.on = getattr(self._unseen, "on", False), True
        try:
            yield
        finally:
            self._unseen.on = before

    def arm(self, operation: str, number: int, fault: Fault) -> None:
        """The number-th call (from 1) of an operation from now on."""
        self.disarm()
        self._armed = (operation, number, fault)

    def disarm(self) -> dict[str, int]:
        """How often each operation was called since the wire was armed or disarmed last."""
        with self._lock:
            seen, self._seen, self._numbers = self._seen, {}, {}
            self._armed, self.met = None, False
        return seen

    def send(self, session: URLLib3Session, request: Any) -> Any:
        fault = self._fault_of(request)
        if fault is None:
            return self._send(session, request)
        self.met = True
        if fault in (Fault.THROTTLE, Fault.SERVER_ERROR):
            return _refusal(request, fault)
        if fault is Fault.LOST_REQUEST:
            raise ConnectionClosedError(endpoint_url=request.url)
        answer = self._send(session, request)
        if fault is Fault.LOST_ANSWER:
            _ = answer.content
            raise ConnectionClosedError(endpoint_url=request.url)
        return _cut(answer, request)

    def _fault_of(self, request: Any) -> Fault | None:
        """A call keeps its number through all its attempts."""
        if getattr(self._unseen, "on", False):
            return None
        operation = operation_of(request)
        mark = request.headers.get(_INVOCATION, b"")
        with self._lock:
            if mark not in self._numbers:
                self._seen[operation] = self._seen.get(operation, 0) + 1
                self._numbers[mark] = (operation, self._seen[operation])
            call = self._numbers[mark]
        return self._armed[2] if self._armed and self._armed[:2] == call else None


@contextmanager
def on_the_wire() -> Iterator[Wire]:
    """All boto3 clients of this process, whoever makes them; retries do not wait."""
    wire = Wire(URLLib3Session.send)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(URLLib3Session, "send", lambda s, request: wire.send(s, request))
        patch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", lambda *_: 0)
        yield wire


def operation_of(request: Any) -> str:
    """dynamodb.PutItem, lambda.Invoke plan-training, s3.PUT, bedrock.converse-stream …"""
    target = _text(request.headers.get("X-Amz-Target", ""))
    if target:
        service, _, operation = target.partition(".")
        return f"{service.partition('_')[0].lower()}.{operation}"
    path = request.url.partition("://")[2].partition("/")[2].partition("?")[0]
    if path.endswith("/invocations"):
        return f"lambda.{path.split('/')[2].removeprefix('llmops-tool-')}"
    if path.startswith("model/"):
        return f"bedrock.{path.rpartition('/')[2]}"
    service = _text(request.headers.get("Authorization", "")).split("/")[3:4] or ["unsigned"]
    return f"{service[0]}.{request.method}"


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _refusal(request: Any, fault: Fault) -> AWSResponse:
    """As the service would say it."""
    operation = operation_of(request)
    service = operation.partition(".")[0]
    if fault is Fault.SERVER_ERROR:
        status, code = 500, "InternalServerError"
    else:
        code, status = _THROTTLES.get(service, ("ThrottlingException", 400))
    if service == "s3":
        body = f"<Error><Code>{code}</Code><Message>injected</Message></Error>".encode()
    else:
        body = f'{{"__type": "{code}", "message": "injected"}}'.encode()
    return AWSResponse(request.url, status, {"x-amzn-ErrorType": code}, _Body(body))


_THROTTLES = {
    "dynamodb": ("ProvisionedThroughputExceededException", 400),
    "lambda": ("TooManyRequestsException", 429),
    "bedrock": ("ThrottlingException", 429),
    "s3": ("SlowDown", 503),
}


def _cut(answer: Any, request: Any) -> Any:
    """The first half of the answer, then the connection is gone."""
    body = b"".join(answer.raw.stream()) if request.stream_output else answer.content
    half = _Body(body[: len(body) // 2], ProtocolError("injected cut"))
    if not request.stream_output:
        raise ConnectionClosedError(endpoint_url=request.url)
    return AWSResponse(answer.url, answer.status_code, answer.headers, half)


class _Body:
    """As much of urllib3's response as botocore reads."""

    def __init__(self, content: bytes, ending: Exception | None = None):
        self._content = content
        self._ending = ending

    def stream(self, *_: Any, **__: Any) -> Iterator[bytes]:
        content, self._content = self._content, b""
        if content:
            yield content
        if self._ending:
            raise self._ending

    def read(self, *_: Any, **__: Any) -> bytes:
        return b"".join(self.stream())

    def close(self) -> None:
        pass

    def release_conn(self) -> None:
        pass
