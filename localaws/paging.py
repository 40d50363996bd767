"""Opaque page tokens: an offset or a position, unreadable to clients by intention."""

import base64
from collections.abc import Sequence
from typing import TypeVar

from localaws.errors import AwsError

Row = TypeVar("Row")


def token_of(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode()


def text_of(token: str, code: str) -> str:
    try:
        return base64.b64decode(token.encode(), altchars=b"-_", validate=True).decode()
    except ValueError as error:
        raise AwsError(code, "The specified nextToken is invalid.") from error


def offset_of(token: str | None, code: str) -> int:
    """0 without a token."""
    text = text_of(token, code) if token else "0"
    if not text.isdecimal():
        raise AwsError(code, "The specified nextToken is invalid.")
    return int(text)


def page(
    rows: Sequence[Row], token: str | None, size: int, code: str, member: str = "NextToken"
) -> tuple[list[Row], dict[str, str]]:
    """One page of a short list, and what the answer adds when there is more."""
    start = offset_of(token, code)
    following = start + size
    more = {member: token_of(str(following))} if following < len(rows) else {}
    return list(rows[start:following]), more
