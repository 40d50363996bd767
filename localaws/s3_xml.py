"""S3's XML: answers from nested pairs, request bodies to plain values, errors."""

from collections.abc import Iterable
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree

from starlette.responses import Response

from localaws.errors import AwsError

_NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"

Pairs = Iterable[tuple[str, Any]]


def document(root: str, pairs: Pairs, status: int = 200) -> Response:
    """A value is text, a number, a boolean, nested pairs, or None (left out)."""
    element = ElementTree.Element(root, xmlns=_NAMESPACE)
    _fill(element, pairs)
    return _response(element, status)


def text_document(root: str, text: str) -> Response:
    element = ElementTree.Element(root, xmlns=_NAMESPACE)
    element.text = text
    return _response(element, 200)


def error_document(error: AwsError, resource: str, request_id: str, head: bool) -> Response:
    """HEAD answers carry no body."""
    headers = {"x-amz-request-id": request_id}
    if head or error.status == 304:
        return Response(status_code=error.status, headers=headers)
    element = ElementTree.Element("Error")
    pairs = {"Code": error.code, "Message": error.message, **error.fields}
    _fill(element, {**pairs, "Resource": resource, "RequestId": request_id}.items())
    response = _response(element, error.status)
    response.headers.update(headers)
    return response


def parse_parts(body: bytes) -> list[tuple[int, str]]:
    """(number, etag) of CompleteMultipartUpload."""
    parts = [
        (part.findtext("{*}PartNumber") or "", part.findtext("{*}ETag") or "")
        for part in _parsed(body).iterfind("{*}Part")
    ]
    if not all(number.isdecimal() for number, _ in parts):
        raise malformed()
    return [(int(number), etag) for number, etag in parts]


def parse_delete(body: bytes) -> tuple[list[str], bool]:
    """Keys of DeleteObjects, and whether only errors are wanted."""
    root = _parsed(body)
    keys = [entry.findtext("{*}Key") or "" for entry in root.iterfind("{*}Object")]
    return keys, root.findtext("{*}Quiet") == "true"


def malformed() -> AwsError:
    message = "The XML you provided was not well-formed or did not validate"
    return AwsError("MalformedXML", message)


def iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def http_date(at: float) -> str:
    return format_datetime(datetime.fromtimestamp(int(at), UTC), usegmt=True)


def url_encoded(text: str | None, encoding: str | None) -> str | None:
    """Keys as `encoding-type=url` wants them."""
    return quote(text, safe="/*-._~") if text and encoding == "url" else text


def _response(element: ElementTree.Element, status: int) -> Response:
    content = ElementTree.tostring(element, encoding="utf-8", xml_declaration=True)
    return Response(content, status, media_type="application/xml")


def _fill(parent: ElementTree.Element, pairs: Pairs) -> None:
    for name, value in pairs:
        if value is None:
            continue
        child = ElementTree.SubElement(parent, name)
        if isinstance(value, bool):
            child.text = "true" if value else "false"
        elif isinstance(value, str | int):
            child.text = str(value)
        else:
            _fill(child, value)


def _parsed(body: bytes) -> ElementTree.Element:
    try:
        return ElementTree.fromstring(body)
    except ElementTree.ParseError as error:
        raise malformed() from error
