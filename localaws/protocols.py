"""AWS wire protocols: a request becomes botocore members, an output or an error becomes a response.

Protocols spoken: json (1.0, 1.1), rest-json with event streams, query. boto3 chooses one of these
for every service here; S3's rest-xml is written by hand in `s3_xml`.
"""

import json
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

from botocore.utils import parse_timestamp
from moto.core.eventstream import EventStream, EventStreamEncoder, EventStreamMessage
from moto.core.model import OperationModel
from moto.core.parse import PROTOCOL_PARSERS
from moto.core.serialize import SERIALIZERS
from starlette.datastructures import Headers
from starlette.responses import Response, StreamingResponse
from werkzeug.datastructures import MultiDict

from localaws.errors import AwsError

_LOG = logging.getLogger(__name__)
_EVENT_STREAM = "application/vnd.amazon.eventstream"


@dataclass(frozen=True)
class WireRequest:
    """One HTTP request, read whole; `path` is still percent-encoded."""

    method: str
    path: str
    query: str
    headers: Headers
    body: bytes


def form_values(request: WireRequest) -> MultiDict:
    """Query string and, for the query protocol, the form body."""
    pairs = parse_qsl(request.query, keep_blank_values=True)
    if request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        pairs += parse_qsl(request.body.decode(errors="replace"), keep_blank_values=True)
    return MultiDict(pairs)


def parse(
    operation: OperationModel, protocol: str, request: WireRequest, uri: Mapping[str, str]
) -> dict[str, Any]:
    """The parameters by botocore member name: aware datetimes, blobs as bytes."""
    parser = PROTOCOL_PARSERS[protocol](operation, timestamp_parser=_aware)
    wire: Any = {
        "method": request.method,
        "url_path": request.path,
        "url_params": uri,
        "headers": request.headers,
        "values": form_values(request),
        "body": request.body,
    }
    try:
        return {k: v for k, v in parser.parse(wire).items() if v is not None}
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        message = f"{operation.name}: the request does not match its model ({error})"
        raise AwsError("SerializationException", message) from error


def require_members(operation: OperationModel, parameters: Any) -> None:
    """Operations may rely on the members that their model requires."""
    shape: Any = operation.input_shape
    for name in shape.required_members if shape else ():
        if not isinstance(parameters, dict) or parameters.get(name) is None:
            raise AwsError(
                "ValidationException",
                f"1 validation error detected: Value null at '{name[0].lower() + name[1:]}' "
                "failed to satisfy constraint: Member must not be null",
            )


def render(operation: OperationModel, protocol: str, output: dict[str, Any]) -> Response:
    """The output dict (datetimes aware UTC) in the protocol's bytes."""
    serializer = SERIALIZERS[protocol](operation)
    if operation.has_event_stream_output:
        return StreamingResponse(_frames(operation, serializer, output), media_type=_EVENT_STREAM)
    wire = serializer.serialize(output)
    status = _bound(operation, output, "statusCode", "StatusCode") or wire["status_code"]
    content_type = _bound(operation, output, "header", "Content-Type")
    headers = {**wire["headers"], **({"Content-Type": content_type} if content_type else {})}
    return Response(wire["body"], status, headers)


def render_error(protocol: str, error: AwsError, operation: OperationModel | None) -> Response:
    status = _modelled_status(error, operation)
    if protocol == "query":
        return Response(_query_error(error), status, media_type="text/xml")
    body = {"__type": error.code, "message": error.message, **error.fields}
    headers = {"x-amzn-errortype": error.code}
    if operation is not None and "awsQueryCompatible" in operation.service_model.metadata:
        headers["x-amzn-query-error"] = f"{error.code};{'Sender' if status < 500 else 'Receiver'}"
    content = json.dumps(body, default=str)
    return Response(content, status, headers, media_type="application/x-amz-json-1.1")


def _aware(value: Any) -> datetime:
    return parse_timestamp(value).astimezone(UTC)


def _frames(operation: OperationModel, serializer: Any, output: dict[str, Any]) -> Iterator[bytes]:
    """One event-stream frame per event, as it is produced; an AwsError becomes the last frame."""
    encoder = EventStreamEncoder()
    shape: Any = operation.output_shape
    events = EventStream(output, shape, serializer.EVENT_STREAM_SERIALIZER_CLS(operation))
    try:
        for message in events:
            yield encoder.encode_event(message)
    except AwsError as error:
        yield encoder.encode_event(_exception(error))
    except Exception as error:
        _LOG.exception("%s failed in mid-stream", operation.name)
        fault = AwsError("InternalServerException", f"{type(error).__name__}: {error}", 500)
        yield encoder.encode_event(_exception(fault))


def _exception(error: AwsError) -> EventStreamMessage:
    headers: dict[str, Any] = {
        ":message-type": "exception",
        ":exception-type": error.code[0].lower() + error.code[1:],
        ":content-type": "application/json",
    }
    return EventStreamMessage(headers, json.dumps({"message": error.message}).encode())


def _bound(operation: OperationModel, output: dict[str, Any], location: str, name: str) -> Any:
    """The member that Lambda binds to the HTTP status, or endpoints to the content type, if any."""
    shape: Any = operation.output_shape
    for member, bound in shape.members.items() if shape else ():
        if (bound.serialization.get("location"), bound.serialization.get("name", member)) == (
            location,
            name,
        ):
            return output.get(member)
    return None


def _modelled_status(error: AwsError, operation: OperationModel | None) -> int:
    """An explicit status wins; 400 gives way to the status that the service model states."""
    if error.status != 400 or operation is None:
        return error.status
    shapes: Any = operation.error_shapes
    for shape in shapes:
        if error.code == shape.name or error.code == shape.error_code:
            return shape.metadata.get("error", {}).get("httpStatusCode", 400)
    return 400


def _query_error(error: AwsError) -> str:
    kind = "Sender" if error.status < 500 else "Receiver"
    return (
        f"<ErrorResponse><Error><Type>{kind}</Type><Code>{escape(error.code)}</Code>"
        f"<Message>{escape(error.message)}</Message></Error>"
        "<RequestId>local</RequestId></ErrorResponse>"
    )
