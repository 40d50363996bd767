"""The account of the embedded AWS, and its one error: a code that each wire protocol knows how to render."""

from typing import Any

ACCOUNT_ID = "000000000000"
REGION = "us-east-1"


def arn_of(service: str, resource: str) -> str:
    return f"arn:aws:{service}:{REGION}:{ACCOUNT_ID}:{resource}"


class AwsError(Exception):
    """What boto3 raises as ClientError; `fields` are the modelled members beside code and message."""

    def __init__(self, code: str, message: str, status: int = 400, **fields: Any):
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status
        self.fields = fields


def invalid(message: str) -> AwsError:
    return AwsError("ValidationException", message)


def not_implemented(service: str, operation: str) -> AwsError:
    """501 is not retried by boto3."""
    return AwsError(
        "NotImplemented", f"{service}.{operation} is not part of the embedded AWS", 501
    )
