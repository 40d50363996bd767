"""The wire: signed AWS requests in, operations of services called, typed AWS answers out.

`create_app` routes by the SigV4 credential scope. Operations run in a thread pool that is large
enough for Lambda functions that call back in.
"""

import logging
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Protocol

import orjson
from anyio.to_thread import current_default_thread_limiter, run_sync
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from localaws.errors import AwsError
from localaws.intake import is_local, read_body, unpacked
from localaws.protocols import WireRequest, parse, render, render_error, require_members
from localaws.router import Router, Target, credential_scope, unrouted_protocol

_LOG = logging.getLogger(__name__)
_THREADS = 200
_METHODS = ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH"]


class Service(Protocol):
    """Operations are methods: snake_case of the botocore name, parsed parameters in, output out.

    A service with `raw_json = True` (json protocol only) gets and returns the JSON body untouched.
    """

    service_name: str


S3Handler = Callable[[Request], Awaitable[Response]]


def create_app(services: Sequence[Service], s3: S3Handler) -> Starlette:
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

    routes = [
        Route("/_local/health", health, methods=["GET"]),
        Route("/{path:path}", aws, methods=_METHODS),
    ]
    return Starlette(routes=routes, lifespan=lifespan)


async def _answer(request: Request, router: Router, s3: S3Handler) -> Response:
    if not is_local(request):
        refused = AwsError("AccessDeniedException", "Unknown host or origin", 403)
        return render_error("json", refused, None)
    scope = credential_scope(request.headers, request.url.query)
    if scope is not None and scope.service == "s3":
        return await s3(request)
    try:
        wire = await _read(request)
        target = router.find(wire, scope)
    except AwsError as error:
        return _identified(render_error(unrouted_protocol(request.headers), error, None))
    return _identified(await run_sync(_call, target, wire))


async def _read(request: Request) -> WireRequest:
    body = unpacked(await read_body(request), request.headers.get("content-encoding"))
    path = request.scope["raw_path"].decode("ascii")
    return WireRequest(request.method, path, request.url.query, request.headers, body)


def _call(target: Target, request: WireRequest) -> Response:
    """Runs one operation in this thread; whatever happens, the answer is typed."""
    operation = target.operation
    try:
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
        _LOG.exception("%s.%s failed", target.service_name, operation.name)
        fault = AwsError("InternalFailure", f"{type(error).__name__}: {error}", 500)
        return render_error(target.protocol, fault, operation)


def _identified(response: Response) -> Response:
    response.headers["x-amzn-requestid"] = str(uuid.uuid4())
    return response
