"""The wire: signed AWS requests in, operations of services called, typed AWS answers out.

`create_app` routes by the SigV4 credential scope. Operations run in a thread pool that is large
enough for Lambda functions that call back in.
"""

import gzip
import logging
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Protocol

import orjson
from anyio.to_thread import current_default_thread_limiter, run_sync
from moto.core.model import OperationModel
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from localaws.errors import ACCOUNT_ID, REGION, AwsError, not_implemented
from localaws.protocols import WireRequest, parse, render, render_error, require_members
from localaws.router import Router, Target, credential_scope

__all__ = ["ACCOUNT_ID", "REGION", "AwsError", "Service", "create_app"]

_LOG = logging.getLogger(__name__)
_THREADS = 200
_METHODS = ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH"]
_HOSTS = ("127.0.0.1", "localhost")


class Service(Protocol):
    """Operations are methods: snake_case of the botocore name, parsed parameters in, output out.

    A service with `raw_json = True` (json protocol only) gets and returns the JSON body untouched.
    """

    service_name: str


S3Handler = Callable[[Request], Awaitable[Response]]


def create_app(
    services: Sequence[Service], s3: S3Handler, on_shutdown: Callable[[], None] | None = None
) -> Starlette:
    """The ASGI application of the embedded AWS."""
    router = Router(services)

    async def health(_: Request) -> Response:
        return JSONResponse({"status": "ok", "services": sorted([*router.names, "s3"])})

    async def aws(request: Request) -> Response:
        try:
            return await _answer(request, router, s3)
        except ClientDisconnect:
            return Response(status_code=499)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        current_default_thread_limiter().total_tokens = _THREADS
        yield
        if on_shutdown is not None:
            await run_sync(on_shutdown)

    routes = [
        Route("/_local/health", health, methods=["GET"]),
        Route("/{path:path}", aws, methods=_METHODS),
    ]
    return Starlette(routes=routes, lifespan=lifespan)


async def _answer(request: Request, router: Router, s3: S3Handler) -> Response:
    if not _is_local(request.url.hostname):
        return render_error("json", AwsError("AccessDeniedException", "Unknown host", 403), None)
    scope = credential_scope(request.headers, request.url.query)
    if scope is not None and scope.service == "s3":
        return await s3(request)
    wire = WireRequest(
        request.method,
        request.scope["raw_path"].decode("ascii"),
        request.url.query,
        request.headers,
        _unpacked(await request.body(), request.headers.get("content-encoding")),
    )
    try:
        target = router.find(wire, scope)
    except AwsError as error:
        return _identified(render_error(router.protocol(wire), error, None))
    return _identified(await run_sync(_call, target, wire))


def _call(target: Target, request: WireRequest) -> Response:
    """Runs one operation in this thread; whatever happens, the answer is typed."""
    operation: OperationModel | None = target.operation
    try:
        if target.method is None:
            raise not_implemented(target.service_name, target.operation_name)
        assert operation is not None
        if target.raw_json:
            raw = orjson.loads(request.body or b"{}")
            require_members(operation, raw)
            output = orjson.dumps(target.method(raw))
            return Response(output, media_type="application/x-amz-json-1.0")
        parameters = parse(operation, target.protocol, request, target.uri)
        require_members(operation, parameters)
        return render(operation, target.protocol, target.method(parameters) or {})
    except AwsError as error:
        return render_error(target.protocol, error, operation)
    except orjson.JSONDecodeError as error:
        broken = AwsError("SerializationException", f"not JSON: {error}")
        return render_error(target.protocol, broken, operation)
    except Exception as error:
        _LOG.exception("%s.%s failed", target.service_name, target.operation_name)
        fault = AwsError("InternalFailure", f"{type(error).__name__}: {error}", 500)
        return render_error(target.protocol, fault, operation)


def _identified(response: Response) -> Response:
    response.headers["x-amzn-requestid"] = str(uuid.uuid4())
    return response


def _unpacked(body: bytes, encoding: str | None) -> bytes:
    """boto3 compresses large PutMetricData bodies."""
    return gzip.decompress(body) if encoding == "gzip" else body


def _is_local(host: str | None) -> bool:
    """A page of another origin that rebinds its name to this port gets nothing."""
    return host is not None and (host in _HOSTS or host.endswith(tuple(f".{h}" for h in _HOSTS)))
