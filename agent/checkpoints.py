"""Where the graph's state is kept: DynamoDB, with large states in S3. Nothing but primitives is read back."""

from typing import Any

from botocore.config import Config
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph_checkpoint_aws.checkpoint.dynamodb import DynamoDBSaver

from mlops.aws.clients import Aws
from mlops.aws.tables import CHECKPOINTS

_PREFIX = "checkpoints/agent"
_CONFIG = Config(
    retries={"mode": "standard", "max_attempts": 4},
    connect_timeout=5,
    read_timeout=30,
    max_pool_connections=32,
    s3={"addressing_style": "path"},
)


def open_saver(aws: Aws) -> DynamoDBSaver:
    """A saver on the project's table, in the same account and at the same endpoint as `aws`."""
    settings = aws.settings
    offload: Any = {
        "bucket_name": settings.models_bucket,
        "endpoint_url": settings.endpoint_url,
        "key_prefix": _PREFIX,
    }
    saver = DynamoDBSaver(
        CHECKPOINTS,
        session=aws.session,
        region_name=settings.region,
        endpoint_url=settings.endpoint_url,
        boto_config=_CONFIG,
        s3_offload_config=offload,
    )
    # The saver asks for no consistent reads: a resume right after an interrupt could miss it.
    for operation in ("GetItem", "Query"):
        event = f"before-parameter-build.dynamodb.{operation}"
        saver.client.meta.events.register(event, _read_consistently)
    # It keeps the serializer of its constructor, so both must be replaced.
    strict = JsonPlusSerializer(allowed_msgpack_modules=None)
    saver.serde = strict
    saver.serializer.serde = strict
    return saver


def _read_consistently(params: dict[str, Any], **_: Any) -> None:
    params["ConsistentRead"] = True
