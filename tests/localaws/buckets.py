"""A bucket, and what a refusal says."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

BUCKET = "data-bucket"


def refused(call: Callable[..., Any], **arguments: Any) -> tuple[str, int]:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    response: Any = caught.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]


def body(s3: Any, key: str, **arguments: Any) -> bytes:
    return s3.get_object(Bucket=BUCKET, Key=key, **arguments)["Body"].read()


def blobs(local: Any) -> set[Path]:
    return set(local.s3.objects.folder.glob("*/*"))
