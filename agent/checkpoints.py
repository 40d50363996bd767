"""Where the graph's state is kept: one DynamoDB item per session, large ones in S3. Primitives only are read back.

The graph runs one node at a time, so what a node wrote stands in the next checkpoint: only an
interrupt and its answer need an item of their own. One write per node, and one read to go on.
A checkpoint takes the place of the one that it follows, and of no other: a process that slept
through a takeover cannot overwrite what came after.
"""

import logging
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from botocore.exceptions import BotoCoreError, ClientError
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

from agent.journal import LeaseLostError
from mlops.aws.clients import Aws, Item
from mlops.aws.items import query, written
from mlops.aws.tables import CHECKPOINTS

_PREFIX = "checkpoints/agent"
_STATE = "STATE"
_WRITES = "WRITES#"
_LASTING = (INTERRUPT, RESUME)
# An item may have 400 KB.
_MOST_ITEM_BYTES = 350_000
# Longer than a plan's prices are valid: whoever approves later launches anew.
_INTERRUPTS_LIVE = timedelta(days=90)
# In the address of a checkpoint that was read: the items of interrupts seen beside it.
_BESIDE = "items_beside"
# The most keys of one BatchWriteItem.
_BATCH = 25

_LOG = logging.getLogger(__name__)


class CheckpointSaver(BaseCheckpointSaver[int]):
    """Keeps the latest checkpoint of each thread. For graphs without parallel nodes or subgraphs.

    A node whose writes were lost with its process runs again, as one that never ended would.
    """

    def __init__(self, aws: Aws):
        super().__init__(serde=JsonPlusSerializer(allowed_msgpack_modules=None))
        self._db = aws.dynamodb
        self._s3 = aws.client("s3")
        self._bucket = aws.settings.models_bucket
        # By thread: the object of its latest state, where that is a large one.
        self._objects: dict[str, str] = {}

    def get_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """None as well for a checkpoint that is not the latest any more."""
        thread = _thread(config)
        read = self._latest(thread)
        if read is None:
            return None
        kept, items = read
        found, wanted = kept["checkpoint"]["id"], get_checkpoint_id(config)
        if wanted not in (None, found):
            return None
        parent = kept["parent"]
        return CheckpointTuple(
            config=_config(thread, found, sorted(items.keys() - {_STATE})),
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
        """In one write: a reader sees this checkpoint whole, or the one before it.

        LeaseLostError when the stored one is neither the one before it nor, because an answer was
        lost, this one itself.
        """
        thread, parent = _thread(config), get_checkpoint_id(config)
        kept = {
            "checkpoint": checkpoint,
            "metadata": dict(metadata),
            "parent": parent,
        }
        kind, body = self.serde.dumps_typed(kept)
        found = checkpoint["id"]
        item: Item = {"PK": thread, "SK": _STATE, "checkpoint_id": found, "kind": kind}
        if len(body) > _MOST_ITEM_BYTES:
            # A key of its own: nobody reads a half of one state with a half of another.
            item["s3_key"] = f"{_PREFIX}/{thread}/{found}"
            self._s3.put_object(Bucket=self._bucket, Key=item["s3_key"], Body=body)
        else:
            item["body"] = body
        self._replace(item, parent)
        self._forget(thread, item.get("s3_key"), config)
        return _config(thread, found)

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

    def _replace(self, item: Item, parent: str | None) -> None:
        """Whatever boto3 sends again finds its own item, and takes its place."""
        if not written(
            self._db.put_item,
            TableName=CHECKPOINTS,
            Item=item,
            ConditionExpression="attribute_not_exists(checkpoint_id) "
            "OR checkpoint_id IN (:parent, :this)",
            ExpressionAttributeValues={
                ":this": item["checkpoint_id"],
                ":parent": parent or item["checkpoint_id"],
            },
        ):
            if "s3_key" in item:
                self._drop_object(item["s3_key"])
            message = "Another process has gone on with this conversation."
            raise LeaseLostError("lease_lost", message)

    def _forget(self, thread: str, s3_key: str | None, config: RunnableConfig) -> None:
        """What belongs to the checkpoint before: its object, and the interrupts beside it."""
        before = self._objects.pop(thread, None)
        if s3_key is not None:
            self._objects[thread] = s3_key
        if before not in (None, s3_key):
            self._drop_object(before)
        configurable = config.get("configurable", {})
        read_at, beside = configurable.get(_BESIDE, (None, []))
        if beside and read_at == get_checkpoint_id(config):
            self._drop_items([{"PK": thread, "SK": name} for name in beside[:_BATCH]])

    def _drop_object(self, key: str) -> None:
        try:
            self._s3.delete_object(Bucket=self._bucket, Key=key)
        except (ClientError, BotoCoreError):
            _LOG.exception("the outdated state %s was not deleted", key)

    def _drop_items(self, keys: list[Item]) -> None:
        try:
            requests = [{"DeleteRequest": {"Key": key}} for key in keys]
            self._db.batch_write_item(RequestItems={CHECKPOINTS: requests})
        except (ClientError, BotoCoreError):
            _LOG.exception("outdated interrupts of %s were not deleted", keys[0]["PK"])

    def _latest(self, thread: str) -> tuple[Any, dict[str, Item]] | None:
        """The state, and its item with those beside it by sort key."""
        missing = None
        while True:
            # A resume right after an interrupt must not miss it: the read is consistent.
            found = query(
                self._db,
                TableName=CHECKPOINTS,
                KeyConditionExpression="PK = :t",
                ExpressionAttributeValues={":t": thread},
                ConsistentRead=True,
            )
            items = {item["SK"]: item for item in found}
            if _STATE not in items:
                return None
            s3_key = items[_STATE].get("s3_key")
            try:
                kept = self._load(items[_STATE])
            except self._s3.exceptions.NoSuchKey:
                # Another checkpoint took its place in between, and it was deleted.
                if s3_key == missing:
                    raise
                missing = s3_key
                continue
            if s3_key is not None:
                self._objects[thread] = s3_key
            return kept, items

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


def _config(thread: str, checkpoint_id: str, beside: Sequence[str] = ()) -> RunnableConfig:
    """A run carries the address of what it has read along, to where it puts what follows."""
    address: dict[str, Any] = {
        "thread_id": thread,
        "checkpoint_ns": "",
        "checkpoint_id": checkpoint_id,
    }
    if beside:
        address[_BESIDE] = (checkpoint_id, list(beside))
    return {"configurable": address}
