"""Where the graph's state is kept: one DynamoDB item per session, large ones in S3. Primitives only are read back.

The graph runs one node at a time, so what a node wrote stands in the next checkpoint: only an
interrupt and its answer need an item of their own. One write per node, and one read to go on.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    BaseCheckpointSaver,
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
    PendingWrite,
    get_checkpoint_id,
)
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.checkpoint.serde.types import INTERRUPT, RESUME

from mlops.aws.clients import Aws, Item
from mlops.aws.tables import CHECKPOINTS

_PREFIX = "checkpoints/agent"
_STATE = "STATE"
_WRITES = "WRITES#"
_LASTING = (INTERRUPT, RESUME)
# An item may have 400 KB.
_MOST_ITEM_BYTES = 350_000
# Longer than a plan's prices are valid: whoever approves later launches anew.
_INTERRUPTS_LIVE = timedelta(days=90)


def open_saver(aws: Aws) -> "CheckpointSaver":
    """A saver on the project's table, in the same account and at the same endpoint as `aws`."""
    return CheckpointSaver(aws)


class CheckpointSaver(BaseCheckpointSaver[int]):
    """Keeps the latest checkpoint of each thread. For graphs without parallel nodes or subgraphs.

    A node whose writes were lost with its process runs again, as one that never ended would.
    """

    def __init__(self, aws: Aws):
        super().__init__(serde=JsonPlusSerializer(allowed_msgpack_modules=None))
        self._db = aws.dynamodb
        self._s3 = aws.client("s3")
        self._bucket = aws.settings.models_bucket

    def get_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """None as well for a checkpoint that is not the latest any more."""
        thread = _thread(config)
        items = {item["SK"]: item for item in self._items(thread)}
        if _STATE not in items:
            return None
        kept = self._load(items[_STATE])
        found, wanted = kept["checkpoint"]["id"], get_checkpoint_id(config)
        if wanted not in (None, found):
            return None
        parent = kept["parent"]
        return CheckpointTuple(
            config=_config(thread, found),
            checkpoint=cast(Checkpoint, kept["checkpoint"]),
            metadata=cast(CheckpointMetadata, kept["metadata"]),
            parent_config=_config(thread, parent) if parent else None,
            pending_writes=self._pending(items, found),
        )

    def put(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """In one write: a reader sees this checkpoint whole, or the one before it."""
        thread = _thread(config)
        kept = {
            "checkpoint": checkpoint,
            "metadata": dict(metadata),
            "parent": get_checkpoint_id(config),
        }
        kind, body = self.serde.dumps_typed(kept)
        item: Item = {"PK": thread, "SK": _STATE, "kind": kind}
        if len(body) > _MOST_ITEM_BYTES:
            key = f"{_PREFIX}/{thread}"
            self._s3.put_object(Bucket=self._bucket, Key=key, Body=body)
            item["s3_key"] = key
        else:
            item["body"] = body
        self._db.put_item(TableName=CHECKPOINTS, Item=item)
        return _config(thread, checkpoint["id"])

    def put_writes(
        self,
        config: RunnableConfig,
        writes: Sequence[tuple[str, Any]],
        task_id: str,
        task_path: str = "",
    ) -> None:
        lasting = [[channel, value] for channel, value in writes if channel in _LASTING]
        if not lasting:
            return
        kind, body = self.serde.dumps_typed([task_path, task_id, lasting])
        item = {
            "PK": _thread(config),
            "SK": f"{_WRITES}{get_checkpoint_id(config)}#{task_id}",
            "kind": kind,
            "body": body,
            "ttl": int((datetime.now(UTC) + _INTERRUPTS_LIVE).timestamp()),
        }
        self._db.put_item(TableName=CHECKPOINTS, Item=item)

    def _items(self, thread: str) -> list[Item]:
        """A resume right after an interrupt must not miss it: the read is consistent."""
        request: dict[str, Any] = {
            "TableName": CHECKPOINTS,
            "KeyConditionExpression": "PK = :t",
            "ExpressionAttributeValues": {":t": thread},
            "ConsistentRead": True,
        }
        items: list[Item] = []
        while True:
            answer = self._db.query(**request)
            items += answer["Items"]
            if "LastEvaluatedKey" not in answer:
                return items
            request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    def _load(self, item: Item) -> Any:
        if "s3_key" in item:
            answer = self._s3.get_object(Bucket=self._bucket, Key=item["s3_key"])
            return self.serde.loads_typed((item["kind"], answer["Body"].read()))
        return self.serde.loads_typed((item["kind"], bytes(item["body"])))

    def _pending(self, items: dict[str, Item], checkpoint_id: str) -> list[PendingWrite]:
        """In the order in which a run applies them: by path and task."""
        prefix = f"{_WRITES}{checkpoint_id}#"
        kept = [self._load(item) for key, item in items.items() if key.startswith(prefix)]
        return [
            (task_id, channel, value)
            for _, task_id, writes in sorted(kept, key=lambda one: one[:2])
            for channel, value in writes
        ]


def _thread(config: RunnableConfig) -> str:
    return str(config.get("configurable", {})["thread_id"])


def _config(thread: str, checkpoint_id: str) -> RunnableConfig:
    return {
        "configurable": {
            "thread_id": thread,
            "checkpoint_ns": "",
            "checkpoint_id": checkpoint_id,
        }
    }
