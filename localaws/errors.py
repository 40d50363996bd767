"""The one error of the embedded AWS: an AWS error code that each wire protocol knows how to render."""

from typing import Any

ACCOUNT_ID = "000000000000"
REGION = "us-east-1"


class AwsError(Exception):
    """What boto3 raises as ClientError; `fields` are the modelled members beside code and message."""

    def __init__(self, code: str, message: str, status: int = 400, **fields: Any):
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status
        self.fields = fields


def not_implemented(service: str, operation: str) -> AwsError:
    """501 is not retried by boto3."""
    return AwsError(
        "NotImplemented", f"{service}.{operation} is not part of the embedded AWS", 501
    )
